import numpy as np
import pytest

from tfkit.layers import (
    ConformalQuantiles,
    CyclicEncoding,
    MovingAverage,
    SeasonalNaive,
    WindowScaling,
    WindowStatistics,
)

RANDOM = np.random.default_rng(0)
SERIES = RANDOM.normal(5, 3, (4, 10)).astype("float32")


@pytest.mark.parametrize("level", ["last", "mean"])
def test_window_statistics_match_numpy(level):
    expected = [[row[-1] if level == "last" else row.mean(), row.std()] for row in SERIES.astype("float64")]
    np.testing.assert_allclose(WindowStatistics(level)(SERIES), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 10), (4, 6, 3)])
def test_inverse_scaling_restores_the_input(shape):
    x, statistics = RANDOM.normal(5, 3, shape).astype("float32"), WindowStatistics()(SERIES)
    scaled = WindowScaling()(x, statistics)
    column = np.asarray(statistics).reshape(4, 2, *[1] * (len(shape) - 1))
    np.testing.assert_allclose(scaled, (x - column[:, 0]) / column[:, 1], rtol=1e-4)
    np.testing.assert_allclose(WindowScaling(inverse=True)(scaled, statistics), x, rtol=1e-4)


def test_predictions_are_equivariant_to_shift_and_scale():
    """Shifted and scaled inputs give equally shifted and scaled predictions."""

    def predict(x):
        statistics = WindowStatistics("mean")(x)
        return WindowScaling(inverse=True)(np.tanh(WindowScaling()(x, statistics)), statistics)

    np.testing.assert_allclose(predict(1000 * SERIES - 70), 1000 * np.asarray(predict(SERIES)) - 70, rtol=1e-3)


def test_constant_window_is_finite_and_predicts_its_level():
    statistics = WindowStatistics()(np.full((1, 5), 7.0))
    np.testing.assert_array_equal(WindowScaling()(np.full((1, 5), 7.0), statistics), np.zeros((1, 5)))
    np.testing.assert_array_equal(WindowScaling(inverse=True)(np.ones((1, 5)), statistics), np.full((1, 5), 7.0))


@pytest.mark.parametrize("size", [1, 2, 5, 25])
def test_moving_average_pads_with_edge_values(size):
    before = (size - 1) // 2
    padded = np.pad(SERIES.astype("float64"), [(0, 0), (before, size - 1 - before)], mode="edge")
    expected = np.stack([padded[:, index : index + size].mean(1) for index in range(10)], 1)
    np.testing.assert_allclose(MovingAverage(size)(SERIES), expected, rtol=1e-4)


@pytest.mark.parametrize(("season", "horizon"), [(1, 3), (4, 3), (4, 4), (4, 11), (10, 12)])
def test_seasonal_naive_repeats_the_last_season(season, horizon):
    expected = [[row[len(row) - season + step % season] for step in range(horizon)] for row in SERIES]
    np.testing.assert_array_equal(SeasonalNaive(season, horizon)(SERIES), expected)


def test_cyclic_encoding_is_sine_and_cosine():
    x = np.array([[0.0, 0.0], [6.0, 3.5], [23.0, 6.0]])
    angles = 2 * np.pi * x / [24, 7]
    np.testing.assert_allclose(
        CyclicEncoding([24, 7])(x), np.concatenate([np.sin(angles), np.cos(angles)], 1), atol=1e-6
    )


def test_quantiles_are_sorted_and_scaled_around_the_median():
    x = RANDOM.normal(size=(3, 4, 5)).astype("float32")
    ordered = np.sort(x, axis=-1)
    expected = ordered[..., 2:3] + (ordered - ordered[..., 2:3]) * [2, 0.5, 1, 0.5, 2]
    np.testing.assert_allclose(ConformalQuantiles([2.0, 0.5])(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ConformalQuantiles([])(x[..., :1]), x[..., :1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WindowStatistics("first"), "`level` must be 'last' or 'mean'. Received: 'first'"),
        (
            lambda: WindowScaling()(SERIES, SERIES),
            "must contain level and standard deviation of each row.* shape \\(4, 10\\)",
        ),
        (lambda: MovingAverage(0), "`kernel_size` must be at least 1. Received: 0"),
        (lambda: SeasonalNaive(0, 3), "must be at least 1. Received: season=0, horizon=3"),
        (lambda: CyclicEncoding([]), "at least one period"),
        (lambda: CyclicEncoding([0.0]), "each above 0"),
        (lambda: CyclicEncoding([24.0])(SERIES), "one number for each period. Received: periods=\\[24.0\\]"),
        (lambda: ConformalQuantiles([-1.0]), "`factors` must be at least 0. Received: \\[-1.0\\]"),
        (lambda: ConformalQuantiles([1.0])(SERIES), "two ends for each interval. Received: factors=\\[1.0\\]"),
    ],
)
def test_invalid_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()
