"""Tests of the baselines of time series on synthetic series."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import tfkit
from tfkit.data.series.metadata import SeriesMetadata, SeriesSchema
from tfkit.evaluation.baselines import linear_series, nearest_neighbor
from tfkit.metadata import Target

RANDOM = np.random.default_rng(0)
REGRESSION = Target(mean=100.0, scale=10.0)


def rows(values, y):
    return tfkit.ArrayDataset(np.zeros(len(y)), np.asarray(y), raw={"series": np.asarray(values, "float32")})


def classes(*names):
    return Target(task="classification", classes=list(names))


def make_metadata(target, normalization, mean=0.0, std=1.0, dim=1):
    series = SeriesSchema(normalization=normalization, mean=[mean] * dim, std=[std] * dim)
    return SeriesMetadata(target=target, series=series)


def test_nearest_neighbor_equals_scikit_learn():
    x, y = RANDOM.normal(size=(60, 30, 1)), RANDOM.integers(0, 3, 60)
    x_test = RANDOM.normal(size=(300, 30, 1))
    metadata = make_metadata(classes("a", "b", "c"), "dataset", 0.3, 2.0)
    y_pred = nearest_neighbor(rows(x, y), rows(x_test, np.zeros(300, int)), metadata)
    expected = KNeighborsClassifier(1).fit(x[..., 0], y).predict(x_test[..., 0])
    np.testing.assert_array_equal(y_pred.argmax(axis=1), expected)
    np.testing.assert_allclose(y_pred.sum(axis=1), 1)
    np.testing.assert_allclose(y_pred.max(axis=1), 61 / 63)


def test_nearest_neighbor_predicts_numbers_in_units_of_the_user():
    x = np.arange(4.0)[:, None, None] * np.ones((4, 9, 1))
    y_pred = nearest_neighbor(
        rows(x, [-1.0, 0.0, 1.0, 2.0]), rows(x + 0.2, np.zeros(4)), make_metadata(REGRESSION, "none")
    )
    np.testing.assert_allclose(y_pred, [90, 100, 110, 120])


@pytest.mark.parametrize("baseline", [nearest_neighbor, linear_series])
def test_missing_values_unequal_lengths_and_missing_channels(baseline):
    """Rising and falling series of 10 to 40 steps with missing values; some have no second channel."""

    def series(count):
        y = RANDOM.integers(0, 2, count)
        raw = np.full((count, 40, 2), np.nan)
        for row, up in enumerate(y):
            steps = RANDOM.integers(10, 41)
            raw[row, :steps, 0] = np.linspace(0, 1 if up else -1, steps)
            raw[row, :steps, 1] = RANDOM.normal(size=steps) * 0.1
            raw[row, RANDOM.integers(0, steps, 3), 0] = np.nan
            raw[row, :, 1] *= np.nan if row % 5 == 0 else 1
        return rows(raw, y)

    metadata = make_metadata(classes("down", "up"), "dataset", dim=2)
    test = series(40)
    assert (baseline(series(60), test, metadata).argmax(axis=1) == test.arrays[1]).mean() > 0.95


def test_per_series_scaling_removes_level_and_amplitude():
    waves = np.stack([np.sin(np.arange(20.0)), np.cos(np.arange(20.0))])
    x = waves[np.arange(40) % 2, :, None]
    size, level = RANDOM.uniform(0.1, 10, (40, 1, 1)), RANDOM.normal(size=(40, 1, 1)) * 10
    train, test = rows(x, np.arange(40) % 2), rows(x * size + level, np.arange(40) % 2)
    per_series, unscaled = (
        nearest_neighbor(train, test, make_metadata(classes("sin", "cos"), normalization))
        for normalization in ("instance", "none")
    )
    assert (per_series.argmax(axis=1) == np.arange(40) % 2).all()
    assert (unscaled.argmax(axis=1) != np.arange(40) % 2).any()


def test_linear_model_uses_statistics():
    """Noise of two amplitudes: the standard deviation separates the classes, single values do not."""
    size = np.array([0.5, 2.0] * 60)
    x = RANDOM.normal(size=(120, 50, 1)) * size[:, None, None]
    train = rows(x, np.arange(120) % 2)
    metadata = make_metadata(classes("calm", "wild"), "none")
    test = rows(RANDOM.normal(size=(120, 50, 1)) * size[:, None, None], np.arange(120) % 2)
    assert (linear_series(train, test, metadata).argmax(axis=1) == np.arange(120) % 2).mean() > 0.95
