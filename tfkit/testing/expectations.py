"""Assertions of the contract checks, and the comparison of two outputs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from re import search
from typing import Any

import keras
import numpy as np


class Checker:
    """Raise failures whose message begins with the name of the checked object."""

    def __init__(self, name: str, tolerance: float):
        self.name, self.tolerance = name, tolerance

    def expect(self, condition: Any, message: str) -> None:
        """Fail if the condition is false."""
        if not condition:
            raise AssertionError(f"{self.name}: {message}")

    def expect_close(self, actual: Any, expected: Any, message: str, tolerance: float | None = None) -> None:
        """Fail if the relative difference of two outputs is above the tolerance."""
        limit = self.tolerance if tolerance is None else tolerance
        difference = relative_difference(actual, expected)
        self.expect(
            difference <= limit, f"{message} They differ by {difference:.2g}; a difference of {limit:.2g} is allowed."
        )

    @contextmanager
    def attempt(self, message: str) -> Iterator[None]:
        """Convert an error of the checked object into a failure with this message."""
        try:
            yield
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"{self.name}: {message} It raised {type(error).__name__}: {error}") from error

    def expect_rejected(self, make: Callable[..., Any], invalid: Sequence[tuple[dict[str, Any], str]]) -> None:
        """Fail if invalid arguments do not raise an error with the expected message."""
        for arguments, pattern in invalid:
            try:
                make(**arguments)
            except (ValueError, TypeError) as error:
                self.expect(
                    search(pattern, str(error)),
                    f"{arguments} must be rejected with a message that matches {pattern!r}. Received: {error}",
                )
            except Exception as error:
                error_class = type(error).__name__
                self.expect(False, f"{arguments} must raise ValueError or TypeError. It raised {error_class}: {error}")
            else:
                self.expect(
                    False,
                    f"{arguments} is accepted. Reject it in the constructor with a ValueError that states "
                    "the rule and the received value.",
                )


def to_float64_arrays(structure: Any) -> list[np.ndarray]:
    """Convert every tensor of a structure into a float64 array; None is left out."""
    tensors = [tensor for tensor in keras.tree.flatten(structure) if tensor is not None]
    tensors = [tensor if isinstance(tensor, np.ndarray) else keras.ops.convert_to_tensor(tensor) for tensor in tensors]
    return [np.asarray(keras.ops.convert_to_numpy(tensor)).astype("float64") for tensor in tensors]


def relative_difference(actual: Any, expected: Any) -> float:
    """Compute the largest difference between two structures of tensors.

    The difference is relative to the largest expected value if that is above 1. It is infinite if the shapes differ, or
    if a value is finite in one structure and not in the other.
    """
    actual_arrays, expected_arrays = to_float64_arrays(actual), to_float64_arrays(expected)
    if [array.shape for array in actual_arrays] != [array.shape for array in expected_arrays]:
        return float("inf")
    largest = 0.0
    for x, y in zip(actual_arrays, expected_arrays, strict=True):
        equal = (x == y) | (np.isnan(x) & np.isnan(y))
        difference = np.abs(np.where(equal, 0.0, x) - np.where(equal, 0.0, y)).max(initial=0.0)
        scale = np.abs(y[np.isfinite(y)]).max(initial=1.0)
        largest = max(largest, float(difference / scale) if np.isfinite(difference) else float("inf"))
    return largest


def all_finite(structure: Any) -> bool:
    """Tell whether every value of a structure of tensors is finite."""
    return all(np.isfinite(array).all() for array in to_float64_arrays(structure))
