"""Calendar features, known covariates and timestamps of the steps of a time grid."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.metadata import ForecastingMetadata, TableRules
from tfkit.data.forecasting.series_grid import SeriesGrid
from tfkit.data.forecasting.time_column import format_times
from tfkit.errors import UserError, format_list

if TYPE_CHECKING:
    import pandas as pd


def select_calendar_features(
    calendar_features: Sequence[str] | str, frequency: Mapping[str, Any], train_steps: int, context_length: int
) -> list[str]:
    """Return the names of the calendar features to use, in their standard order.

    Args:
        calendar_features: Names of features; or "auto" for those of which the training steps contain two cycles, and
            the past does not.
        frequency: Result of `frequencies.infer_frequency`.
        train_steps: Number of training steps.
        context_length: Number of past steps that the model sees.

    Raises:
        UserError: If a name is unknown, or times are numbers.
    """
    if calendar_features == "auto":
        visible_in_past = frequencies.learnable_calendar_features(frequency, context_length)
        return [
            name
            for name in frequencies.learnable_calendar_features(frequency, train_steps)
            if name not in visible_in_past
        ]
    unknown = [name for name in calendar_features if name not in frequencies.CALENDAR_DAYS]
    if unknown:
        raise UserError(
            f"`calendar_features` must name some of {', '.join(frequencies.CALENDAR_DAYS)}, or be auto. "
            f"Received: {format_list(unknown)}"
        )
    if calendar_features and frequency["unit"] == "number":
        raise UserError(
            f"Times that are plain numbers have no calendar features: use dates, or omit calendar_features=. "
            f"Received: {format_list(calendar_features)}"
        )
    return [name for name in frequencies.CALENDAR_DAYS if name in calendar_features]


def compute_calendar_features(time_index: np.ndarray, metadata: ForecastingMetadata) -> np.ndarray:
    """Compute the calendar features of steps, `(steps, features)` float32."""
    distinct, inverse = np.unique(time_index, return_inverse=True)
    times = frequencies.to_timestamps(distinct, metadata.frequency)
    names, zone = metadata.inputs["calendar"]["features"], metadata.time.get("zone")
    return frequencies.calendar_features(times, names, zone)[inverse]


def covariates(grid: SeriesGrid, metadata: ForecastingMetadata) -> dict[str, np.ndarray]:
    """Return the calendar features and known covariates of every step, those that the model uses."""
    arrays = {}
    if "calendar" in metadata.inputs:
        arrays["calendar"] = compute_calendar_features(grid.time_index, metadata)
    if metadata.known_covariates:
        arrays["known"] = grid.covariates.astype(metadata.inputs["known"]["dtype"])
    return arrays


def series_timestamps(
    names: Sequence[str], codes: np.ndarray, time_index: np.ndarray, rules: TableRules
) -> "pd.DataFrame":
    """Return a DataFrame with the series id and the time of each step.

    Args:
        names: Names of the series.
        codes: Index in `names` of each step.
        time_index: Position of each step on the grid.
        rules: Result of `load`, or the metadata.
    """
    import pandas as pd

    distinct, inverse = np.unique(time_index, return_inverse=True)
    texts = format_times(frequencies.to_timestamps(distinct, rules.frequency), rules.time)
    id_column = rules.series_id_column or ("series" if len(names) > 1 else None)
    frame = pd.DataFrame({name: np.array(column, object)[inverse] for name, column in texts.items()})
    if id_column:
        frame.insert(0, id_column, np.array(names, object)[codes])
    return frame
