"""Exceptions of tfkit, and helpers for their messages of one line."""

import difflib
from collections.abc import Iterable
from typing import Any

MAX_MESSAGE_CHARACTERS = 1000

MIN_SIMILARITY = 0.6  # of a suggested name, between 0 and 1


def format_list(items: Iterable[Any], max_items: int = 8) -> str:
    """Format a list for a message: the first items only, long ones truncated."""
    texts = [repr(text if len(text) <= 60 else f"{text[:59]}…") for text in map(str, items)]
    return ", ".join(texts[:max_items]) + (f" and {len(texts) - max_items:,} more" if len(texts) > max_items else "")


class UserError(ValueError):
    """An error that the user can fix: the message is one line with the rule, the remedy and what was received.

    A message can contain data of the user, such as the name of a column. Therefore characters that are not printable
    are escaped, and a long message is truncated.
    """

    def __init__(self, message: str):
        text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(message))
        super().__init__(text if len(text) <= MAX_MESSAGE_CHARACTERS else f"{text[:MAX_MESSAGE_CHARACTERS]}...")


class NotFiniteError(ArithmeticError):
    """Training stopped because the loss became NaN or infinite."""


class Interrupted(Exception):
    """A signal stopped training, and its state is saved.

    Args:
        message: The message.
        signal: Number of the signal.
    """

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.signal = signal


class Paused(Exception):
    """Training reached the epoch after which it was to pause, and its state is saved."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: `" Did you mean 'x'?"`, or "" if no name is similar.

    Example:
        >>> did_you_mean("tabulr", ["image", "tabular"])
        " Did you mean 'tabular'?"
        >>> did_you_mean("zzz", ["image", "tabular"])
        ''
    """
    by_lower_case = {str(candidate).lower(): str(candidate) for candidate in names}
    matches = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=MIN_SIMILARITY)
    return f" Did you mean {by_lower_case[matches[0]]!r}?" if matches else ""


def first_line(error: BaseException) -> str:
    """Return the first line of the message of an error, or its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
