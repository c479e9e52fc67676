import numpy as np
import pytest

from tfkit.datasets.windows import WindowDataset
from tfkit.evaluation.baselines import naive, seasonal_naive
from tfkit.metadata import Metadata

VALUES = np.arange(30.0)


@pytest.mark.parametrize("season", [1, 3, 5, 8])
def test_seasonal_naive_uses_the_last_season_or_the_last_value(season):
    """Two series with 20 and 10 steps; a season may be longer than the past of the network."""
    origins, horizon = [6, 12, 25], 7
    test = WindowDataset(
        VALUES,
        [o for o in origins if o + horizon <= 30],
        context_length=4,
        horizon=horizon,
        series=np.repeat([0, 1], [20, 10]),
    )
    origins = test.forecast_starts.tolist()
    begins = [0 if origin < 20 else 20 for origin in origins]
    expected = np.empty((len(origins), horizon))
    for row, (origin, begin) in enumerate(zip(origins, begins, strict=True)):
        for step in range(horizon):
            index = origin + step % season - season
            expected[row, step] = VALUES[index if index >= begin else origin - 1]
    np.testing.assert_array_equal(seasonal_naive(None, test, Metadata(season_length=season)), expected)
    last = np.repeat(VALUES[test.forecast_starts - 1], horizon).reshape(-1, horizon)
    np.testing.assert_array_equal(naive(None, test, Metadata(season_length=season)), last)
