"""A table with a time column becomes series on a grid of even steps; what is not there is named."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfkit.data import columns, dates, frequencies, numbers
from tfkit.data.cells import plain, spelled
from tfkit.data.files import read_marked
from tfkit.data.tables import check_columns
from tfkit.data.targets import listed
from tfkit.errors import UserError

TIMES = ("date", "time", "datetime", "timestamp", "ds", "month", "year", "day", "week", "period")  # names of columns
SPARSE = 0.5  # share of the steps between a series' first and last that may be missing at most


class History(NamedTuple):
    """Series on one grid, one after another.

    `values` `(steps,)` and `known` `(steps, columns)` are NaN where nothing was there; `ticks` are the places on the
    grid and `series` the numbers of the series, in `names`. Each series has every tick from its first row to its last.
    """

    names: list[str]
    values: np.ndarray
    known: np.ndarray
    ticks: np.ndarray
    series: np.ndarray

    def only(self, kept: np.ndarray) -> "History":
        """The steps that are marked."""
        rest = (array[kept] for array in (self.values, self.known, self.ticks, self.series))
        return History(self.names, *rest)

    def spans(self) -> list[slice]:
        """Where the steps of each series lie; nowhere for one that has none."""
        found: Any = np.searchsorted(self.series, np.arange(len(self.names) + 1))
        ends = [int(end) for end in found]
        return [slice(begin, end) for begin, end in zip(ends[:-1], ends[1:], strict=True)]


def learn_rules(
    table: Any,
    *,
    target: Sequence[str] = (),
    time_column: str | None = None,
    series_column: str | None = None,
    known: Sequence[str] = (),
    leave_out: Iterable[str] = (),
    reading: Mapping[str, Any] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Read a table and say which column is what, and how it is read.

    Args:
        table: Whatever `read_frame` takes.
        target: Columns to forecast; none for every column of numbers that is nothing else. With a `series_column` one.
        time_column: The column of times; None for the first that holds dates.
        series_column: In a long table the column that says which series a row is of; None for a series a column.
        known: Columns whose future is known.
        leave_out: Columns that are not used.
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows, and the rules, fit for JSON.

    Raises:
        UserError: If a column is not there, holds something else, or is named twice.
    """
    frame, _ = read_marked(table, **(reading or {}))
    named = [*target, *known, *leave_out, *(name for name in (time_column, series_column) if name)]
    check_columns(frame, named)
    twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if twice:
        raise UserError(
            "A column is one thing: the time, the series, a target, known ahead, or left out. "
            f"Received: {listed(twice)}, named more than once"
        )
    frame = frame.assign(**{name: plain(column) for name, column in frame.items()})
    time = _learn_time(frame, time_column, [name for name in frame if name not in named])
    rest = [name for name in frame if name not in {*named, time["column"]}]
    values = {name: _value_rule(frame[name]) for name in (target or rest)}
    if not values:
        raise UserError(
            f"The table must have a column of numbers to forecast beside the time. Received: {listed(frame)}"
        )
    if series_column and len(values) > 1:
        raise UserError(
            f"A table with series_column= has one column to forecast; name it with target=. Received: {listed(values)}"
        )
    ahead = {name: _value_rule(frame[name], "known ahead") for name in known}
    return frame, {"time": time, "series_column": series_column, "target": values, "known": ahead}


def history(frame: Any, rules: Mapping[str, Any]) -> tuple[History, dict[str, Any], list[str]]:
    """Series on a grid from a table's rows.

    Args:
        frame: The rows, of plain cells.
        rules: What `learn_rules` gave; with `frequency`, the grid is that one.

    Returns:
        The history, the frequency, and what was done, in words.

    Raises:
        UserError: If a cell cannot be read, a time stands twice in a series, or times are not evenly spaced.
    """
    times, said = _times(frame, rules["time"]), []
    targets, column = list(rules["target"]), rules["series_column"]
    known = [_numbers(frame[name], rule) for name, rule in rules["known"].items()]
    ahead = np.stack(known, axis=1) if known else np.zeros((len(frame), 0))
    if column:
        words = spelled(frame[column])
        if (words == "").any():
            raise UserError(
                f"Every row must say which series it is of. Received: {column!r}, missing in "
                f"{int((words == '').sum()):,} of {len(words):,} rows"
            )
        names, codes = np.unique(words.astype(str), return_inverse=True)
        values = _numbers(frame[targets[0]], rules["target"][targets[0]])
    else:
        names, codes = np.array(targets), np.repeat(np.arange(len(targets)), len(frame))
        values = np.concatenate([_numbers(frame[name], rule) for name, rule in rules["target"].items()])
        times, ahead = np.tile(times, len(targets)), np.tile(ahead, (len(targets), 1))
    if (times[1:] < times[:-1])[codes[1:] == codes[:-1]].any():
        said.append("rows sorted by time: they did not stand in its order")
    order = np.lexsort((times, codes))
    times, codes, values, ahead = times[order], codes[order], values[order], ahead[order]
    _refuse_twice(times, codes, names, rules)
    rule = rules.get("frequency") or frequencies.find(times, codes)
    told, holes = _on_grid([str(name) for name in names], codes, frequencies.ticks(times, rule), values, ahead)
    if holes.any():
        said.append(_gaps(told, holes, rule, wide=not column))
    return told, rule, said


