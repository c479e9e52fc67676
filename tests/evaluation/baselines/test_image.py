"""Tests of the baseline of images: logistic regression on downscaled grayscale pixels."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import tfkit
from tfkit.evaluation.baselines import dummy, linear_pixels
from tfkit.evaluation.baselines.image import _downscale
from tfkit.metadata import Metadata, Target

RANDOM = np.random.default_rng(0)
METADATA = Metadata(target=Target(task="classification", classes=["a", "b", "c"]))


def rows(count, side=20):
    pixels = RANDOM.integers(0, 256, (count, side, side, 3), dtype="uint8")
    y = RANDOM.integers(0, 3, count).astype("int32")
    pixels[np.arange(count), y] = 255  # the row of the bright line is the class
    return tfkit.ArrayDataset(pixels, y)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (16, 16), (32, 48), (20, 33)])
def test_downscaled_pixels_are_means(height, width):
    pixels = RANDOM.integers(0, 256, (2, height, width, 3), dtype="uint8")
    gray = pixels.mean(axis=-1)
    row_blocks = np.array_split(np.arange(height), min(16, height))
    downscaled = _downscale(pixels).reshape(2, min(16, height), min(16, width))
    if height % min(16, height) == 0 and width % min(16, width) == 0:
        column_blocks = np.array_split(np.arange(width), min(16, width))
        expected = [[[image[np.ix_(i, j)].mean() for j in column_blocks] for i in row_blocks] for image in gray]
        np.testing.assert_allclose(downscaled, expected, rtol=1e-5)
    assert downscaled.min() >= gray.min() - 1e-3
    assert downscaled.max() <= gray.max() + 1e-3


def test_baseline_is_logistic_regression_on_pixels():
    train, test = rows(400), rows(50)
    scaler = StandardScaler().fit(_downscale(train.arrays[0]))
    model = LogisticRegression(max_iter=200).fit(scaler.transform(_downscale(train.arrays[0])), train.arrays[1])
    expected = model.predict_proba(scaler.transform(_downscale(test.arrays[0])))
    y_pred = linear_pixels(train, test, METADATA)
    np.testing.assert_allclose(y_pred, expected, atol=2e-2)
    assert (y_pred.argmax(axis=1) == test.arrays[1]).mean() > 0.8


def test_dummy_of_images_is_the_class_frequency():
    train = rows(100)
    share = np.bincount(train.arrays[1], minlength=3) / 100
    np.testing.assert_allclose(dummy(train, rows(2), METADATA), [share, share])


def test_chunk_size_does_not_change_predictions(monkeypatch):
    train, test = rows(300), rows(30)
    single_chunk = linear_pixels(train, test, METADATA)
    monkeypatch.setattr("tfkit.evaluation.baselines.table.CHUNK_ROWS", 128)
    np.testing.assert_array_equal(linear_pixels(train, test, METADATA), single_chunk)
