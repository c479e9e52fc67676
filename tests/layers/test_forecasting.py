import numpy as np
import pytest

from tfkit.layers import CyclicEncoding, MovingAverage, QuantileBands, SeasonalNaive, WindowScaling, WindowStatistics

RANDOM = np.random.default_rng(0)
SERIES = RANDOM.normal(5, 3, (4, 10)).astype("float32")


@pytest.mark.parametrize("level", ["last", "mean"])
def test_statistics_of_a_window_are_those_of_numpy(level):
    expected = [[row[-1] if level == "last" else row.mean(), row.std()] for row in SERIES.astype("float64")]
    np.testing.assert_allclose(WindowStatistics(level)(SERIES), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 10), (4, 6, 3)])
def test_scaling_there_and_back_is_nothing(shape):
    x, statistics = RANDOM.normal(5, 3, shape).astype("float32"), WindowStatistics()(SERIES)
    scaled = WindowScaling()(x, statistics)
    column = np.asarray(statistics).reshape(4, 2, *[1] * (len(shape) - 1))
    np.testing.assert_allclose(scaled, (x - column[:, 0]) / column[:, 1], rtol=1e-4)
    np.testing.assert_allclose(WindowScaling(inverse=True)(scaled, statistics), x, rtol=1e-4)


def test_a_network_between_them_answers_in_whatever_units_it_is_asked():
    """Another unit, another zero: the same answer in it."""

    def answer(x):
        statistics = WindowStatistics("mean")(x)
        return WindowScaling(inverse=True)(np.tanh(WindowScaling()(x, statistics)), statistics)

    np.testing.assert_allclose(answer(1000 * SERIES - 70), 1000 * np.asarray(answer(SERIES)) - 70, rtol=1e-3)


def test_a_window_that_does_not_vary_is_finite_and_answered_by_its_level():
    statistics = WindowStatistics()(np.full((1, 5), 7.0))
    np.testing.assert_array_equal(WindowScaling()(np.full((1, 5), 7.0), statistics), np.zeros((1, 5)))
    np.testing.assert_array_equal(WindowScaling(inverse=True)(np.ones((1, 5)), statistics), np.full((1, 5), 7.0))


@pytest.mark.parametrize("size", [1, 2, 5, 25])
def test_a_moving_average_goes_on_beyond_the_ends(size):
    before = (size - 1) // 2
    wide = np.pad(SERIES.astype("float64"), [(0, 0), (before, size - 1 - before)], mode="edge")
    expected = np.stack([wide[:, i : i + size].mean(1) for i in range(10)], 1)
    np.testing.assert_allclose(MovingAverage(size)(SERIES), expected, rtol=1e-4)


@pytest.mark.parametrize(("season", "horizon"), [(1, 3), (4, 3), (4, 4), (4, 11), (10, 12)])
def test_the_last_season_comes_again(season, horizon):
    expected = [[row[len(row) - season + step % season] for step in range(horizon)] for row in SERIES]
    np.testing.assert_array_equal(SeasonalNaive(season, horizon)(SERIES), expected)


def test_the_calendar_lies_on_a_circle():
    x = np.array([[0.0, 0.0], [6.0, 3.5], [23.0, 6.0]])
    turn = 2 * np.pi * x / [24, 7]
    np.testing.assert_allclose(CyclicEncoding([24, 7])(x), np.concatenate([np.sin(turn), np.cos(turn)], 1), atol=1e-6)


def test_bands_are_ordered_and_their_ends_moved_from_the_median():
    x = RANDOM.normal(size=(3, 4, 5)).astype("float32")
    ordered = np.sort(x, axis=-1)
    expected = ordered[..., 2:3] + (ordered - ordered[..., 2:3]) * [2, 0.5, 1, 0.5, 2]
    np.testing.assert_allclose(QuantileBands([2.0, 0.5])(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(QuantileBands([])(x[..., :1]), x[..., :1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WindowStatistics("first"), "`level` must be 'last' or 'mean'. Received: 'first'"),
        (lambda: WindowScaling()(SERIES, SERIES), "must hold level and spread of each row.* shape \\(4, 10\\)"),
        (lambda: MovingAverage(0), "`kernel_size` must be at least 1. Received: 0"),
        (lambda: SeasonalNaive(0, 3), "must be at least 1. Received: season=0, horizon=3"),
        (lambda: CyclicEncoding([]), "at least one period"),
        (lambda: CyclicEncoding([0.0]), "each above 0"),
        (lambda: CyclicEncoding([24.0])(SERIES), "one number for each period. Received: periods=\\[24.0\\]"),
        (lambda: QuantileBands([-1.0]), "`factors` must be at least 0. Received: \\[-1.0\\]"),
        (lambda: QuantileBands([1.0])(SERIES), "two ends for each band. Received: factors=\\[1.0\\]"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
