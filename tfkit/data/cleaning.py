"""Rows that cannot be learnt from are taken out before the split, and said."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data import columns
from tfkit.data.cells import spelled
from tfkit.data.disk import DiskTable, row_hashes
from tfkit.errors import UserError

FEW = 8  # columns that tell most rows apart
MANY = 0.25  # share of equal rows beyond which they are no copies: the table has few different rows
ENOUGH = 100  # rows, below which that share says nothing


def clean(
    frame: Any, target: str, *, duplicates: str = "drop", what: str = "", marked: Mapping[str, int] | None = None
) -> tuple[Any, list[str]]:
    """Take out rows without a target and, unless told to keep them, rows that stand there twice.

    Copies would stand in training and test at once, and the score would be a lie. What counts as one: see `copies`.

    Args:
        frame: A pandas DataFrame.
        target: The column to predict; it must be there.
        duplicates: "drop" or "keep".
        what: The table that is cleaned, where it is not the one to learn from.
        marked: Words of the target that were taken for missing, and how often.

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
        said.append(f"{int((~present).sum()):,} {of}: no {target}{_words(marked or {})}")
        frame = frame[present]
    twice = repeated(frame)
    if _too_many(twice):
        same = f"{int(twice.sum()):,} of {rows:,} rows are the same as another"
        said.append(f"{same}: too many to be copies, so all stay")
    elif duplicates == "drop" and twice.any():
        said.append(f"{int(twice.sum()):,} {of}: the same as another row")
        frame = frame[~twice]
    return frame, said


def _words(marked: Mapping[str, int]) -> str:
    """What is said of words in the target that were taken for missing: one may be a class."""
    some = ", ".join(f"{count:,} say {word!r}" for word, count in list(marked.items())[:3])
    return f"; {some}: were that a class, name what means missing with missing=" if some else ""


def without(frame: Any, test: Any) -> tuple[Any, list[str]]:
    """The rows of a table that do not stand in the test table, and what was done: no row may be learnt and tested.

    Raises:
        UserError: If no row is left.
    """
    shared = [name for name in frame.columns if name in test.columns]
    blocks = frame.blocks() if isinstance(frame, DiskTable) else [frame]
    twice = np.concatenate(
        [np.isin(row_hashes(_like(block[shared], test)), row_hashes(_like(test[shared], block))) for block in blocks]
    )
    if _too_many(twice):
        same = f"{int(twice.sum()):,} of {len(frame):,} rows stand in the test table too"
        return frame, [f"{same}: too many to be copies, so all stay"]
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


def compared(frame: Any, leave_out: Iterable[str] = ()) -> Any:
    """The columns by which rows of one table are twins: not those left out, nor what only numbers the rows.

    Rows that differ in their identifier alone are two cases, so both stay; but one is no test of what the other taught.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"id": range(1, 61), "a": [1.5, 2.5] * 30, "note": ["x"] * 60})
        >>> list(compared(frame, leave_out=["note"]))
        ['a']
    """
    kept = [name for name in frame.columns if name not in set(leave_out) and not _numbers_rows(frame[name])]
    return frame[kept or list(frame.columns)]


def _numbers_rows(column: Any) -> bool:
    return column.is_unique and columns.infer(column)["kind"] == "identifier"


def copies(frame: Any) -> np.ndarray:
    """Which rows are copies of an earlier one, `(rows,)`; none where very many are equal.

    Where more than a quarter of the rows equal another, the table has few different rows, such as three answers of a
    questionnaire; taking equal ones out, or keeping them together, would leave nothing to learn how often each occurs.

    Example:
        >>> import pandas as pd
        >>> copies(pd.DataFrame({"a": [1, 1, 1], "b": [2, 3, 2]})).tolist()
        [False, False, True]
    """
    twice = repeated(frame)
    return np.zeros_like(twice) if _too_many(twice) else twice


def repeated(frame: Any) -> np.ndarray:
    """Which rows equal an earlier one. Most differ in a few columns already, so these are looked at first."""
    import pandas as pd

    if isinstance(frame, DiskTable):
        return pd.Series(frame.hashes()).duplicated().to_numpy()
    twice = frame.iloc[:, :FEW].duplicated(keep=False).to_numpy(copy=True)
    twice[twice] = frame[twice].duplicated().to_numpy()
    return twice


def _too_many(twice: np.ndarray) -> bool:
    return len(twice) >= ENOUGH and bool(twice.mean() > MANY)


def _like(frame: Any, other: Any) -> Any:
    """The frame with words in the columns that are of another type in the other: 39 in Parquet, "39" in CSV."""
    import pandas as pd

    alike = {name: cells if cells.dtype == other[name].dtype else spelled(cells) for name, cells in frame.items()}
    return pd.DataFrame(alike, index=frame.index)
