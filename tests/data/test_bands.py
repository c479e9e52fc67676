from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tfkit.data.bands import calibrate_bands, conformal_factors, restore_windows
from tfkit.data.windows import Windows

QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]
WIDTHS = np.array([-1.96, -1.2816, 0, 1.2816, 1.96])


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_a_band_is_made_as_wide_as_it_must_be(spread):
    """Of normal values whose spread is misjudged, the factor is the spread."""
    random = np.random.default_rng(0)
    values = random.normal(5, spread, (4000, 10))
    answer = np.tile(5 + WIDTHS, (4000, 10, 1))
    assert conformal_factors(values, answer, QUANTILES) == pytest.approx([spread, spread], rel=0.03)


def test_few_independent_values_ask_for_a_wider_band():
    values, answer = np.linspace(-1, 1, 2001)[None], np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], (1, 2001, 1))
    for independent, shares in ((None, (0.95, 0.8)), (40, (0.95 * 1.025, 0.8 * 1.025)), (10, (0.975, 0.88))):
        factors = conformal_factors(values, answer, QUANTILES, independent=independent)
        assert factors == pytest.approx([shares[0] / 2, shares[1]], abs=2e-3)


def test_each_side_counts_by_its_own_room_and_missing_values_do_not_count():
    answer = np.tile([-1.0, 0.0, 10.0], (1, 100, 1))
    values = np.r_[np.full(50, -2.0), np.full(50, 5.0)][None]
    assert conformal_factors(values, answer, [0.1, 0.5, 0.9]) == [2.0]
    values[0, :50] = np.nan
    assert conformal_factors(values, answer, [0.1, 0.5, 0.9]) == [0.5]


def test_a_band_without_room_stays_as_it_is():
    answer = np.zeros((1, 100, 3))
    assert conformal_factors(np.ones((1, 100)), answer, [0.1, 0.5, 0.9]) == [1.0]
    assert conformal_factors(np.full((1, 100), np.nan), answer, [0.1, 0.5, 0.9]) == [1.0]
    assert conformal_factors(np.zeros((1, 100)), answer[..., :1], [0.5]) == []


@pytest.mark.parametrize(("width", "steps", "factor"), [(0.1, 200, 10.0), (0.1, 19, 10.0), (5, 200, 0.2), (5, 19, 1.0)])
def test_bands_are_corrected_by_the_validation_windows(width, steps, factor):
    """Of steps of chance, foretold by a network that is too sure or not sure enough; of few steps, only made wider."""
    values = np.random.default_rng(0).normal(size=300).astype("float32")
    info = {"horizon": 2, "quantiles": [0.1, 0.5, 0.9], "splits": {"val": [90, 90 + steps]}}
    val = Windows(values, np.arange(90, 90 + steps), past=3, horizon=2)
    past = keras.Input((3,), name="values")
    told = keras.layers.Dense(6, kernel_initializer="zeros")
    model = keras.Model({"values": past}, keras.layers.Reshape((2, 3))(told(past)))
    told.bias.assign([-1.2816 * width, 0, 1.2816 * width] * 2)
    restore = calibrate_bands(model, SimpleNamespace(val=val, info=info))
    assert restore.get_layer("bands").factors[0] == pytest.approx(factor, rel=0.4 if steps == 19 else 0.15)


def test_restore_sorts_and_widens():
    restore = restore_windows({"horizon": 2, "quantiles": [0.1, 0.5, 0.9]}, [2.0])
    np.testing.assert_allclose(restore(np.array([[[3.0, 1.0, 2.0], [0.0, 1.0, 4.0]]])), [[[0, 2, 4], [-1, 1, 7]]])
