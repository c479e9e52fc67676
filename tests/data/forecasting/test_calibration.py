"""Tests of the calibration of prediction intervals."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tfkit.data.forecasting.calibration import calibrate_intervals, conformal_scale_factors
from tfkit.data.forecasting.metadata import ForecastingMetadata
from tfkit.data.forecasting.preprocessing import make_postprocessor
from tfkit.datasets.windows import WindowDataset

QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]
WIDTHS = np.array([-1.96, -1.2816, 0, 1.2816, 1.96])


@pytest.mark.parametrize("std", [0.5, 1.0, 3.0])
def test_the_factor_corrects_a_wrong_scale(std):
    """The values are normal, the intervals are those of a standard deviation of 1."""
    random = np.random.default_rng(0)
    values = random.normal(5, std, (4000, 10))
    y_pred = np.tile(5 + WIDTHS, (4000, 10, 1))
    assert conformal_scale_factors(values, y_pred, QUANTILES) == pytest.approx([std, std], rel=0.03)


def test_few_independent_values_require_a_wider_interval():
    values, y_pred = np.linspace(-1, 1, 2001)[None], np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], (1, 2001, 1))
    for independent, coverages in ((None, (0.95, 0.8)), (40, (0.95 * 1.025, 0.8 * 1.025)), (10, (0.975, 0.88))):
        factors = conformal_scale_factors(values, y_pred, QUANTILES, independent=independent)
        assert factors == pytest.approx([coverages[0] / 2, coverages[1]], abs=2e-3)


def test_sides_have_their_own_width_and_missing_values_are_ignored():
    y_pred = np.tile([-1.0, 0.0, 10.0], (1, 100, 1))
    values = np.r_[np.full(50, -2.0), np.full(50, 5.0)][None]
    assert conformal_scale_factors(values, y_pred, [0.1, 0.5, 0.9]) == [2.0]
    values[0, :50] = np.nan
    assert conformal_scale_factors(values, y_pred, [0.1, 0.5, 0.9]) == [0.5]


def test_an_interval_of_width_zero_is_not_scaled():
    y_pred = np.zeros((1, 100, 3))
    assert conformal_scale_factors(np.ones((1, 100)), y_pred, [0.1, 0.5, 0.9]) == [1.0]
    assert conformal_scale_factors(np.full((1, 100), np.nan), y_pred, [0.1, 0.5, 0.9]) == [1.0]
    assert conformal_scale_factors(np.zeros((1, 100)), y_pred[..., :1], [0.5]) == []


@pytest.mark.parametrize(("width", "steps", "factor"), [(0.1, 200, 10.0), (0.1, 19, 10.0), (5, 200, 0.2), (5, 19, 1.0)])
def test_intervals_are_calibrated_on_the_validation_windows(width, steps, factor):
    """On random steps and a network that is over- or underconfident; with few steps intervals only become wider."""
    values = np.random.default_rng(0).normal(size=300).astype("float32")
    metadata = ForecastingMetadata(horizon=2, quantiles=[0.1, 0.5, 0.9], splits={"val": (90, 90 + steps)})
    val = WindowDataset(values, np.arange(90, 90 + steps), context_length=3, horizon=2)
    past = keras.Input((3,), name="values")
    dense = keras.layers.Dense(6, kernel_initializer="zeros")
    model = keras.Model({"values": past}, keras.layers.Reshape((2, 3))(dense(past)))
    dense.bias.assign([-1.2816 * width, 0, 1.2816 * width] * 2)
    postprocessor = calibrate_intervals(model, SimpleNamespace(val=val, metadata=metadata))
    assert postprocessor.get_layer("bands").factors[0] == pytest.approx(factor, rel=0.4 if steps == 19 else 0.15)


def test_the_postprocessor_sorts_quantiles_and_scales_intervals():
    postprocessor = make_postprocessor(ForecastingMetadata(horizon=2, quantiles=[0.1, 0.5, 0.9]), [2.0])
    np.testing.assert_allclose(postprocessor(np.array([[[3.0, 1.0, 2.0], [0.0, 1.0, 4.0]]])), [[[0, 2, 4], [-1, 1, 7]]])
