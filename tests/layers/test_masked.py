import keras
import numpy as np
import pytest

from tests.layers.reference_conv import RANDOM, assert_rows, built, normalize, normalize_groups, pool, series, weights
from tfkit.layers import GlobalPooling
from tfkit.layers.masked import BatchNormalization, GroupNormalization, hide

KINDS = pytest.mark.parametrize("kind", ["mean", "max"])


@KINDS
@pytest.mark.parametrize("shape", [(3, 5, 2), (3, 4, 5, 2)], ids=["series", "pictures"])
def test_pooling_is_that_of_numpy(kind, shape):
    x = RANDOM.normal(size=shape).astype("float32")
    np.testing.assert_allclose(GlobalPooling(kind)(x), pool(x.astype("float64"), kind), rtol=1e-5, atol=1e-5)


@KINDS
def test_hidden_steps_are_not_pooled(kind):
    rows, x, mask = series([4, 1, 6], 3)
    said = GlobalPooling(kind)(x, mask=mask)
    np.testing.assert_allclose(said, pool(rows, kind), rtol=1e-5, atol=1e-5)


@KINDS
def test_hidden_parts_of_pictures_are_not_pooled(kind):
    x, mask = RANDOM.normal(size=(1, 4, 5, 2)).astype("float32"), RANDOM.uniform(size=(1, 4, 5)) < 0.5
    expected = pool([x[0][mask[0]].astype("float64")], kind)
    np.testing.assert_allclose(GlobalPooling(kind)(x, mask=mask), expected, rtol=1e-5, atol=1e-5)


@KINDS
def test_a_row_of_hidden_steps_alone_gives_zeros(kind):
    x = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(GlobalPooling(kind)(x, mask=np.zeros((2, 3), bool)), np.zeros((2, 4)))


def test_pooling_ends_the_mask():
    x = np.ones((2, 3, 4), "float32")
    assert getattr(GlobalPooling()(keras.layers.Masking()(x)), "_keras_mask", None) is None


@pytest.mark.parametrize("mask", [None, np.ones((1, 300, 300), bool)], ids=["all", "masked"])
def test_a_mean_in_half_precision_holds_more_than_half_precision_can(mask):
    x = np.full((1, 300, 300, 1), 2.0, "float16")  # the sum is 180,000, the largest float16 is 65,504
    np.testing.assert_allclose(GlobalPooling(dtype="float16")(x, mask=mask), [[2.0]])


def test_a_word_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"`kind` must be 'mean' or 'max'. Received: 'sum'"):
        GlobalPooling("sum")


def test_statistics_of_a_batch_are_of_true_steps():
    rows, x, mask = series([4, 1, 6], 5, hidden=3.0)
    layer = built(BatchNormalization(momentum=0.8), x.shape)
    before, together = weights(layer), np.concatenate(rows)
    assert_rows(layer(x, mask=mask, training=True), normalize(rows, before, training=True))
    for name, now in (("moving_mean", together.mean(0)), ("moving_variance", together.var(0))):
        np.testing.assert_allclose(weights(layer)[name], 0.8 * before[name] + 0.2 * now, rtol=1e-5, atol=1e-5)
    assert_rows(layer(x, mask=mask), normalize(rows, weights(layer)))


@pytest.mark.parametrize("synchronized", [False, True])
def test_without_a_mask_a_batch_is_that_of_keras(synchronized):
    x = RANDOM.normal(100.0, 1.0, size=(8, 40, 40, 3)).astype("float32")  # a mean that hides a variance worth having
    layer = built(BatchNormalization(synchronized=synchronized), x.shape)
    keras_own = keras.layers.BatchNormalization(synchronized=synchronized)
    keras_own.build(x.shape)
    keras_own.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x, training=True), keras_own(x, training=True), rtol=1e-3, atol=2e-3)
    for one, other in zip(layer.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_batch_of_hidden_steps_alone_is_finite():
    x = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    assert np.isfinite(BatchNormalization()(x, mask=np.zeros((2, 3), bool), training=True)).all()


def test_statistics_of_groups_are_of_true_steps():
    rows, x, mask = series([4, 1, 6], 6, hidden=3.0)
    layer = built(GroupNormalization(2), x.shape)
    assert_rows(layer(x, mask=mask), normalize_groups(rows, weights(layer), 2))


def test_without_a_mask_groups_are_those_of_keras():
    x = RANDOM.normal(size=(2, 4, 4, 6)).astype("float32")
    layer, keras_own = built(GroupNormalization(3), x.shape), keras.layers.GroupNormalization(3)
    keras_own.build(x.shape)
    keras_own.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), keras_own(x))


def test_what_is_hidden_is_zero_whatever_it_was():
    x = np.array([[[1.0], [np.nan], [np.inf], [2.0]]], "float32")
    np.testing.assert_array_equal(hide(x, np.array([[1, 0, 0, 1]])), [[[1.0], [0.0], [0.0], [2.0]]])
    assert hide(x, None) is x
