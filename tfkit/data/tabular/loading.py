"""Load tables, and convert their rows to validated model inputs."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfkit.data.columns import values
from tfkit.data.files.read import read_frame, read_marked
from tfkit.data.rows import out_of_core
from tfkit.data.rows.duplicates import drop_test_overlap, drop_unusable_rows
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

from tfkit.data.columns.names import require_columns

log = logging.getLogger("tfkit")


def load_table(
    table: Any, target: str, *, test_table: Any = None, duplicates: str = "drop", **read_options: Any
) -> tuple[Any, Any, list[str]]:
    """Read and clean a table and an optional test table.

    Args:
        table, test_table: Paths, or anything else that `read_frame` accepts. A table that is too large for memory stays
            on disk (`tfkit.data.rows.out_of_core`).
        target: The column to predict.
        duplicates: "drop" or "keep".
        read_options: `delimiter`, `encoding` and `missing` of `read_frame`.

    Returns:
        The rows, the rows of the test table or None, and a list of messages that describe the cleaning steps. All
        columns have a normalized dtype (`cells.plain`).

    Raises:
        UserError: If a table cannot be read, or lacks a column.
    """
    if out_of_core.too_large(table):
        frame, missing_counts = out_of_core.open_out_of_core(table, target, **read_options)
    else:
        frame, missing_counts = read_marked(table, **read_options)
        frame = _normalize_dtypes(frame)
    require_columns(frame, [target])
    if len(frame.columns) < 2:
        raise UserError(
            f"The table must have at least one feature column besides the target. Received: {target!r} alone"
        )
    frame, messages = drop_unusable_rows(frame, target, duplicates=duplicates, marked=missing_counts.get(target))
    if test_table is None:
        return frame, None, messages
    test = _normalize_dtypes(read_frame(test_table, **read_options))
    require_columns(test, list(frame.columns), "test table")
    test, test_messages = drop_unusable_rows(test[list(frame.columns)], target, duplicates="keep", what="test table")
    frame, overlap_messages = drop_test_overlap(frame, test)
    return frame, test, messages + overlap_messages + test_messages


def _feature_columns(info: Mapping[str, Any]) -> list[str]:
    """The columns that the model inputs are computed from, without repetitions."""
    return list(dict.fromkeys(rule["column"] for rule in info["inputs"].values()))


def _drop_missing_target(frame: Any, name: str) -> Any:
    """Drop rows without a target and log how many."""
    is_present = frame[name].notna()
    if not is_present.any():
        raise UserError(f"Scoring needs rows with a target. Received: {name!r}, missing in all {len(frame):,}")
    if not is_present.all():
        log.warning("%s of %s rows dropped: %s is missing", f"{(~is_present).sum():,}", f"{len(frame):,}", name)
    return frame[is_present]


def _normalize_dtypes(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Convert every column to float64, datetime64 or strings (`cells.plain`)."""
    import pandas as pd

    normalized = pd.DataFrame(
        {name: values.normalize_dtype(column) for name, column in frame.items()}, index=frame.index
    )
    normalized.attrs = frame.attrs
    return normalized
