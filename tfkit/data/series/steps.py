"""Group a table with one row per step into series, sorted by time."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfkit.data.columns.values import normalize_dtype, to_strings
from tfkit.data.rows.splits import read_times
from tfkit.data.series.values import parse_values
from tfkit.errors import UserError, format_list


def from_long_table(
    frame: Any, series_id_column: str, time_column: str | None, value_columns: list[str], static_columns: list[str]
) -> tuple[Any, list[np.ndarray], list[str], list[str]]:
    """Group the rows of a long table by series id.

    Series are in the order of their first rows, the steps of each in the order of time.

    Args:
        frame: A table with one row per step.
        series_id_column: The series id of each row.
        time_column: The time of each row, a date or a number; None for the order of the rows.
        value_columns: The channels; empty for all other columns.
        static_columns: Columns that are constant within a series.

    Returns:
        A DataFrame with id and static columns of each series, the values `(steps, channels)` of each series, the names
        of the channels, and messages about changes to the data.

    Raises:
        UserError: If an id or a time is missing, a series has two rows with the same time, or a static column has two
            values within one series.
    """
    import pandas as pd

    excluded = {series_id_column, time_column, *static_columns}
    channels = value_columns or [str(name) for name in frame.columns if name not in excluded]
    if not channels:
        raise UserError(
            f"A table with one row per step must have columns of values besides series_id_column, time_column "
            f"and the target. Received: {format_list(frame.columns)}"
        )
    if frame[series_id_column].isna().any():
        raise UserError(
            f"Every row must have a series id. Received: {int(frame[series_id_column].isna().sum()):,} "
            f"of {len(frame):,} rows without {series_id_column!r}"
        )
    codes, ids = pd.factorize(to_strings(normalize_dtype(frame[series_id_column])))
    times = _row_times(frame, time_column)
    messages = []
    order = np.lexsort((times, codes))
    same_series = np.diff(codes[order]) == 0
    duplicates = np.flatnonzero(same_series & (np.diff(times[order]) == 0))
    if len(duplicates):
        row = order[duplicates[0] + 1]
        raise UserError(
            f"A series must have at most one row per time; correct or remove duplicates. Received: "
            f"{len(duplicates):,} duplicate rows, the first of {series_id_column} {ids[codes[row]]!r} at "
            f"{str(frame[time_column].iloc[row])!r}"
        )
    by_series = np.argsort(codes, kind="stable")
    is_unsorted = (np.diff(codes[by_series]) == 0) & (np.diff(times[by_series]) < 0)
    if is_unsorted.any():
        num_unsorted = len(np.unique(codes[by_series][1:][is_unsorted]))
        messages.append(f"steps of {num_unsorted:,} of {len(ids):,} series sorted by {time_column}")
    if time_column is not None:
        messages += _uneven_step_messages(np.diff(times[order])[same_series], time_column)
    values = np.stack([parse_values(frame[name]) for name in channels], axis=1)[order]
    ends = np.cumsum(np.bincount(codes))[:-1]
    return (
        _static_frame(frame, codes, ids, series_id_column, static_columns),
        np.split(values, ends),
        channels,
        messages,
    )


def _row_times(frame: Any, time_column: str | None) -> np.ndarray:
    """Return the time of each row as a number."""
    if time_column is None:
        return np.arange(len(frame), dtype="float64")
    cells = frame[time_column]
    return np.zeros(len(frame)) if cells.notna().all() and cells.nunique() == 1 else read_times(cells)


def _uneven_step_messages(steps: np.ndarray, time_column: str) -> list[str]:
    """Describe time steps of unequal length; they are used as if they were equal."""
    if not len(steps):
        return []
    median = np.median(steps)
    num_uneven = int((np.abs(steps - median) > 0.01 * median).sum())
    if not num_uneven:
        return []
    return [
        f"{num_uneven:,} of {len(steps):,} time steps differ from the median step, {median:g} in {time_column}; all "
        "are used as steps of equal length"
    ]


def _static_frame(
    frame: Any, codes: np.ndarray, ids: np.ndarray, series_id_column: str, static_columns: Iterable[str]
) -> Any:
    """Return a DataFrame with one row per series: its id and its static columns."""
    import pandas as pd

    groups = frame.groupby(codes, sort=True)
    columns = {}
    for name in static_columns:
        varies = groups[name].nunique(dropna=True).to_numpy() > 1
        if varies.any():
            code = np.flatnonzero(varies)[0]
            cells = frame.loc[codes == code, name].dropna().unique()
            raise UserError(
                f"A series must have the same {name} in all of its rows. Received: {series_id_column} "
                f"{ids[code]!r} with {format_list(cells)}"
            )
        if name != series_id_column:
            columns[name] = groups[name].first().to_numpy()
    return pd.DataFrame({series_id_column: np.asarray(ids, object), **columns})
