"""Rows that cannot be learnt from are taken out before the split, and said."""

from typing import Any

from tfkit.errors import UserError


def clean(frame: Any, target: str, *, duplicates: str = "drop") -> tuple[Any, list[str]]:
    """Take out rows without a target and, unless told to keep them, rows that stand there twice.

    Exact duplicates would stand in training and test at once, and the score would be a lie.

    Args:
        frame: A pandas DataFrame.
        target: The column to predict; it must be there.
        duplicates: "drop" or "keep".

    Returns:
        The rows that stay, numbered as they were, and what was done, in words.

    Raises:
        UserError: If no row has a target.

    Example:
        >>> import pandas as pd
        >>> clean(pd.DataFrame({"a": [1, 1, 2, 3], "y": ["u", "u", None, "v"]}), "y")[1]
        ['1 of 4 rows left out: no y', '1 of 4 rows left out: the same as another row']
    """
    rows, said = len(frame), []
    present = frame[target].notna()
    if not present.any():
        raise UserError(f"The target must be there in some rows at least. Received: {target!r}, missing in all {rows:,}")
    if not present.all():
        said.append(f"{int((~present).sum()):,} of {rows:,} rows left out: no {target}")
        frame = frame[present]
    if duplicates == "drop":
        twice = frame.duplicated()
        if twice.any():
            said.append(f"{int(twice.sum()):,} of {rows:,} rows left out: the same as another row")
            frame = frame[~twice]
    return frame, said


def without(frame: Any, other: Any) -> tuple[Any, list[str]]:
    """The rows of a table that do not stand in another, and what was done: training rows must not be test rows too."""
    import pandas as pd

    shared = [name for name in frame.columns if name in other.columns]
    known = set(pd.util.hash_pandas_object(other[shared], index=False))
    twice = pd.util.hash_pandas_object(frame[shared], index=False).isin(known)
    said = [f"{int(twice.sum()):,} of {len(frame):,} rows left out: they stand in the test table too"] if twice.any() else []
    return frame[~twice.to_numpy()], said
