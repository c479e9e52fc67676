import keras
import numpy as np
import pytest

from tfkit.layers import FastDropout


def dropped_mask(layer, *shape):
    """Return which units of an array of ones are dropped, and check the scale of the others."""
    outputs = np.asarray(layer(np.ones(shape, "float32"), training=True))
    np.testing.assert_allclose(outputs[outputs != 0], 1 / (1 - layer.bound / 65536), rtol=1e-6)
    return outputs == 0


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_dropout_rate_and_rescaling(rate):
    layer = FastDropout(rate)
    assert layer.bound / 65536 == pytest.approx(rate, abs=1 / 131072)
    sigma = (rate * (1 - rate) / 1e6) ** 0.5
    assert dropped_mask(layer, 1000, 1000).mean() == pytest.approx(rate, abs=5 * sigma + 1 / 131072)


def test_units_of_one_random_number_are_independent():
    pairs = dropped_mask(FastDropout(0.3), 500_000, 2)
    assert pairs.all(axis=1).mean() == pytest.approx(0.09, abs=0.003)  # sigma 0.0004
    assert pairs.any(axis=1).mean() == pytest.approx(1 - 0.49, abs=0.004)


@pytest.mark.parametrize("axes", [[1], [1, 2], [0], []])
def test_units_along_shared_axes_are_dropped_together(axes):
    mask = dropped_mask(FastDropout(0.5, shared_axes=axes), 7, 8, 9)
    first_units = mask[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(3))]
    np.testing.assert_array_equal(mask, np.broadcast_to(first_units, mask.shape))
    for axis in set(range(3)) - set(axes):
        assert mask.any(axis=axis).mean() > mask.mean()  # independent along the other axes


def test_identity_at_inference_and_with_rate_zero():
    x = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    np.testing.assert_array_equal(FastDropout(0.5)(x), x)
    np.testing.assert_array_equal(FastDropout(0.0)(x, training=True), x)
    assert not FastDropout(0.0).variables


def test_calls_differ_and_a_seed_reproduces_them():
    masks = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        layer = FastDropout(0.5)
        masks.append([dropped_mask(layer, 20, 20), dropped_mask(layer, 20, 20)])
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0][0] != masks[0][1]).any()


def test_rate_close_to_one_is_finite():
    assert np.isfinite(FastDropout(0.9999999)(np.ones((1000, 1000), "float32"), training=True)).all()


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_invalid_arguments_raise(rate):
    with pytest.raises(ValueError, match=rf"`dropout` must be in \[0, 1\). Received: {rate}"):
        FastDropout(rate)