def trimmed(told: History, gaps: str) -> tuple[History, list[str]]:
    """Each series from its first value to its last, and what is missing between, in words."""
    there = ~np.isnan(told.values)
    size = len(told.names)
    first, last = np.full(size, np.iinfo("int64").max), np.full(size, -1)
    np.minimum.at(first, told.series[there], told.ticks[there])
    last[told.series[there]] = told.ticks[there]
    empty = [name for name, end in zip(told.names, last, strict=True) if end < 0]
    if len(empty) == size:
        raise UserError(f"There must be values in some rows at least. Received: {listed(empty)}, missing in every row")
    kept = told.only((told.ticks >= first[told.series]) & (told.ticks <= last[told.series]))
    said = [f"series without a value left out: {listed(empty)}"] if empty else []
    holes = int(np.isnan(kept.values).sum())
    if holes and gaps == "refuse":
        raise UserError(
            f"With gaps=refuse no value may be missing. Received: {holes:,} of {len(kept.values):,} steps without one"
        )
    if holes:
        how = {"last": "filled with the last value before", "linear": "filled along a line to the next"}[gaps]
        said.append(f"{holes:,} of {len(kept.values):,} values are missing: {how}, and never a target")
    return kept, said


def filled(told: History, how: str) -> tuple[History, np.ndarray]:
    """The history without holes, and which values were there, `(steps,)`.

    Args:
        told: What `history` gave; every series begins with a value.
        how: "last" repeats the last value that was there, which never looks ahead; "linear" draws a line to the next.

    Raises:
        UserError: If nothing is told of what is known ahead.
    """
    present = ~np.isnan(told.values)
    values = _forward(told.values, told.series)
    if how == "linear":
        for here in told.spans():
            there = np.flatnonzero(present[here])
            if len(there):
                values[here] = np.interp(np.arange(here.stop - here.start), there, told.values[here][there])
    known = (
        np.stack(
            [_forward(_forward(column, told.series)[::-1], told.series[::-1])[::-1] for column in told.known.T], axis=1
        )
        if told.known.size
        else told.known
    )
    lacking = told.series[np.isnan(known).any(axis=1)]
    if len(lacking):
        raise UserError(
            f"What is known ahead must be told in some rows of every series at least. Received: none for "
            f"{told.names[lacking[0]]!r}"
        )
    return told._replace(values=values, known=known), present


