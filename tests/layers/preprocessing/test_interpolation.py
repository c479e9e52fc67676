"""Interpolation of missing values, compared with `numpy.interp`."""

import numpy as np

from tfkit.layers import InterpolateMissing

RANDOM = np.random.default_rng(0)


def interpolate(values):
    """Interpolate one channel with NumPy."""
    observed = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), observed, values[observed]) if len(observed) else np.zeros(len(values))


def test_gaps_are_interpolated_linearly():
    x = RANDOM.normal(size=(40, 15, 3)).astype("float32")
    x[RANDOM.random(x.shape) < RANDOM.random((40, 1, 3))] = np.nan
    x[0, 4:6, 0] = [np.inf, -np.inf]
    x[1, :, 1] = np.nan
    expected = np.apply_along_axis(interpolate, 1, x)
    np.testing.assert_allclose(InterpolateMissing()(x), expected, atol=1e-5)


def test_known_values_are_unchanged():
    x = (RANDOM.normal(size=(5, 9, 2)) * 1e30).astype("float32")
    np.testing.assert_array_equal(InterpolateMissing()(x), x)


def test_masked_values_are_ignored():
    x = np.array([[[1.0], [np.nan], [3.0], [np.nan], [99.0]]], "float32")
    filled_series = InterpolateMissing()(x, mask=np.array([[True, True, True, True, False]]))
    np.testing.assert_array_equal(np.ravel(filled_series)[:4], [1.0, 2.0, 3.0, 3.0])
