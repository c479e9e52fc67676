"""Baselines of forecasts: the naive and the seasonal naive forecast."""

from typing import Any

import numpy as np

from tfkit.metadata import Metadata


def naive(train: Any, test: Any, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Naive forecast: the last past value at every step.

    Returns:
        Forecasts `(windows, horizon)`.

    Example:
        >>> import numpy as np, tfkit
        >>> windows = tfkit.WindowDataset(np.arange(10.0), [4], context_length=3, horizon=2)
        >>> metadata = Metadata(season_length=2)
        >>> naive(windows, windows, metadata).tolist(), seasonal_naive(windows, windows, metadata).tolist()
        ([[3.0, 3.0]], [[2.0, 3.0]])
    """
    return np.repeat(test.history(1), test.horizon, axis=1)


def seasonal_naive(train: Any, test: Any, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Seasonal naive forecast: the value of the same step in the last season.

    A season has `metadata.season_length` steps. If a series is shorter than a season, its last value is used.

    Returns:
        Forecasts `(windows, horizon)`.
    """
    season = metadata.season_length
    last = test.history(season)[:, np.arange(test.horizon) % season]
    return np.where(np.isnan(last), test.history(1), last)
