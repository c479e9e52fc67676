"""A table with a row for each step becomes series: each step in its place in time, each series with what is its own."""

from typing import Any

import numpy as np

from tfkit.data.cells import plain, spelled
from tfkit.data.series_values import numeric
from tfkit.data.splitting import read_times
from tfkit.data.targets import listed
from tfkit.errors import UserError


def by_step(
    frame: Any, id_column: str, time_column: str | None, value_columns: list[str], about: list[str]
) -> tuple[Any, list[np.ndarray], list[str], list[str]]:
    """What is known of each series, its values `(steps, channels)`, the channels, and what was done, in words.

    Series come in the order in which they begin, their steps in the order of time.

    Args:
        frame: A row for each step.
        id_column: Which series a step is of.
        time_column: When it was, a date or a number; None for the order of the rows.
        value_columns: The channels; none for all other columns.
        about: Columns that are the same in all rows of a series.

    Raises:
        UserError: If an id or a time is missing, a series has two steps at one time, or two cells of `about`.
    """
    import pandas as pd

    channels = value_columns or [str(name) for name in frame.columns if name not in {id_column, time_column, *about}]
    if not channels:
        raise UserError(
            f"A table with a row for each step must have columns of values beside id_column, time_column "
            f"and the target. Received: {listed(frame.columns)}"
        )
    if frame[id_column].isna().any():
        raise UserError(
            f"Every step must say which series it is of. Received: {int(frame[id_column].isna().sum()):,} "
            f"of {len(frame):,} rows without {id_column!r}"
        )
    codes, ids = pd.factorize(spelled(plain(frame[id_column])))
    times = _times(frame, time_column)
    order, said = np.lexsort((times, codes)), []
    same = np.diff(codes[order]) == 0
    twice = np.flatnonzero(same & (np.diff(times[order]) == 0))
    if len(twice):
        row = order[twice[0] + 1]
        raise UserError(
            f"A series must have one step at a time; mend or remove the others. Received: "
            f"{len(twice):,} more, the first of {id_column} {ids[codes[row]]!r} at "
            f"{str(frame[time_column].iloc[row])!r}"
        )
    placed = np.argsort(codes, kind="stable")
    back = (np.diff(codes[placed]) == 0) & (np.diff(times[placed]) < 0)
    if back.any():
        said.append(
            f"steps of {len(np.unique(codes[placed][1:][back])):,} of {len(ids):,} series were put in order of "
            f"{time_column}"
        )
    if time_column is not None:
        said += _uneven(np.diff(times[order])[same], time_column)
    values = np.stack([numeric(frame[name]) for name in channels], axis=1)[order]
    ends = np.cumsum(np.bincount(codes))[:-1]
    return _about(frame, codes, ids, id_column, about), np.split(values, ends), channels, said


def _times(frame: Any, time_column: str | None) -> np.ndarray:
    """When each step was."""
    if time_column is None:
        return np.arange(len(frame), dtype="float64")
    there = frame[time_column]
    return np.zeros(len(frame)) if there.notna().all() and there.nunique() == 1 else read_times(there)


def _uneven(steps: np.ndarray, time_column: str) -> list[str]:
    """What is said where steps are not equally long: they count the same all the same."""
    if not len(steps):
        return []
    usual = np.median(steps)
    other = int((np.abs(steps - usual) > 0.01 * usual).sum())
    return (
        [
            f"{other:,} of {len(steps):,} steps are longer or shorter than the usual {usual:g} of {time_column}; all "
            "count as one step"
        ]
        if other
        else []
    )


def _about(frame: Any, codes: np.ndarray, ids: Any, id_column: str, about: list[str]) -> Any:
    """One row for each series."""
    import pandas as pd

    rows = frame.groupby(codes, sort=True)
    for name in about:
        various = rows[name].nunique(dropna=True).to_numpy() > 1
        if various.any():
            one = frame.loc[codes == np.flatnonzero(various)[0], name].dropna().unique()
            raise UserError(
                f"A series must have one {name}, the same in all of its rows. Received: {id_column} "
                f"{ids[np.flatnonzero(various)[0]]!r} with {listed(one)}"
            )
    own = {name: rows[name].first().to_numpy() for name in about if name != id_column}
    return pd.DataFrame({id_column: np.asarray(ids, object), **own})
