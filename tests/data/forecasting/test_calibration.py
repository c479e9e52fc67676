"""Tests of the calibration of prediction intervals."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tfkit.data.forecasting.calibration import calibrate_intervals, conformal_margins
from tfkit.data.forecasting.metadata import ForecastingMetadata
from tfkit.data.forecasting.preprocessing import make_postprocessor
from tfkit.datasets.windows import WindowDataset

QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]
WIDTHS = np.array([-1.96, -1.2816, 0, 1.2816, 1.96])


@pytest.mark.parametrize("std", [0.8, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("width", [0.0, 0.001, 1.0])
def test_the_margin_corrects_a_wrong_width(std, width):
    """The values are normal; intervals of no width get the width of the errors."""
    random = np.random.default_rng(0)
    values = random.normal(5, std, (4000, 10))
    y_pred = np.tile(5 + width * WIDTHS, (4000, 10, 1))
    expected = [(std - width) * 1.96, (std - width) * 1.2816]
    assert conformal_margins(values, y_pred, QUANTILES) == pytest.approx(expected, rel=0.03, abs=0.03)


def test_margins_are_in_units_of_the_window():
    random = np.random.default_rng(0)
    scale = 10.0 ** random.integers(-3, 4, 2000)
    values = random.normal(size=(2000, 5)) * scale[:, None]
    margins = conformal_margins(values, np.zeros((2000, 5, 5)), QUANTILES, scale=scale)
    assert margins == pytest.approx([1.96, 1.2816], rel=0.03)


def test_few_independent_values_require_a_wider_interval():
    values, y_pred = np.linspace(-1, 1, 2001)[None], np.tile([-0.2, -0.1, 0.0, 0.1, 0.2], (1, 2001, 1))
    for independent, coverages in ((None, (0.95, 0.8)), (40, (0.95 * 1.025, 0.8 * 1.025)), (10, (0.975, 0.88))):
        margins = conformal_margins(values, y_pred, QUANTILES, independent=independent)
        assert margins == pytest.approx([coverages[0] - 0.2, coverages[1] - 0.1], abs=2e-3)
    margins = conformal_margins(values, y_pred, QUANTILES, independent=2)
    root_mean_squared_error = 3**-0.5 * (1 + 1 / 3) ** 0.5  # of a uniform distribution, for three degrees of freedom
    assert margins[0] == pytest.approx(3.1824 * root_mean_squared_error - 0.2, abs=2e-3)


def test_an_interval_becomes_at_most_half_as_wide():
    values, y_pred = np.zeros((1, 100)), np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], (1, 100, 1))
    assert conformal_margins(values, y_pred, QUANTILES) == [-1.0, -0.5]
    assert conformal_margins(values, y_pred, QUANTILES, independent=5) == [0.0, 0.0]


def test_missing_values_and_windows_without_a_unit_are_ignored():
    y_pred, values = np.tile([-1.0, 0.0, 1.0], (2, 100, 1)), np.full((2, 100), 3.0)
    values[1] = 1000.0
    assert conformal_margins(values, y_pred, [0.1, 0.5, 0.9], scale=np.array([2.0, 0.0])) == [1.0]
    values[1] = np.nan
    assert conformal_margins(values, y_pred, [0.1, 0.5, 0.9]) == [2.0]
    assert conformal_margins(np.full((2, 100), np.nan), y_pred, [0.1, 0.5, 0.9]) == [0.0]
    assert conformal_margins(np.zeros((2, 100)), y_pred[..., :1], [0.5]) == []


def network(width):
    """A network with intervals of a constant width around 0."""
    past = keras.Input((3,), name="values")
    dense = keras.layers.Dense(6, kernel_initializer="zeros")
    model = keras.Model({"values": past}, keras.layers.Reshape((2, 3))(dense(past)))
    dense.bias.assign([-1.2816 * width, 0, 1.2816 * width] * 2)
    return model


def data_of(steps, level=0.0):
    values = np.random.default_rng(0).normal(level, 1, size=300).astype("float32")
    splits = {"val": (90, 90 + steps)}
    metadata = ForecastingMetadata(horizon=2, context_length=3, quantiles=[0.1, 0.5, 0.9], splits=splits)
    val = WindowDataset(values, np.arange(90, 90 + steps), context_length=3, horizon=2)
    return SimpleNamespace(val=val, metadata=metadata)


def coverage(postprocessor, model, data):
    x, values = data.val.take(np.arange(len(data.val)))[0], data.val.targets()["values"]
    y_pred = np.asarray(postprocessor({"outputs": model(x), "values": x["values"]}))
    return float(((y_pred[..., 0] <= values) & (values <= y_pred[..., 2])).mean())


@pytest.mark.parametrize("width", [0.0, 0.1, 1.0, 1.5])
@pytest.mark.parametrize("steps", [200, 19])
def test_intervals_are_calibrated_on_the_validation_windows(width, steps):
    data, model = data_of(steps), network(width)
    result = coverage(calibrate_intervals(model, data), model, data)
    if steps == 200:
        assert result == pytest.approx(0.8, abs=0.03)
    else:
        assert result >= 0.8  # few steps: the interval is wider


@pytest.mark.parametrize("width", [0.0, 0.5, 1.0])
def test_a_refit_model_gets_the_widths_that_the_model_before_needs(width):
    """The errors of the refit model on validation are too small: they are errors of training."""
    data, before, refit = data_of(200), network(0.3), network(width)
    expected = coverage(calibrate_intervals(before, data), before, data)
    result = coverage(calibrate_intervals(refit, data, reference=before), refit, data)
    assert result == pytest.approx(expected, abs=0.04)


def test_the_unit_with_the_narrower_intervals_is_used():
    """Errors are the same at every level: three past values say more about it by their mean than by their deviation."""
    assert calibrate_intervals(network(0), data_of(200, level=100.0)).get_layer("bands").unit == "level"


def test_the_postprocessor_sorts_quantiles_and_adds_margins():
    metadata = ForecastingMetadata(horizon=2, context_length=2, quantiles=[0.1, 0.5, 0.9], minimum=0.0)
    outputs, past = np.array([[[3.0, 1.0, 2.0], [0.5, 1.0, 4.0]]]), np.array([[1.0, 3.0]])
    y_pred = make_postprocessor(metadata, [0.5], "level")({"outputs": outputs, "values": past})
    np.testing.assert_allclose(y_pred, [[[0, 2, 4], [0, 1, 5]]])
