"""Series on a regular time grid, built from the rows of a table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.columns.values import to_strings
from tfkit.data.forecasting.columns import parse_numbers
from tfkit.data.forecasting.metadata import TableRules
from tfkit.data.forecasting.repeated_times import find_repeated_rows
from tfkit.data.forecasting.time_column import format_time, parse_times
from tfkit.errors import UserError, format_list

MAX_MISSING_FRACTION = 0.5  # of the steps between the first and the last row of a series


class SeriesGrid(NamedTuple):
    """Series on one time grid, concatenated.

    Each series has all steps from its first row to its last.

    Attributes:
        names: Names of the series.
        values: `(steps,)`, NaN where missing.
        covariates: Known covariates, `(steps, columns)`, NaN where missing.
        time_index: Position of each step on the grid, `(steps,)`.
        series_index: Index in `names` of the series of each step, `(steps,)`, ascending.
        is_observed: Mask of the values that are in the table, `(steps,)`; the others are missing, or filled.
    """

    names: list[str]
    values: np.ndarray
    covariates: np.ndarray
    time_index: np.ndarray
    series_index: np.ndarray
    is_observed: np.ndarray

    def select(self, mask: np.ndarray) -> "SeriesGrid":
        """Return the steps where the mask is true."""
        arrays = (self.values, self.covariates, self.time_index, self.series_index, self.is_observed)
        return SeriesGrid(self.names, *(array[mask] for array in arrays))

    def slices(self) -> list[slice]:
        """Return the slice of steps of each series; an empty slice for a series without steps."""
        ends: Any = np.searchsorted(self.series_index, np.arange(len(self.names) + 1))
        return [slice(begin, end) for begin, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def to_series_grid(frame: Any, rules: TableRules) -> tuple[SeriesGrid, dict[str, Any], list[str]]:
    """Arrange the rows of a table as series on a regular time grid.

    Args:
        frame: The rows, with cells of plain types.
        rules: Result of `infer_columns`; if it has a `frequency`, the grid of that frequency is used.

    Returns:
        The series, the frequency, and messages about changes to the data.

    Raises:
        UserError: If a cell cannot be parsed, a series has two rows with the same time, or times are not evenly spaced.
    """
    times, messages = parse_times(frame, rules.time), []
    targets, series_id_column = list(rules.target_columns), rules.series_id_column
    columns = [parse_numbers(frame[name], rule) for name, rule in rules.known_covariates.items()]
    covariates = np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))
    if series_id_column:
        ids = to_strings(frame[series_id_column])
        if (ids == "").any():
            raise UserError(
                f"Every row must have a series id. Received: {series_id_column!r}, missing in "
                f"{int((ids == '').sum()):,} of {len(ids):,} rows"
            )
        names, codes = np.unique(ids.astype(str), return_inverse=True)
        values = parse_numbers(frame[targets[0]], rules.target_columns[targets[0]])
    else:
        names, codes = np.array(targets), np.repeat(np.arange(len(targets)), len(frame))
        values = np.concatenate([parse_numbers(frame[name], rule) for name, rule in rules.target_columns.items()])
        times, covariates = np.tile(times, len(targets)), np.tile(covariates, (len(targets), 1))
    if (times[1:] < times[:-1])[codes[1:] == codes[:-1]].any():
        messages.append("rows sorted by time: they were not in order")
    order = np.lexsort((times, codes))
    times, codes, values, covariates = times[order], codes[order], values[order], covariates[order]
    is_local = not rules.time.get("zone")
    is_repeated, repeated_messages = find_repeated_rows(times, codes, values, covariates, is_local=is_local)
    times, codes, values, covariates = (array[~is_repeated] for array in (times, codes, values, covariates))
    messages += repeated_messages
    _check_duplicate_times(times, codes, names, rules)
    frequency = rules.frequency or frequencies.infer_frequency(times, codes, rules.time.get("zone"))
    time_index = frequencies.to_time_index(times, frequency)
    grid, is_missing = _on_grid([str(name) for name in names], codes, time_index, values, covariates)
    if is_missing.any():
        messages.append(_missing_rows_message(grid, is_missing, frequency, rules))
    return grid, frequency, messages


def trim_missing_ends(grid: SeriesGrid, method: str) -> tuple[SeriesGrid, list[str]]:
    """Trim each series to the steps from its first value to its last.

    Args:
        grid: Result of `to_series_grid`.
        method: How `fill_missing_values` fills missing values in between, or "error" to raise an error.

    Returns:
        The trimmed series, and messages about missing values.

    Raises:
        UserError: If no series has a value, or a value is missing and `method` is "error".
    """
    present = grid.is_observed
    size = len(grid.names)
    first, last = np.full(size, np.iinfo("int64").max), np.full(size, -1)
    np.minimum.at(first, grid.series_index[present], grid.time_index[present])
    last[grid.series_index[present]] = grid.time_index[present]
    empty = [name for name, end in zip(grid.names, last, strict=True) if end < 0]
    if len(empty) == size:
        raise UserError(f"At least one series must have values. Received: {format_list(empty)}, missing in every row")
    starts, ends = first[grid.series_index], last[grid.series_index]
    result = grid.select((grid.time_index >= starts) & (grid.time_index <= ends))
    messages = [f"series without values left out: {format_list(empty)}"] if empty else []
    num_missing = int(np.isnan(result.values).sum())
    if num_missing and method == "error":
        raise UserError(
            f"With fill_missing=error no value may be missing. Received: {num_missing:,} of {len(result.values):,} "
            "steps without a value"
        )
    if num_missing:
        filler = {"ffill": "the previous value", "linear": "linear interpolation"}[method]
        messages.append(
            f"{num_missing:,} of {len(result.values):,} values are missing: filled by {filler}, not used as targets"
        )
    return result, messages


def fill_missing_values(grid: SeriesGrid, method: str) -> SeriesGrid:
    """Fill missing values and covariates.

    Args:
        grid: Result of `trim_missing_ends`; every series begins with a value.
        method: "ffill" repeats the previous value, so that no future value is used; "linear" interpolates to the next.

    Raises:
        UserError: If a known covariate has no value in a series.
    """
    values = _forward_fill(grid.values, grid.series_index)
    if method == "linear":
        for steps in grid.slices():
            offsets = np.flatnonzero(grid.is_observed[steps])
            if len(offsets):
                values[steps] = np.interp(np.arange(steps.stop - steps.start), offsets, grid.values[steps][offsets])
    covariates = grid.covariates
    if covariates.size:
        covariates = np.stack(
            [_fill_forward_then_backward(column, grid.series_index) for column in covariates.T], axis=1
        )
    incomplete = grid.series_index[np.isnan(covariates).any(axis=1)]
    if len(incomplete):
        raise UserError(
            f"Known covariates must have at least one value in every series. Received: none for "
            f"{grid.names[incomplete[0]]!r}"
        )
    return grid._replace(values=values, covariates=covariates)


def _fill_forward_then_backward(values: np.ndarray, series_index: np.ndarray) -> np.ndarray:
    """Replace each missing value by the previous value of its series, or by the next at the start."""
    forward = _forward_fill(values, series_index)
    return _forward_fill(forward[::-1], series_index[::-1])[::-1]


def _forward_fill(values: np.ndarray, series_index: np.ndarray) -> np.ndarray:
    """Replace each missing value by the previous value of its series; NaN where there is none."""
    present = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(present, np.arange(len(values)), -1))
    source = np.maximum(last, 0)
    return np.where((last >= 0) & (series_index[source] == series_index), values[source], np.nan)


def _check_duplicate_times(times: np.ndarray, codes: np.ndarray, names: np.ndarray, rules: TableRules) -> None:
    """Raise an error if a series has two rows with the same time."""
    duplicates = np.flatnonzero((times[1:] == times[:-1]) & (codes[1:] == codes[:-1]))
    if len(duplicates):
        first = format_time(times[duplicates[0]], rules.time)
        origin = f" of {str(names[codes[duplicates[0]]])!r}" if rules.series_id_column else ""
        remedy = "" if rules.series_id_column else ", or name the series id column with series_id_column="
        keys = np.stack([times[duplicates].astype("int64"), codes[duplicates] * bool(origin)])
        count = len(np.unique(keys, axis=1)[0])
        raise UserError(
            f"A series must have one row per time; remove duplicates{remedy}. Received: {count:,} "
            f"time{'' if count == 1 else 's'} more than once, the first {first}{origin}"
        )


def _on_grid(
    names: Sequence[str], codes: np.ndarray, time_index: np.ndarray, values: np.ndarray, covariates: np.ndarray
) -> tuple[SeriesGrid, np.ndarray]:
    """Insert steps without a row, as NaN; return the series and which steps were inserted."""
    series_codes = np.arange(len(names))
    first, last = np.searchsorted(codes, series_codes), np.searchsorted(codes, series_codes, side="right") - 1
    lengths = time_index[last] - time_index[first] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    positions = offsets[codes] + time_index - time_index[first][codes]
    table: np.ndarray = np.full((offsets[-1], 1 + covariates.shape[1]), np.nan)
    table[positions] = np.concatenate([values[:, None], covariates], axis=1)
    series_index: np.ndarray = np.repeat(series_codes, lengths)
    full_index = np.arange(offsets[-1]) - offsets[series_index] + time_index[first][series_index]
    grid = SeriesGrid(list(names), table[:, 0], table[:, 1:], full_index, series_index, ~np.isnan(table[:, 0]))
    return grid, np.bincount(positions, minlength=len(series_index)) == 0


def _missing_rows_message(
    grid: SeriesGrid, is_missing: np.ndarray, frequency: Mapping[str, Any], rules: TableRules
) -> str:
    """Describe steps without a row.

    Raises:
        UserError: If most steps have no row, so that the frequency is wrong.
    """
    is_wide = not rules.series_id_column
    if is_wide:  # all series have the same rows
        is_missing = is_missing[grid.series_index == 0]
    missing, is_gap_start = np.flatnonzero(is_missing), is_missing & ~np.concatenate([[False], is_missing[:-1]])
    first = format_time(frequencies.to_timestamps(grid.time_index[missing[:1]], frequency)[0], rules.time)
    origin = "" if is_wide else f" of {grid.names[grid.series_index[missing[0]]]!r}"
    if len(missing) > MAX_MISSING_FRACTION * len(is_missing):
        raise UserError(
            f"Rows must be evenly spaced, by {frequencies.format_frequency(frequency)} in this table, and most steps "
            f"must have a row. Received: {len(missing):,} of {len(is_missing):,} steps without a row, the first "
            f"{first}{origin}"
        )
    num_gaps = int(is_gap_start.sum())
    gaps = f"{num_gaps:,} gap{'' if num_gaps == 1 else 's'}"
    return f"{len(missing):,} of {len(is_missing):,} steps have no row, in {gaps}, the first at {first}{origin}"
