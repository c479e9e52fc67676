"""Calendar features, known covariates and timestamps of the steps of a time grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.series_grid import SeriesGrid
from tfkit.errors import UserError, format_list


def select_calendar(
    calendar: Sequence[str] | str, frequency: Mapping[str, Any], train_steps: int, past: int
) -> list[str]:
    """Return the names of the calendar features to use, in their standard order.

    Args:
        calendar: Names of features; or "auto" for those of which the training steps contain two cycles, and the past
            does not.
        frequency: Result of `frequencies.find`.
        train_steps: Number of training steps.
        past: Number of steps that the model sees.

    Raises:
        UserError: If a name is unknown, or times are numbers.
    """
    if calendar == "auto":
        visible_in_past = frequencies.calendar(frequency, past)
        return [name for name in frequencies.calendar(frequency, train_steps) if name not in visible_in_past]
    unknown = [name for name in calendar if name not in frequencies.CYCLES]
    if unknown:
        raise UserError(
            f"`calendar` must name some of {', '.join(frequencies.CYCLES)}, or be auto. "
            f"Received: {format_list(unknown)}"
        )
    if calendar and frequency["unit"] == "number":
        raise UserError(
            f"Times that are plain numbers have no calendar features: use dates, or omit calendar_features=. "
            f"Received: {format_list(calendar)}"
        )
    return [name for name in frequencies.CYCLES if name in calendar]


def calendar_features(time_index: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
    """Return the calendar features of steps, `(steps, features)` float32."""
    distinct, inverse = np.unique(time_index, return_inverse=True)
    times = frequencies.moments(distinct, info["rules"]["frequency"])
    return frequencies.parts(times, info["inputs"]["calendar"]["parts"])[inverse]


def covariates(grid: SeriesGrid, info: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the calendar features and known covariates of every step, those that the model uses."""
    arrays = {}
    if "calendar" in info["inputs"]:
        arrays["calendar"] = calendar_features(grid.time_index, info)
    if info["known"]:
        arrays["known"] = grid.covariates
    return arrays


def series_timestamps(names: Sequence[str], codes: np.ndarray, time_index: np.ndarray, info: Mapping[str, Any]) -> Any:
    """Return a DataFrame with the series id and the time of each step.

    Args:
        names: Names of the series.
        codes: Index in `names` of each step.
        time_index: Position of each step on the grid.
        info: Result of `learn_history`.
    """
    import pandas as pd

    rules = info["rules"]
    distinct, inverse = np.unique(time_index, return_inverse=True)
    texts = [frequencies.written(time) for time in frequencies.moments(distinct, rules["frequency"])]
    id_column = rules["series_column"] or ("series" if len(names) > 1 else None)
    frame = pd.DataFrame({rules["time"]["column"]: np.array(texts, object)[inverse]})
    if id_column:
        frame.insert(0, id_column, np.array(names, object)[codes])
    return frame
