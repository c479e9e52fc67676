"""Load tables, and convert their rows to validated model inputs."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data import cells, disk
from tfkit.data.cleaning import clean, without
from tfkit.data.encoding import encoded_rows
from tfkit.data.files import read_frame, read_marked
from tfkit.data.holding import Held, raw_rows
from tfkit.data.splits import Rows
from tfkit.data.targets import listed, read_target
from tfkit.errors import UserError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from tfkit.data.blocks import Blocks

log = logging.getLogger("tfkit")


def load_table(
    table: Any, target: str, *, test_table: Any = None, duplicates: str = "drop", **read_options: Any
) -> tuple[Any, Any, list[str]]:
    """Read and clean a table and an optional test table.

    Args:
        table, test_table: Paths, or anything else that `read_frame` accepts. A table that is too large for memory stays
            on disk (`tfkit.data.disk`).
        target: The column to predict.
        duplicates: "drop" or "keep".
        read_options: `delimiter`, `encoding` and `missing` of `read_frame`.

    Returns:
        The rows, the rows of the test table or None, and a list of messages that describe the cleaning steps. All
        columns have a normalized dtype (`cells.plain`).

    Raises:
        UserError: If a table cannot be read, or lacks a column.
    """
    if disk.too_large(table):
        frame, missing_counts = disk.opened(table, target, **read_options)
    else:
        frame, missing_counts = read_marked(table, **read_options)
        frame = _normalize_dtypes(frame)
    check_columns(frame, [target])
    if len(frame.columns) < 2:
        raise UserError(
            f"The table must have at least one feature column besides the target. Received: {target!r} alone"
        )
    frame, messages = clean(frame, target, duplicates=duplicates, marked=missing_counts.get(target))
    if test_table is None:
        return frame, None, messages
    test = _normalize_dtypes(read_frame(test_table, **read_options))
    check_columns(test, list(frame.columns), "test table")
    test, test_messages = clean(test[list(frame.columns)], target, duplicates="keep", what="test table")
    frame, overlap_messages = without(frame, test)
    return frame, test, messages + overlap_messages + test_messages


def table_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> Rows:
    """Preprocess the rows of a table once and return them as a dataset."""
    from tfkit.datasets.batch_predict import predict

    if isinstance(frame, disk.DiskTable):
        return encoded_rows(frame, info, prepare)
    raw, unreadable = raw_rows(frame, info)
    for name, count in unreadable.items():  # a smaller number of cells is reported when the column schema is fitted
        if count == frame[name].notna().sum():
            log.warning(
                "%s: none of the %d cells of a split matches the column type of the training data; "
                "all count as missing",
                name,
                count,
            )
    y = read_target(frame, info["target"])
    if info["task"] == "regression":
        y = ((y - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    return Rows(predict(prepare, raw), y, raw=raw).named(frame.index.to_numpy() + 1)


def read_table(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read rows as the saved model takes them, validated against the training schema.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        info: The result of `learn_table`.
        target: Whether to return the targets too. Rows without a target are dropped, with a warning.
        own: Whether to return the columns of the source too, to write them next to the predictions.

    Returns:
        A dictionary of arrays `(rows, 1)`, float32 with NaN or strings with "" where missing; with `target`, also the
        class codes or values `(rows,)`; with `own`, also a DataFrame of the unchanged cells.

    Raises:
        UserError: If there are no rows (with `target`, no rows with a target), a required column is missing, or none of
            the cells of a column matches the column type of the training data.
    """
    source_columns = read_frame(source, **{**info["reading"], "missing": []}) if own else None
    frame = read_frame(source if source_columns is None else source_columns, **info["reading"])
    check_columns(frame, [*_feature_columns(info), *([info["target"]["name"]] if target else [])])
    if target:
        frame = _drop_missing_target(frame, info["target"]["name"])
    y = read_target(frame, info["target"]) if target else None
    validator = Held(info)
    raw = validator.raw(frame)
    validator.say()
    extras = [value for is_requested, value in ((target, y), (own, source_columns)) if is_requested]
    return (raw, *extras) if extras else raw


def read_table_blocks(file: Any, info: Mapping[str, Any]) -> "_ValidatedChunks | None":
    """Read a large file in chunks, like `read_table` with `own`.

    Returns:
        None if the file must be read at once. Otherwise an iterable of pairs: model inputs and source columns of a
        chunk. Its attribute `done` is the fraction of the file that has been read. After the last chunk it logs the
        same warnings as `read_table`.
    """
    from tfkit.data.blocks import LEAST, Blocks, Whole, worth_it

    path = worth_it(file, LEAST)
    try:
        return None if path is None else _ValidatedChunks(Blocks(path, **{**info["reading"], "missing": []}), info)
    except Whole:
        return None


class _ValidatedChunks:
    """Chunks of a file, converted to validated model inputs."""

    def __init__(self, chunks: "Blocks", info: Mapping[str, Any]):
        self.chunks, self.info = chunks, info

    @property
    def done(self) -> float:
        """The fraction of the file that has been read, in `[0, 1]`."""
        return self.chunks.done

    def __iter__(self) -> Iterator[tuple[dict[str, np.ndarray], "pd.DataFrame"]]:
        validator = Held(self.info)
        for source_columns in self.chunks:
            frame = read_frame(source_columns, **self.info["reading"])
            check_columns(frame, _feature_columns(self.info))
            frame.index = source_columns.index
            yield validator.raw(frame), source_columns
        validator.say()


read_table.blocks = read_table_blocks  # type: ignore[attr-defined]


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


def check_columns(frame: Any, names: Iterable[str], table_name: str = "table") -> None:
    """Raise if a table lacks one of the columns, and suggest the nearest name."""
    available = dict.fromkeys(str(column) for column in frame.columns)
    absent = [name for name in dict.fromkeys(names) if name not in available]
    if absent:
        columns = f"the column {absent[0]!r}" if len(absent) == 1 else f"the columns {listed(absent)}"
        hint = nearest(absent[0], available) or (
            " If it has more than one column, give delimiter=." if len(available) == 1 else ""
        )
        raise UserError(f"The {table_name} must have {columns}.{hint} Received: {listed(available)}")


def _normalize_dtypes(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Convert every column to float64, datetime64 or strings (`cells.plain`)."""
    import pandas as pd

    normalized = pd.DataFrame({name: cells.plain(column) for name, column in frame.items()}, index=frame.index)
    normalized.attrs = frame.attrs
    return normalized
