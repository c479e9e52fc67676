"""Load tables, and convert their rows to validated model inputs."""

from typing import TYPE_CHECKING, Any

from tfkit.data.columns import numbers, values
from tfkit.data.columns.names import require_columns
from tfkit.data.files.read import read_frame, read_messages, read_with_missing_counts
from tfkit.data.rows import out_of_core
from tfkit.data.rows.duplicates import drop_test_overlap, drop_unusable_rows
from tfkit.data.rows.splits import train_val_test_split
from tfkit.errors import UserError
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd


READ_OPTIONS = frozenset({"delimiter", "encoding", "na_values"})  # settings with which files are read
LOAD_SETTINGS = READ_OPTIONS | {"test_data", "duplicates"}
SPLIT_SETTINGS = frozenset({"val_fraction", "test_fraction", "time_column", "group_column", "exclude_columns"})
SPLIT_SETTINGS |= {"day_first"}  # the order of the dates in `time_column`


def load(
    data: Any, target: str, *, test_data: Any = None, duplicates: str = "drop", **read_options: Any
) -> tuple[Any, Any, list[str]]:
    """Read and clean a table and an optional test table.

    Args:
        data, test_data: Paths, or anything else that `read_frame` accepts. A table that is too large for memory stays
            on disk (`tfkit.data.rows.out_of_core`).
        target: The column to predict.
        duplicates: "drop" or "keep".
        read_options: `delimiter`, `encoding` and `na_values` of `read_frame`.

    Returns:
        The rows, the rows of the test table or None, and a list of messages that describe the cleaning steps. All
        columns have a normalized dtype (`tfkit.data.columns.values`).

    Raises:
        UserError: If a table cannot be read, or lacks a column.
    """
    if out_of_core.too_large(data):
        frame, missing_counts = out_of_core.open_out_of_core(data, target, **read_options)
        messages = frame.source.messages
    else:
        frame, missing_counts = read_with_missing_counts(data, list_columns=[target], **read_options)
        messages = read_messages(frame)
        frame = _normalize_dtypes(frame)
    require_columns(frame, [target])
    if len(frame.columns) < 2:
        raise UserError(
            f"The table must have at least one feature column besides the target. Received: {target!r} alone"
        )
    frame, row_messages = drop_unusable_rows(
        frame, target, duplicates=duplicates, missing_counts=missing_counts.get(target)
    )
    messages = [*messages, *row_messages]
    if test_data is None:
        return frame, None, messages
    test = _normalize_dtypes(read_frame(test_data, list_columns=[target], **read_options))
    require_columns(test, list(frame.columns), "test table")
    messages += [f"test table: {message}" for message in read_messages(test)]
    test, test_messages = drop_unusable_rows(
        test[list(frame.columns)], target, duplicates="keep", table_name="test table"
    )
    frame, overlap_messages = drop_test_overlap(frame, test)
    return frame, test, messages + overlap_messages + test_messages


def _normalize_dtypes(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Convert every column to float64, datetime64 or strings (`tfkit.data.columns.values`)."""
    import pandas as pd

    normalized = pd.DataFrame(
        {name: values.normalize_dtype(column) for name, column in frame.items()}, index=frame.index
    )
    booleans = [str(name) for name, column in frame.items() if column.dtype.kind == "b"]
    normalized.attrs = {**frame.attrs, "boolean_columns": booleans}  # become strings, see `label_type` of the target
    if numbers.has_decimal_comma(normalized):
        normalized.attrs["decimal_comma"] = True
    return normalized


def split(frame: Any, target: Target, **options: Any) -> tuple[Any, Any, Any]:
    """Split a table into training, validation and test rows; see `tfkit.data.rows.splits.train_val_test_split`."""
    return train_val_test_split(frame, target, **options)
