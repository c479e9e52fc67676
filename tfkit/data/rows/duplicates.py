"""Drop rows without target and duplicated rows, before the data is split."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.columns import infer_type
from tfkit.data.columns.values import to_strings
from tfkit.data.rows.out_of_core import OutOfCoreTable, row_hashes
from tfkit.errors import UserError

SUBSET_COLUMNS = 8  # compared first: most rows that differ do so in the first few columns

MAX_DUPLICATE_FRACTION = 0.25  # above it, equal rows are not duplicates: the table has few distinct rows

MIN_ROWS = 100  # below it, the fraction of duplicates is not reliable


def drop_unusable_rows(
    frame: Any,
    target: str,
    *,
    duplicates: str = "drop",
    table_name: str = "",
    missing_counts: Mapping[str, int] | None = None,
) -> tuple[Any, list[str]]:
    """Drop rows without a target and, by default, duplicated rows.

    Duplicates in both the training and the test set would make the test score too good. For the definition of a
    duplicate see `duplicated_rows`.

    Args:
        frame: A pandas DataFrame.
        target: The column to predict; it must exist.
        duplicates: "drop" or "keep".
        table_name: The name of the table for messages, if it is not the training table.
        missing_counts: Texts in the target column that were read as missing, and the count of each.

    Returns:
        The remaining rows with their original index, and a list of messages that describe what was dropped.

    Raises:
        UserError: If no row has a target.

    Example:
        >>> import pandas as pd
        >>> drop_unusable_rows(pd.DataFrame({"a": [1, 1, 2, 3], "y": ["u", "u", None, "v"]}), "y")[1]
        ['1 of 4 rows dropped: y is missing', '1 of 4 rows dropped: equal to another row']
    """
    rows, messages = len(frame), []
    dropped = f"of {rows:,} rows{f' of the {table_name}' if table_name else ''} dropped"
    has_target = frame[target].notna()
    if not has_target.any():
        raise UserError(
            f"The target must be present in at least one row. Received: {target!r}, missing in all {rows:,} rows"
        )
    if not has_target.all():
        messages.append(
            f"{int((~has_target).sum()):,} {dropped}: {target} is missing{_missing_note(missing_counts or {})}"
        )
        frame = frame[has_target]
    is_duplicate = exact_duplicates(frame)
    if _exceeds_duplicate_limit(is_duplicate):
        equal = f"{int(is_duplicate.sum()):,} of {rows:,} rows are equal to another row"
        messages.append(f"{equal}: too many to be duplicates, so all rows are kept")
    elif duplicates == "drop" and is_duplicate.any():
        messages.append(f"{int(is_duplicate.sum()):,} {dropped}: equal to another row")
        frame = frame[~is_duplicate]
    return frame, messages


def _missing_note(missing_counts: Mapping[str, int]) -> str:
    """Describe texts in the target column that were read as missing.

    One of them may be a class.
    """
    counts = ", ".join(f"{count:,} contain {text!r}" for text, count in list(missing_counts.items())[:3])
    return f"; {counts}: if that is a class, set the markers of missing cells with na_values=" if counts else ""


def drop_test_overlap(frame: Any, test: Any) -> tuple[Any, list[str]]:
    """Drop the rows of a table that are also in the test table.

    Returns:
        The remaining rows, and a list of messages that describe what was dropped.

    Raises:
        UserError: If no row remains.
    """
    shared = [name for name in frame.columns if name in test.columns]
    chunks = frame.chunks() if isinstance(frame, OutOfCoreTable) else [frame]
    in_test = np.concatenate(
        [
            np.isin(row_hashes(_align_dtypes(chunk[shared], test)), row_hashes(_align_dtypes(test[shared], chunk)))
            for chunk in chunks
        ]
    )
    if _exceeds_duplicate_limit(in_test):
        equal = f"{int(in_test.sum()):,} of {len(frame):,} rows are also in the test table"
        return frame, [f"{equal}: too many to be duplicates, so all rows are kept"]
    if in_test.all():
        raise UserError(
            f"The table must have rows that are not in the test table. Received: {len(frame):,} rows, all in both"
        )
    if not in_test.any():
        return frame[~in_test], []
    return frame[~in_test], [f"{int(in_test.sum()):,} of {len(frame):,} rows dropped: also in the test table"]


def comparable_columns(frame: Any, exclude_columns: Iterable[str] = ()) -> Any:
    """Select the columns in which two rows must be equal to stay in the same split.

    These are all columns but excluded columns and identifiers. Rows that differ only in an identifier are two
    examples, so both are kept; but one must not be used to test what was learned from the other.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"id": range(1, 61), "a": [1.5, 2.5] * 30, "note": ["x"] * 60})
        >>> list(comparable_columns(frame, exclude_columns=["note"]))
        ['a']
    """
    names = [name for name in frame.columns if name not in set(exclude_columns) and not _is_identifier(frame[name])]
    return frame[names or list(frame.columns)]


def _is_identifier(column: Any) -> bool:
    return column.is_unique and infer_type.infer_column_type(column)["kind"] == "identifier"


def duplicated_rows(frame: Any) -> np.ndarray:
    """Mark duplicates of earlier rows, `(rows,)`; none if very many rows are equal.

    If more than a quarter of the rows equal another row, the table has few distinct rows, such as three answers of a
    questionnaire. To drop equal rows, or to keep them in one split, would then remove the frequencies to be learned.

    Example:
        >>> import pandas as pd
        >>> duplicated_rows(pd.DataFrame({"a": [1, 1, 1], "b": [2, 3, 2]})).tolist()
        [False, False, True]
    """
    is_duplicate = exact_duplicates(frame)
    return np.zeros_like(is_duplicate) if _exceeds_duplicate_limit(is_duplicate) else is_duplicate


def exact_duplicates(frame: Any) -> np.ndarray:
    """Mark rows that equal an earlier row, `(rows,)`.

    A few columns are compared first, which excludes most rows.
    """
    import pandas as pd

    if isinstance(frame, OutOfCoreTable):
        return pd.Series(frame.hashes()).duplicated().to_numpy()
    is_duplicate = frame.iloc[:, :SUBSET_COLUMNS].duplicated(keep=False).to_numpy(copy=True)
    is_duplicate[is_duplicate] = frame[is_duplicate].duplicated().to_numpy()
    return is_duplicate


def _exceeds_duplicate_limit(is_duplicate: np.ndarray) -> bool:
    return len(is_duplicate) >= MIN_ROWS and bool(is_duplicate.mean() > MAX_DUPLICATE_FRACTION)


def _align_dtypes(frame: Any, reference: Any) -> Any:
    """Convert columns to strings if their dtype differs from the reference.

    A number is 39 in Parquet and may be "39" in CSV.
    """
    import pandas as pd

    aligned = {
        name: cells if cells.dtype == reference[name].dtype else to_strings(cells) for name, cells in frame.items()
    }
    return pd.DataFrame(aligned, index=frame.index)
