import keras
import numpy as np
import pytest

from tests.layers.reference_conv import RANDOM, assert_rows, built, normalize, normalize_groups, pool, series, weights
from tfkit.layers import GlobalPooling
from tfkit.layers.masked_normalization import MaskedBatchNormalization, MaskedGroupNormalization, zero_masked

KINDS = pytest.mark.parametrize("kind", ["mean", "max"])


@KINDS
@pytest.mark.parametrize("shape", [(3, 5, 2), (3, 4, 5, 2)], ids=["series", "images"])
def test_pooling_matches_numpy(kind, shape):
    x = RANDOM.normal(size=shape).astype("float32")
    np.testing.assert_allclose(GlobalPooling(kind)(x), pool(x.astype("float64"), kind), rtol=1e-5, atol=1e-5)


@KINDS
def test_masked_steps_are_not_pooled(kind):
    rows, x, mask = series([4, 1, 6], 3)
    outputs = GlobalPooling(kind)(x, mask=mask)
    np.testing.assert_allclose(outputs, pool(rows, kind), rtol=1e-5, atol=1e-5)


@KINDS
def test_masked_positions_of_images_are_not_pooled(kind):
    x, mask = RANDOM.normal(size=(1, 4, 5, 2)).astype("float32"), RANDOM.uniform(size=(1, 4, 5)) < 0.5
    expected = pool([x[0][mask[0]].astype("float64")], kind)
    np.testing.assert_allclose(GlobalPooling(kind)(x, mask=mask), expected, rtol=1e-5, atol=1e-5)


@KINDS
def test_fully_masked_row_gives_zeros(kind):
    x = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(GlobalPooling(kind)(x, mask=np.zeros((2, 3), bool)), np.zeros((2, 4)))


def test_pooling_passes_no_mask_on():
    x = np.ones((2, 3, 4), "float32")
    assert getattr(GlobalPooling()(keras.layers.Masking()(x)), "_keras_mask", None) is None


@pytest.mark.parametrize("mask", [None, np.ones((1, 300, 300), bool)], ids=["all", "masked"])
def test_mean_in_half_precision_does_not_overflow(mask):
    x = np.full((1, 300, 300, 1), 2.0, "float16")  # the sum is 180,000, the largest float16 is 65,504
    np.testing.assert_allclose(GlobalPooling(dtype="float16")(x, mask=mask), [[2.0]])


def test_unknown_kind_raises():
    with pytest.raises(ValueError, match=r"`kind` must be 'mean' or 'max'. Received: 'sum'"):
        GlobalPooling("sum")


def test_batch_statistics_ignore_masked_steps():
    rows, x, mask = series([4, 1, 6], 5, padding_value=3.0)
    layer = built(MaskedBatchNormalization(momentum=0.8), x.shape)
    initial, all_steps = weights(layer), np.concatenate(rows)
    assert_rows(layer(x, mask=mask, training=True), normalize(rows, initial, training=True))
    for name, batch_value in (("moving_mean", all_steps.mean(0)), ("moving_variance", all_steps.var(0))):
        np.testing.assert_allclose(weights(layer)[name], 0.8 * initial[name] + 0.2 * batch_value, rtol=1e-5, atol=1e-5)
    assert_rows(layer(x, mask=mask), normalize(rows, weights(layer)))


@pytest.mark.parametrize("synchronized", [False, True])
def test_batch_normalization_without_mask_matches_keras(synchronized):
    x = RANDOM.normal(100.0, 1.0, size=(8, 40, 40, 3)).astype(
        "float32"
    )  # a mean much larger than the standard deviation
    layer = built(MaskedBatchNormalization(synchronized=synchronized), x.shape)
    keras_layer = keras.layers.BatchNormalization(synchronized=synchronized)
    keras_layer.build(x.shape)
    keras_layer.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x, training=True), keras_layer(x, training=True), rtol=1e-3, atol=2e-3)
    for actual, expected in zip(layer.get_weights(), keras_layer.get_weights(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_fully_masked_batch_is_finite():
    x = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    assert np.isfinite(MaskedBatchNormalization()(x, mask=np.zeros((2, 3), bool), training=True)).all()


def test_group_statistics_ignore_masked_steps():
    rows, x, mask = series([4, 1, 6], 6, padding_value=3.0)
    layer = built(MaskedGroupNormalization(2), x.shape)
    assert_rows(layer(x, mask=mask), normalize_groups(rows, weights(layer), 2))


def test_group_normalization_without_mask_matches_keras():
    x = RANDOM.normal(size=(2, 4, 4, 6)).astype("float32")
    layer, keras_layer = built(MaskedGroupNormalization(3), x.shape), keras.layers.GroupNormalization(3)
    keras_layer.build(x.shape)
    keras_layer.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), keras_layer(x))


def test_hide_sets_masked_steps_to_zero():
    x = np.array([[[1.0], [np.nan], [np.inf], [2.0]]], "float32")
    np.testing.assert_array_equal(zero_masked(x, np.array([[1, 0, 0, 1]])), [[[1.0], [0.0], [0.0], [2.0]]])
    assert zero_masked(x, None) is x
