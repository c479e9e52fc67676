"""What a forecast must beat: that nothing changes, and that all comes again as it was a season ago."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def naive(train: Any, test: Any, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Answer with the last value of the past, at every step; `(windows, horizon)`.

    Example:
        >>> import numpy as np, tfkit
        >>> windows = tfkit.Windows(np.arange(10.0), [4], past=3, horizon=2)
        >>> naive(windows, windows, {"season": 2}).tolist(), seasonal_naive(windows, windows, {"season": 2}).tolist()
        ([[3.0, 3.0]], [[2.0, 3.0]])
    """
    return np.repeat(test.before(1), test.horizon, axis=1)


def seasonal_naive(train: Any, test: Any, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Answer with the value of the same place in the last season, `info["season"]` steps long; `(windows, horizon)`.

    Where a series has not been there for a season, with its last value.
    """
    season = info["season"]
    last = test.before(season)[:, np.arange(test.horizon) % season]
    return np.where(np.isnan(last), test.before(1), last)
