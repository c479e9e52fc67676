"""Series lie in a table with a row for each, in one with a row for each step, in a .ts file: all become the same."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.data import delimited, encodings, packing, series_ts
from tfkit.data.files import read_bytes, read_marked
from tfkit.data.frames import MISSING
from tfkit.data.series_steps import by_step
from tfkit.data.series_values import numeric
from tfkit.data.tables import check_columns
from tfkit.data.targets import listed
from tfkit.errors import UserError

log = logging.getLogger("tfkit")

TARGETS = ("label", "class", "target")  # what a column to predict may be called, where nothing is said


@dataclass(frozen=True)
class Series:
    """Whole series of one source: a table with a row for each, and beside it their values."""

    frame: Any  # what is known of each; its index is the number of each in `values`
    values: Sequence[np.ndarray]  # of each (steps, channels) float32, NaN where missing
    target: str | None  # the column of `frame` to predict, None where there is none
    channels: list[str]
    columns: list[str] | None = None  # of a table with a row for each, the columns that are its steps
    said: list[str] = field(default_factory=list)
    kind: str | None = None  # "class" or "number", where the source says what the target is

    def __len__(self) -> int:
        return len(self.frame)

    def having(self, frame: Any) -> "Series":
        """The same source with fewer rows."""
        return replace(self, frame=frame)

    def each(self) -> list[np.ndarray]:
        """The values of each row of the table."""
        return [self.values[number] for number in self.frame.index]


def find_series(
    source: Any,
    *,
    target: str | None = None,
    id_column: str | None = None,
    time_column: str | None = None,
    value_columns: Sequence[str] = (),
    keep: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    labelled: bool = True,
    columns: Sequence[str] | None = None,
    exact: bool = False,
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] | None = None,
) -> Series:
    """The series of a source, in the order in which they stand there.

    Args:
        source: A table with a row for each series (with names of columns or without: then the first has the target),
            a table with a row for each step, a `.ts` file; a path, a frame or a dictionary of columns; or an array
            `(rows, steps)` or `(rows, steps, channels)`, or a list of arrays `(steps,)` or `(steps, channels)`.
        target: The column to predict; None for the first one without a name, or for one that is called `label`,
            `class` or `target`.
        id_column: Says which series a step is of; with it, a row is a step.
        time_column: Says when a step was; None for the order in which they stand there.
        value_columns: The channels of a table with a row for each step; none for all other columns.
        keep: Columns that say something of a whole series, such as a group, where they are there.
        leave_out: Columns that are not used.
        labelled: Whether the target must be there.
        columns: The steps of a table with a row for each series, where they are known; those of a table without names
            are 1, 2, ..., and it may come without its target. None where they are not known.
        exact: Whether no other columns are steps.
        delimiter, encoding, missing: As in `read_frame`.

    Raises:
        UserError: If there are no series, a column is not there, or a value is no number.
    """
    if isinstance(source, np.ndarray | list | tuple):
        return _of_arrays(source)
    if isinstance(source, str | os.PathLike):
        frame, found = _of_file(Path(source).expanduser(), target, columns, delimiter, encoding, missing)
        if found is not None:
            return found
    else:
        frame, _ = read_marked(source, missing=missing)
    name = _target(frame, target, labelled)
    check_columns(frame, [name] if labelled and name else [])
    known = [column for column in dict.fromkeys([*([name] if name else []), *keep]) if column in frame.columns]
    frame = frame.drop(columns=[column for column in leave_out if column in frame.columns])
    if id_column is not None:
        check_columns(frame, [id_column, *([time_column] if time_column else []), *value_columns])
        about, values, channels, said = by_step(frame, id_column, time_column, list(value_columns), known)
        return Series(about, values, name if name in known else None, channels, said=said)
    steps = _steps([column for column in frame.columns if column not in known], columns if exact else None)
    if not steps:
        raise UserError(
            f"A table with a row for each series must have columns of numbers beside the target. "
            f"Received: {listed(frame.columns)}"
        )
    values = np.stack([numeric(frame[column]) for column in steps], axis=1)
    return Series(frame[known], values[..., None], name if name in known else None, ["value"], [*map(str, steps)])


def _steps(there: list[str], columns: Sequence[str] | None) -> list[str]:
    """Those columns that are steps, in the order in which they were learnt; all where no name was."""
    known = [name for name in columns or () if name in set(there)]
    if len(known) < len(there) and known:
        log.warning("Columns that were not there in training are not used: %s", listed(set(there) - set(known)))
    return known or there


def _of_arrays(source: Any) -> Series:
    import pandas as pd

    try:
        values = [np.asarray(one, "float32") for one in source]
        values = [one[:, None] if one.ndim == 1 else one for one in values]
    except (TypeError, ValueError):
        values = []
    if not values or any(one.ndim != 2 or one.shape[1] != values[0].shape[1] for one in values):
        raise UserError(
            "Series in memory must be an array (rows, steps) or (rows, steps, channels), or a list of "
            "arrays (steps,) or (steps, channels) of numbers. "
            f"Received: {type(source).__name__}"
        )
    frame = pd.DataFrame({"series": range(1, len(values) + 1)})
    return Series(frame, values, None, named(values[0].shape[1]))


def named(count: int) -> list[str]:
    """Names of channels that have none."""
    return ["value"] if count == 1 else [f"channel_{number + 1}" for number in range(count)]


def _of_file(
    path: Path,
    target: str | None,
    columns: Sequence[str] | None,
    delimiter: str | None,
    encoding: str | None,
    missing: Sequence[str] | None,
) -> tuple[Any, Series | None]:
    """The table of a file, or the series of a .ts file."""
    raw, name = packing.unpack(read_bytes(path), path)
    if raw.startswith(b"PAR1") or Path(name).suffix.lower() in (".jsonl", ".ndjson"):
        return read_marked(path, missing=missing)[0], None
    text, _ = encodings.to_utf8(raw, encoding, path)
    if not text or text.isspace():
        raise UserError(f"A file of series must hold some; this one is empty. Received: {path}")
    if series_ts.is_ts(text, name):
        name = target or TARGETS[0]
        frame, values, kind = series_ts.read(text.decode(), path, name)
        return None, Series(frame, values, name if kind else None, named(values[0].shape[1]), kind=kind)
    text, kind = text.lstrip(), "tsv" if ".tsv" in name.lower() else "csv"
    sign, cells = _first_line(text, delimiter)
    if not _is_header(cells, target, columns):
        label = [] if len(cells) == len(columns or ()) else [target or TARGETS[0]]
        names = [*label, *map(str, range(1, len(cells) + 1 - len(label)))]
        text = sign.join(names).encode() + b"\n" + text
    frame, _ = delimited.read(text, path, kind=kind, delimiter=sign if len(cells) > 1 else delimiter)
    return read_marked(frame, missing=missing)[0], None


def _first_line(text: bytes, delimiter: str | None) -> tuple[str, list[str]]:
    """The delimiter that cuts the first line into most cells, and these."""
    line = text.split(b"\n", 1)[0].decode().strip("\r")
    given = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    sign = given or max("\t,;|", key=line.count)
    return sign, [cell.strip().strip('"') for cell in line.split(sign)]


def _is_header(cells: list[str], target: str | None, columns: Sequence[str] | None) -> bool:
    """Whether these are names: the target's or those known, or words, or a word and numbers that go up evenly."""
    if target in cells or cells == list(columns or ()) or not all(map(_is_number, cells[1:])):
        return True
    steps = np.diff([float(cell) for cell in cells[1:] if cell not in MISSING])
    return not _is_number(cells[0]) and len(steps) > 1 and steps[0] > 0 and bool(np.allclose(steps, steps[0]))


def _is_number(cell: str) -> bool:
    """Whether a cell may be a value of a series."""
    try:
        float(cell)
    except ValueError:
        return cell in MISSING
    return True


def _target(frame: Any, target: str | None, labelled: bool) -> str | None:
    """The column to predict."""
    if target is not None:
        return target
    found = next((name for name in TARGETS if name in frame.columns), None)
    if found is None and labelled:
        raise UserError(
            f"Name the column to predict with target=, where none is called {', '.join(TARGETS)}. "
            f"Received: {listed(frame.columns)}"
        )
    return found
