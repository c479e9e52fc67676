"""Baselines of forecasts: the naive and the seasonal naive forecast."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def naive(train: Any, test: Any, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Naive forecast: the last past value at every step.

    Returns:
        Forecasts `(windows, horizon)`.

    Example:
        >>> import numpy as np, tfkit
        >>> windows = tfkit.WindowDataset(np.arange(10.0), [4], past=3, horizon=2)
        >>> naive(windows, windows, {"season": 2}).tolist(), seasonal_naive(windows, windows, {"season": 2}).tolist()
        ([[3.0, 3.0]], [[2.0, 3.0]])
    """
    return np.repeat(test.before(1), test.horizon, axis=1)


def seasonal_naive(train: Any, test: Any, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Seasonal naive forecast: the value of the same step in the last season.

    A season has `info["season"]` steps. If a series is shorter than a season, its last value is used.

    Returns:
        Forecasts `(windows, horizon)`.
    """
    season = info["season"]
    last = test.before(season)[:, np.arange(test.horizon) % season]
    return np.where(np.isnan(last), test.before(1), last)
