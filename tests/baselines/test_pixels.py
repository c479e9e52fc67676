"""The baseline of pictures is logistic regression on small grey ones."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import tfkit
from tfkit.baselines import constant, linear_pixels
from tfkit.baselines.pixels import _small

RANDOM = np.random.default_rng(0)
INFO = {"task": "multiclass", "target": {"classes": ["a", "b", "c"]}}


def rows(count, side=20):
    pixels = RANDOM.integers(0, 256, (count, side, side, 3), dtype="uint8")
    y = RANDOM.integers(0, 3, count).astype("int32")
    pixels[np.arange(count), y] = 255  # a bright line says the class
    return tfkit.Rows(pixels, y)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (16, 16), (32, 48), (20, 33)])
def test_a_small_picture_is_made_of_means(height, width):
    pixels = RANDOM.integers(0, 256, (2, height, width, 3), dtype="uint8")
    grey = pixels.mean(axis=-1)
    down = np.array_split(np.arange(height), min(16, height))
    found = _small(pixels).reshape(2, min(16, height), min(16, width))
    if height % min(16, height) == 0 and width % min(16, width) == 0:
        across = np.array_split(np.arange(width), min(16, width))
        expected = [[[one[np.ix_(i, j)].mean() for j in across] for i in down] for one in grey]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.min() >= grey.min() - 1e-3
    assert found.max() <= grey.max() + 1e-3


def test_it_is_logistic_regression_on_their_pixels():
    train, test = rows(400), rows(50)
    scaler = StandardScaler().fit(_small(train.arrays[0]))
    model = LogisticRegression(max_iter=200).fit(scaler.transform(_small(train.arrays[0])), train.arrays[1])
    expected = model.predict_proba(scaler.transform(_small(test.arrays[0])))
    found = linear_pixels(train, test, INFO)
    np.testing.assert_allclose(found, expected, atol=2e-2)
    assert (found.argmax(axis=1) == test.arrays[1]).mean() > 0.8


def test_the_constant_of_pictures_is_the_share_of_each_class():
    train = rows(100)
    share = np.bincount(train.arrays[1], minlength=3) / 100
    np.testing.assert_allclose(constant(train, rows(2), INFO), [share, share])


def test_many_pictures_are_taken_a_block_at_a_time(monkeypatch):
    train, test = rows(300), rows(30)
    whole = linear_pixels(train, test, INFO)
    monkeypatch.setattr("tfkit.baselines.tables.BLOCK", 128)
    np.testing.assert_array_equal(linear_pixels(train, test, INFO), whole)