def _forward(values: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Each missing value replaced by the last one of its series that was there, if any."""
    there = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
    found = values[np.maximum(last, 0)]
    return np.where((last >= 0) & (series[np.maximum(last, 0)] == series), found, np.nan)


def _learn_time(frame: Any, name: str | None, free: Sequence[str]) -> dict[str, Any]:
    """The column of times and how they are written: dates, else numbers."""
    if name is None:
        likely = [column for column in free if column.lower().strip("_") in TIMES]
        for column in [*likely, *(column for column in free if column not in likely)]:
            rule = dates.find(frame[column].dropna(), asked=column in likely)
            if rule:
                return {"column": column, **rule}
        raise UserError(
            "The table must have a column of times; name it with time_column=, in which plain numbers "
            f"count steps. Received: {listed(frame)}, none of which holds dates"
        )
    cells = frame[name].dropna()
    rule = dates.find(cells, asked=True) or _number(cells)
    if not rule:
        some = listed(cells.astype(str).unique()[:3])
        raise UserError(
            f"The column of times must hold dates in a form that is known, such as 2024-01-31 12:00, or "
            f"numbers. Received: {name!r}, which holds {some or 'nothing'}"
        )
    return {"column": name, **rule}


def _number(cells: Any) -> dict[str, Any] | None:
    try:
        return columns.infer(cells, "number")
    except ValueError:
        return None


def _value_rule(cells: Any, what: str = "to forecast") -> dict[str, Any]:
    """How the numbers of a column are written."""
    present = cells.dropna()
    if not len(present):
        raise UserError(
            f"A column {what} must hold numbers; leave it out with leave_out=. Received: {cells.name!r}, which is empty"
        )
    if what == "known ahead" and (rule := columns.infer(cells))["kind"] == "yes/no":
        return rule
    found = _number(present)
    if found is None:
        read = numbers.read(present, numbers.rule_of())
        first = present[np.isnan(read)].iloc[0]
        raise UserError(
            f"A column {what} must hold numbers; mend its cells, leave it out with leave_out=, or say with "
            f"series_column= that it tells series apart. Received: {cells.name!r}, which holds "
            f"{str(first)!r}"
        )
    _numbers(cells, found)
    return found


def _numbers(cells: Any, rule: Mapping[str, Any]) -> np.ndarray:
    """Cells as float64, NaN where missing; one that is no finite number is refused."""
    if rule["kind"] == "yes/no" and "written" not in rule:
        words = columns.convert(cells, dict(rule))[0][""]
        values = np.where(words == rule["words"][1], 1.0, np.where(words == rule["words"][0], 0.0, np.nan))
    else:
        values = numbers.read(cells, rule)
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~(np.abs(values) <= columns.LARGEST) & cells.notna().to_numpy())
    if len(bad):
        row = int(cells.index[bad[0]]) + 1
        raise UserError(
            f"A column of numbers must hold finite numbers or nothing; mend or empty the others. "
            f"Received in {cells.name!r}: {str(cells.iloc[bad[0]])!r} in row {row:,} (line {row + 1:,} of "
            f"a CSV file), the first of {len(bad):,}"
        )
    return values


def _times(frame: Any, rule: Mapping[str, Any]) -> np.ndarray:
    """The time of every row; one that cannot be read is refused."""
    check_columns(frame, [rule["column"]])
    cells = frame[rule["column"]]
    times = dates.moments(cells, dict(rule)) if rule["kind"] == "date" else numbers.read(cells, rule)
    bad = np.flatnonzero(np.isnat(times) if rule["kind"] == "date" else ~np.isfinite(times))
    if len(bad):
        row = int(cells.index[bad[0]]) + 1
        what = "no time" if cells.isna().iloc[bad[0]] else repr(str(cells.iloc[bad[0]]))
        raise UserError(
            f"Every row must have a time that can be read; mend or remove the others. Received in "
            f"{rule['column']!r}: {what} in row {row:,} (line {row + 1:,} of a CSV file), the first of "
            f"{len(bad):,}"
        )
    return times


def _refuse_twice(times: np.ndarray, codes: np.ndarray, names: np.ndarray, rules: Mapping[str, Any]) -> None:
    twice = np.flatnonzero((times[1:] == times[:-1]) & (codes[1:] == codes[:-1]))
    if len(twice):
        first = frequencies.written(times[twice[0]])
        of = f" of {str(names[codes[twice[0]]])!r}" if rules["series_column"] else ""
        remedy = "" if rules["series_column"] else ", or name the column that tells series apart with series_column="
        count = len(np.unique(np.stack([times[twice].astype("int64"), codes[twice] * bool(of)]), axis=1)[0])
        raise UserError(
            f"A series must have one row a time; leave one of two out{remedy}. Received: {count:,} "
            f"time{'' if count == 1 else 's'} more than once, the first {first}{of}"
        )


def _on_grid(
    names: list[str], codes: np.ndarray, ticks: np.ndarray, values: np.ndarray, ahead: np.ndarray
) -> tuple[History, np.ndarray]:
    """Every step from each series' first row to its last, NaN where there is no row; and which these are."""
    each = np.arange(len(names))
    first, last = np.searchsorted(codes, each), np.searchsorted(codes, each, side="right") - 1
    lengths = ticks[last] - ticks[first] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = offsets[codes] + ticks - ticks[first][codes]
    wide: np.ndarray = np.full((offsets[-1], 1 + ahead.shape[1]), np.nan)
    wide[places] = np.concatenate([values[:, None], ahead], axis=1)
    series: np.ndarray = np.repeat(each, lengths)
    grid = np.arange(offsets[-1]) - offsets[series] + ticks[first][series]
    return History(names, wide[:, 0], wide[:, 1:], grid, series), np.bincount(places, minlength=len(series)) == 0


def _gaps(told: History, holes: np.ndarray, rule: Mapping[str, Any], wide: bool) -> str:
    """What is said of steps without a row; where they are most, the frequency is none."""
    if wide:  # the same of every series
        holes = holes[told.series == 0]
    missing, begins = np.flatnonzero(holes), holes & ~np.concatenate([[False], holes[:-1]])
    first = frequencies.written(frequencies.moments(told.ticks[missing[:1]], rule)[0])
    of = "" if wide else f" of {told.names[told.series[missing[0]]]!r}"
    if len(missing) > SPARSE * len(holes):
        raise UserError(
            f"Rows must come in even steps, of {frequencies.spoken(rule)} here, and most must be there. "
            f"Received: {len(missing):,} of {len(holes):,} steps without a row, the first {first}{of}"
        )
    gaps = f"{int(begins.sum()):,} gap{'' if begins.sum() == 1 else 's'}"
    return f"{len(missing):,} of {len(holes):,} steps have no row, in {gaps}, the first at {first}{of}"
