"""How a contract says what is wrong, and when two answers are the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from re import search
from typing import Any

import keras
import numpy as np


class Judge:
    """Fails with sentences that begin with the name of what is judged."""

    def __init__(self, name: str, tolerance: float):
        self.name, self.tolerance = name, tolerance

    def expect(self, truth: Any, sentence: str) -> None:
        """Fail where it is not so."""
        if not truth:
            raise AssertionError(f"{self.name}: {sentence}")

    def expect_same(self, said: Any, expected: Any, sentence: str, tolerance: float | None = None) -> None:
        """Fail where two answers differ by more than the tolerance, told as a share of the largest of them."""
        limit = self.tolerance if tolerance is None else tolerance
        found = difference(said, expected)
        self.expect(found <= limit, f"{sentence} They differ by {found:.2g}; {limit:.2g} is allowed.")

    @contextmanager
    def attempt(self, sentence: str) -> Iterator[None]:
        """Turn an error of what is judged into a failure that says what was tried."""
        try:
            yield
        except AssertionError:
            raise
        except Exception as error:
            said = f"{self.name}: {sentence} It raised {type(error).__name__}: {error}"
            raise AssertionError(said) from error

    def expect_refusal(self, make: Callable[..., Any], refused: Sequence[tuple[dict[str, Any], str]]) -> None:
        """Wrong arguments raise, with a message that says so."""
        for change, pattern in refused:
            try:
                make(**change)
            except (ValueError, TypeError) as error:
                self.expect(
                    search(pattern, str(error)),
                    f"{change} must be refused with a message that matches {pattern!r}. It says: {error}",
                )
            except Exception as error:
                kind = type(error).__name__
                self.expect(False, f"{change} must raise ValueError or TypeError. It raised {kind}: {error}")
            else:
                self.expect(
                    False,
                    f"{change} is accepted. Refuse it in the constructor with a ValueError that says "
                    "the rule and what came.",
                )


def numbers(structure: Any) -> list[np.ndarray]:
    """Every tensor of a structure as an array of float64."""
    found = [one for one in keras.tree.flatten(structure) if one is not None]
    arrays = [one if isinstance(one, np.ndarray) else keras.ops.convert_to_tensor(one) for one in found]
    return [np.asarray(keras.ops.convert_to_numpy(one)).astype("float64") for one in arrays]


def difference(said: Any, expected: Any) -> float:
    """The largest difference of two structures of tensors, as a share of the largest value where that is above 1.

    Infinite where the shapes differ, or one is no finite number and the other is.
    """
    first, second, largest = numbers(said), numbers(expected), 0.0
    if [array.shape for array in first] != [array.shape for array in second]:
        return float("inf")
    for one, other in zip(first, second, strict=True):
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        gap = np.abs(np.where(same, 0.0, one) - np.where(same, 0.0, other)).max(initial=0.0)
        scale = np.abs(other[np.isfinite(other)]).max(initial=1.0)
        largest = max(largest, float(gap / scale) if np.isfinite(gap) else float("inf"))
    return largest


def finite(structure: Any) -> bool:
    """Whether every number of a structure of tensors is finite."""
    return all(np.isfinite(array).all() for array in numbers(structure))
