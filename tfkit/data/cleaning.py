"""Rows that cannot be learnt from are taken out before the split, and said."""

from typing import Any

import numpy as np

from tfkit.data.cells import spelled
from tfkit.errors import UserError


def clean(frame: Any, target: str, *, duplicates: str = "drop", what: str = "") -> tuple[Any, list[str]]:
    """Take out rows without a target and, unless told to keep them, rows that stand there twice.

    Exact duplicates would stand in training and test at once, and the score would be a lie.

    Args:
        frame: A pandas DataFrame.
        target: The column to predict; it must be there.
        duplicates: "drop" or "keep".
        what: The table that is cleaned, where it is not the one to learn from.

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
    of = f"of {rows:,} rows{f' of the {what}' if what else ''} left out"
    present = frame[target].notna()
    if not present.any():
        raise UserError(
            f"The target must be there in some rows at least. Received: {target!r}, missing in all {rows:,} rows"
        )
    if not present.all():
        said.append(f"{int((~present).sum()):,} {of}: no {target}")
        frame = frame[present]
    if duplicates == "drop":
        twice = frame.duplicated()
        if twice.any():
            said.append(f"{int(twice.sum()):,} {of}: the same as another row")
            frame = frame[~twice]
    return frame, said


def without(frame: Any, test: Any) -> tuple[Any, list[str]]:
    """The rows of a table that do not stand in the test table, and what was done: no row may be learnt and tested.

    Raises:
        UserError: If no row is left.
    """
    shared = [name for name in frame.columns if name in test.columns]
    twice = np.isin(prints(_like(frame[shared], test)), prints(_like(test[shared], frame)))
    if twice.all():
        raise UserError(
            f"The table must have rows that are not in the test table. Received: {len(frame):,} rows, all in both"
        )
    said = (
        [f"{int(twice.sum()):,} of {len(frame):,} rows left out: they stand in the test table too"]
        if twice.any()
        else []
    )
    return frame[~twice], said


def prints(frame: Any) -> np.ndarray:
    """A number for each row, `(rows,)` uint64: equal rows have the same, others have not."""
    import pandas as pd

    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def _like(frame: Any, other: Any) -> Any:
    """The frame with words in the columns that are of another type in the other: 39 in Parquet, "39" in CSV."""
    import pandas as pd

    alike = {name: cells if cells.dtype == other[name].dtype else spelled(cells) for name, cells in frame.items()}
    return pd.DataFrame(alike, index=frame.index)
