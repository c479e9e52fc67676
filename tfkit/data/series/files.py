"""Read series from wide tables, long tables, `.ts` files and arrays into one representation."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.saved_index import saved_index_columns
from tfkit.data.files import compression, csv, text_encoding
from tfkit.data.files.csv_layout import WHITESPACE, comment_lines
from tfkit.data.files.normalize import DEFAULT_NA_VALUES
from tfkit.data.files.read import read_bytes, read_frame, read_messages
from tfkit.data.series import ts_format
from tfkit.data.series.steps import from_long_table
from tfkit.data.series.values import parse_values
from tfkit.errors import UserError, format_list

log = logging.getLogger("tfkit")

# settings of `find_series` that are stored for later files
READ_OPTIONS = frozenset(
    {"series_id_column", "time_column", "value_columns", "exclude_columns", "delimiter", "encoding", "na_values"}
)

TARGET_NAMES = ("label", "class", "target")  # default names of the target column, in order of preference


@dataclass(frozen=True)
class SeriesCollection:
    """The series of one source: a table with one row per series, and their values."""

    frame: Any  # ids, labels and static columns of each series; its index is the position in `values`
    values: Sequence[np.ndarray]  # of each series (steps, channels) float64, NaN where missing
    target: str | None  # the target column of `frame`, None if there is none
    channels: list[str]
    step_columns: list[str] | None = None  # of a wide table: the columns that are its steps
    messages: list[str] = field(default_factory=list)  # about changes to the data
    task: str | None = None  # "classification" or "regression", if the source declares it

    def __len__(self) -> int:
        return len(self.frame)

    def with_frame(self, frame: Any) -> "SeriesCollection":
        """Return the series of the rows of this frame, a subset of `self.frame`."""
        return replace(self, frame=frame)

    def arrays(self) -> list[np.ndarray]:
        """Return the values of each row of the frame."""
        return [self.values[index] for index in self.frame.index]


def find_series(
    source: Any,
    *,
    target: str | None = None,
    series_id_column: str | None = None,
    time_column: str | None = None,
    value_columns: Sequence[str] = (),
    static_columns: Sequence[str] = (),
    exclude_columns: Sequence[str] = (),
    require_target: bool = True,
    step_columns: Sequence[str] | None = None,
    ignore_unknown_columns: bool = False,
    delimiter: str | None = None,
    encoding: str | None = None,
    na_values: Sequence[str] | None = None,
) -> SeriesCollection:
    """Read the series of a source, in their original order.

    Args:
        source: A wide table with one row per series (with column names, or without: then the first column is the
            target), a long table with one row per step, or a `.ts` file; a path, a DataFrame or a dictionary of
            columns. Or an array `(rows, steps)` or `(rows, steps, channels)`, or a list of arrays `(steps,)` or
            `(steps, channels)`.
        target: The column to predict; None for the first column of a table without names, or for the one named
            `label`, `class` or `target`.
        series_id_column: The series id of each row of a long table; None for a wide table.
        time_column: The time of each row of a long table; None for the order of the rows.
        value_columns: The channels of a long table; empty for all other columns.
        static_columns: Columns that are constant within a series, such as a group; ignored where absent.
        exclude_columns: Columns that are not used.
        require_target: Whether the target column must exist.
        step_columns: The step columns of a wide table, if known from training. Those of a table without names are 1, 2,
            ..., and the table may come without its target. None if unknown.
        ignore_unknown_columns: Whether columns that are not in `step_columns` are ignored.
        delimiter, encoding, na_values: As in `read_frame`.

    Raises:
        UserError: If there are no series, a column does not exist, or a value is not a number.
    """
    if isinstance(source, np.ndarray | list | tuple) and not any(isinstance(row, Mapping) for row in source):
        return _from_arrays(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        frame, series = _from_file(path, target, step_columns, delimiter, encoding, na_values)
        if series is not None:
            return series
    else:
        frame = read_frame(source, na_values=na_values)
    name = _target_column(frame, target, require_target)
    require_columns(frame, [name] if require_target and name else [])
    static = [
        column for column in dict.fromkeys([*([name] if name else []), *static_columns]) if column in frame.columns
    ]
    frame = frame.drop(columns=[column for column in exclude_columns if column in frame.columns])
    target_column = name if name in static else None
    if series_id_column is not None:
        require_columns(frame, [series_id_column, *([time_column] if time_column else []), *value_columns])
        static_frame, values, channels, messages = from_long_table(
            frame, series_id_column, time_column, list(value_columns), static
        )
        return SeriesCollection(static_frame, values, target_column, channels, messages=read_messages(frame) + messages)
    candidates = [column for column in frame.columns if column not in static]
    index = [column for column in saved_index_columns(frame[candidates]) if column not in (step_columns or ())]
    candidates = [column for column in candidates if column not in index]
    messages = read_messages(frame) + [f"column {column} counts the rows: a saved index, not used" for column in index]
    steps = _select_steps(candidates, step_columns if ignore_unknown_columns else None)
    if not steps:
        raise UserError(
            f"A table with one row per series must have numeric columns besides the target. "
            f"Received: {format_list(frame.columns)}"
        )
    table = np.stack([parse_values(frame[column]) for column in steps], axis=1)
    return SeriesCollection(
        frame[static], table[..., None], target_column, ["value"], [*map(str, steps)], messages=messages
    )


def _select_steps(names: list[str], step_columns: Sequence[str] | None) -> list[str]:
    """Return the step columns among these names in the order of training; all names if none matches."""
    present = set(names)
    selected = [name for name in step_columns or () if name in present]
    if len(selected) < len(names) and selected:
        log.warning("Columns that were not in training are ignored: %s", format_list(present - set(selected)))
    return selected or names


def _from_arrays(source: Any) -> SeriesCollection:
    """Convert an array or a list of arrays to series."""
    import pandas as pd

    try:
        values = [np.asarray(array, "float64") for array in source]
        values = [array[:, None] if array.ndim == 1 else array for array in values]
    except (TypeError, ValueError):
        values = []
    if not values or any(array.ndim != 2 or array.shape[1] != values[0].shape[1] for array in values):
        raise UserError(
            "Series in memory must be an array (rows, steps) or (rows, steps, channels), or a list of "
            "arrays (steps,) or (steps, channels) of numbers. "
            f"Received: {type(source).__name__}"
        )
    frame = pd.DataFrame({"series": range(1, len(values) + 1)})
    return SeriesCollection(frame, values, None, _channel_names(values[0].shape[1]))


def _channel_names(num_channels: int) -> list[str]:
    """Return default channel names."""
    return ["value"] if num_channels == 1 else [f"channel_{index + 1}" for index in range(num_channels)]


def _from_file(
    path: Path,
    target: str | None,
    step_columns: Sequence[str] | None,
    delimiter: str | None,
    encoding: str | None,
    na_values: Sequence[str] | None,
) -> tuple[Any, SeriesCollection | None]:
    """Read a file: return its table and None, or None and the series of a .ts file."""
    raw, name = compression.decompress(read_bytes(path), path)
    if raw.startswith(b"PAR1") or Path(name).suffix.lower() in (".json", ".jsonl", ".ndjson"):
        return read_frame(path, na_values=na_values), None
    text, detected = text_encoding.to_utf8(raw, encoding, path)
    messages = text_encoding.encoding_message(detected, encoding)
    if not text or text.isspace():
        raise UserError(f"A file of series must contain series. Received: {path}, which is empty")
    if ts_format.is_ts(text, name):
        name = target or TARGET_NAMES[0]
        frame, values, task = ts_format.read(text.decode(), path, name)
        return None, SeriesCollection(
            frame, values, name if task else None, _channel_names(values[0].shape[1]), task=task
        )
    text = text.lstrip()
    offset, num_comments, _ = comment_lines(text)
    text = text[offset:].lstrip(b" \t") if offset else text
    messages += [f"{num_comments:,} comment lines above the series skipped"] if num_comments else []
    kind = "tsv" if ".tsv" in name.lower() else "csv"
    separator, cells = _first_line(text, delimiter)
    if not _is_header(cells, target, step_columns):
        label = [] if len(cells) == len(step_columns or ()) else [target or TARGET_NAMES[0]]
        names = [*label, *map(str, range(1, len(cells) + 1 - len(label)))]
        text = separator.join(names).encode() + b"\n" + text
        messages.append(
            f"the table has no column names; the first column is {label[0]}" if label else "no column names"
        )
    raw_frame, _ = csv.read(text, path, kind=kind, delimiter=separator if len(cells) > 1 else delimiter)
    frame = read_frame(raw_frame, na_values=na_values)
    frame.attrs["messages"] = messages + read_messages(raw_frame)
    return frame, None


def _first_line(text: bytes, delimiter: str | None) -> tuple[str, list[str]]:
    """Return the delimiter, by default the most frequent candidate, and the cells of the first line."""
    line = text.split(b"\n", 1)[0].decode().strip("\r")
    configured = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    separator = configured or max("\t,;|", key=line.count)
    if configured in (None, WHITESPACE) and separator not in line and len(line.split()) > 1:
        return WHITESPACE, line.split()
    return separator, [cell.strip().strip('"') for cell in line.split(separator)]


def _is_header(cells: list[str], target: str | None, step_columns: Sequence[str] | None) -> bool:
    """Return whether these cells are column names.

    They are, if they contain the target, equal the step columns, contain text after the first cell, or are a text
    followed by evenly increasing numbers.
    """
    if target in cells or cells == list(step_columns or ()) or not all(map(_is_number, cells[1:])):
        return True
    steps = np.diff([float(cell) for cell in cells[1:] if cell not in DEFAULT_NA_VALUES])
    return not _is_number(cells[0]) and len(steps) > 1 and steps[0] > 0 and bool(np.allclose(steps, steps[0]))


def _is_number(cell: str) -> bool:
    """Return whether a cell is a number or a missing value."""
    try:
        float(cell)
    except ValueError:
        return cell in DEFAULT_NA_VALUES
    return True


def _target_column(frame: Any, target: str | None, require_target: bool) -> str | None:
    """Return the name of the target column, by default the first of TARGET_NAMES that exists."""
    if target is not None:
        return target
    name = next((name for name in TARGET_NAMES if name in frame.columns), None)
    if name is None and require_target:
        raise UserError(
            f"Name the column to predict with target=, unless it is named {', '.join(TARGET_NAMES)}. "
            f"Received: {format_list(frame.columns)}"
        )
    return name
