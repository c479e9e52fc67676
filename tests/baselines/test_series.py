"""What a network for series must beat, on series whose answer is known."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import tfkit
from tfkit.baselines import linear_series, nearest_series

RANDOM = np.random.default_rng(0)
CLASSES = {"task": "multiclass", "target": {"classes": ["a", "b", "c"], "positive": None}}
NUMBER = {"task": "regression", "target": {"classes": None, "mean": 100.0, "scale": 10.0}}


def rows(values, y):
    return tfkit.Rows(np.zeros(len(y)), np.asarray(y), raw={"series": np.asarray(values, "float32")})


def scaled(how, mean=0.0, spread=1.0, dim=1):
    return {"series": {"scale": how, "mean": [mean] * dim, "spread": [spread] * dim}}


def test_the_nearest_series_is_that_of_scikit_learn():
    x, y = RANDOM.normal(size=(60, 30, 1)), RANDOM.integers(0, 3, 60)
    asked = RANDOM.normal(size=(300, 30, 1))
    answer = nearest_series(rows(x, y), rows(asked, np.zeros(300, int)), {**CLASSES, **scaled("train", 0.3, 2.0)})
    expected = KNeighborsClassifier(1).fit(x[..., 0], y).predict(asked[..., 0])
    np.testing.assert_array_equal(answer.argmax(axis=1), expected)
    np.testing.assert_allclose(answer.sum(axis=1), 1)
    np.testing.assert_allclose(answer.max(axis=1), 61 / 63)


def test_a_number_is_that_of_the_nearest_series_in_its_own_units():
    x = np.arange(4.0)[:, None, None] * np.ones((4, 9, 1))
    answer = nearest_series(rows(x, [-1.0, 0.0, 1.0, 2.0]), rows(x + 0.2, np.zeros(4)), {**NUMBER, **scaled("none")})
    np.testing.assert_allclose(answer, [90, 100, 110, 120])


@pytest.mark.parametrize("baseline", [nearest_series, linear_series])
def test_gaps_lengths_and_channels_without_a_value(baseline):
    """Rising and falling, 10 to 40 steps of them, with gaps; the second channel is missing in some."""

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

    info = {"task": "binary", "target": {"classes": ["down", "up"], "positive": "up"}, **scaled("train", dim=2)}
    test = series(40)
    assert (baseline(series(60), test, info).argmax(axis=1) == test.arrays[1]).mean() > 0.95


def test_level_and_size_do_not_matter_where_each_series_is_scaled_by_itself():
    course = np.stack([np.sin(np.arange(20.0)), np.cos(np.arange(20.0))])
    x = course[np.arange(40) % 2, :, None]
    size, level = RANDOM.uniform(0.1, 10, (40, 1, 1)), RANDOM.normal(size=(40, 1, 1)) * 10
    train, test = rows(x, np.arange(40) % 2), rows(x * size + level, np.arange(40) % 2)
    info = {"task": "binary", "target": {"classes": ["sin", "cos"], "positive": "sin"}}
    alone, together = (nearest_series(train, test, {**info, **scaled(how)}) for how in ("each", "none"))
    assert (alone.argmax(axis=1) == np.arange(40) % 2).all()
    assert (together.argmax(axis=1) != np.arange(40) % 2).any()


def test_the_linear_model_weighs_values_and_summaries():
    """Noise of two sizes: no value tells them apart, the deviation does."""
    size = np.array([0.5, 2.0] * 60)
    x = RANDOM.normal(size=(120, 50, 1)) * size[:, None, None]
    some = rows(x, np.arange(120) % 2)
    info = {"task": "binary", "target": {"classes": ["calm", "wild"], "positive": "wild"}, **scaled("none")}
    fresh = rows(RANDOM.normal(size=(120, 50, 1)) * size[:, None, None], np.arange(120) % 2)
    assert (linear_series(some, fresh, info).argmax(axis=1) == np.arange(120) % 2).mean() > 0.95
