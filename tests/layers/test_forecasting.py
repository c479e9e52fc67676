import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

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


@pytest.mark.parametrize("unit", ["std", "level"])
def test_margins_are_added_to_sorted_quantiles(unit):
    x, past = RANDOM.normal(size=(3, 4, 5)).astype("float32"), RANDOM.normal(size=(3, 8)).astype("float32")
    ordered = np.sort(x, axis=-1)
    scale = (past.std(1) if unit == "std" else np.abs(past).mean(1))[:, None, None]
    expected = ordered + scale * [-2, -0.5, 0, 0.5, 2]
    np.testing.assert_allclose(ConformalQuantiles([2.0, 0.5], unit=unit)(x, past), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(ConformalQuantiles([])(x[..., :1], past), x[..., :1])


@hypothesis.given(margins=st.lists(st.floats(-5, 5), min_size=1, max_size=4), seed=st.integers(0, 1000))
@hypothesis.settings(max_examples=40, deadline=None)
def test_intervals_are_nested_whatever_the_margins_are(margins, seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(2, 3, 2 * len(margins) + 1)).astype("float32")
    y = np.asarray(ConformalQuantiles(margins)(x, random.normal(size=(2, 6)).astype("float32")))
    assert (np.diff(y, axis=-1) >= 0).all()
    np.testing.assert_array_equal(y[..., len(margins)], np.sort(x, axis=-1)[..., len(margins)])


def test_quantiles_have_the_bound_of_the_data_where_the_past_has():
    x, past = np.tile([-3.0, -1.0, 2.0], (2, 1, 1)), np.array([[0.0, 4.0], [-1.0, 4.0]])
    y = ConformalQuantiles([0.0], minimum=0.0)(x, past)
    np.testing.assert_array_equal(y, [[[0, 0, 2]], [[-3, -1, 2]]])


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
        (lambda: ConformalQuantiles([1.0], unit="mean"), "`unit` must be 'std' or 'level'. Received: 'mean'"),
        (
            lambda: ConformalQuantiles([1.0])(SERIES, SERIES),
            "two ends for each interval. Received: margins=\\[1.0\\]",
        ),
    ],
)
def test_invalid_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()
