"""What can go wrong and is not a bug of ours: said in one line, and told apart by its exit code."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass
import difflib


def format_list(items: Iterable[Any], max_items: int = 8) -> str:
    """Format a list for a message: the first items only, long ones truncated."""
    texts = [repr(text if len(text) <= 60 else f"{text[:59]}…") for text in map(str, items)]
    return ", ".join(texts[:max_items]) + (f" and {len(texts) - max_items:,} more" if len(texts) > max_items else "")


LONGEST = 1000  # characters of a message


class UserError(ValueError):
    """Something the user can mend. The message is one line: the rule, the remedy, what came.

    What it repeats of the user's data, such as the name of a column, can make it neither two lines nor endless, and
    cannot speak to the terminal.
    """

    def __init__(self, message: str):
        said = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(message))
        super().__init__(said if len(said) <= LONGEST else f"{said[:LONGEST]}...")


class NotFiniteError(ArithmeticError):
    """Training stopped because the loss was not a finite number any more."""


class Interrupted(Exception):
    """Training stopped on a signal, its state saved. `signal` is the signal's number."""

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.signal = signal


class Paused(Exception):
    """Training has come to the epoch that it was to go to, and is saved."""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a message about a failed look-up: `" Did you mean 'x'?"`, or nothing where no name is near.

    Example:
        >>> did_you_mean("tabulr", ["image", "tabular"])
        " Did you mean 'tabular'?"
        >>> did_you_mean("zzz", ["image", "tabular"])
        ''
    """
    lower = {str(name).lower(): str(name) for name in words}
    found = difflib.get_close_matches(str(word).lower(), lower, n=1, cutoff=0.6)
    return f" Did you mean {lower[found[0]]!r}?" if found else ""


def first_line(error: BaseException) -> str:
    """What a library says of its error, as part of a message of one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
