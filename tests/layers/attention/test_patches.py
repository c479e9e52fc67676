import keras
import numpy as np
import pytest

from tests.layers.reference_conv import RANDOM, built, series, weights
from tfkit.layers import GlobalPooling, PatchEmbedding

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def starts(length, size, stride):
    """Return the starts of patches, until the last patch covers the end."""
    offsets = [0]
    while offsets[-1] + size < length:
        offsets.append(offsets[-1] + stride)
    return offsets


def reference(row, layer_weights, size, stride):
    """Compute patch by patch for one row without a batch axis, padded with zeros."""
    rank = row.ndim - 1
    padded = np.pad(row, [(0, size)] * rank + [(0, 0)])
    kernel, bias = layer_weights["project/kernel"], layer_weights["project/bias"]
    if rank == 1:
        return np.array([padded[t : t + size].ravel() @ kernel + bias for t in starts(len(row), size, stride)])
    positions = [(i, j) for i in starts(row.shape[0], size, stride) for j in starts(row.shape[1], size, stride)]
    return np.array([padded[i : i + size, j : j + size].ravel() @ kernel + bias for i, j in positions])


@pytest.mark.parametrize("time", [1, 4, 11, 12])
@pytest.mark.parametrize(("size", "stride"), [(4, None), (4, 2), (4, 3), (1, None), (5, 1)])
def test_series_patches_match_numpy(time, size, stride):
    layer, x = built(PatchEmbedding(size, 6, stride=stride), (None, None, 3)), rows(2, time, 3)
    expected = [reference(row, weights(layer), size, stride or size) for row in x.astype("float64")]
    np.testing.assert_allclose(layer(x), expected, **CLOSE)
    assert layer.compute_output_shape(x.shape) == np.shape(expected)


@pytest.mark.parametrize("shape", [(8, 12), (7, 3), (2, 9)])
@pytest.mark.parametrize(("size", "stride"), [(4, None), (4, 2), (3, 2), (1, None)])
def test_image_patches_match_numpy(shape, size, stride):
    layer, x = built(PatchEmbedding(size, 6, stride=stride), (None, None, None, 2)), rows(2, *shape, 2)
    expected = [reference(row, weights(layer), size, stride or size) for row in x.astype("float64")]
    np.testing.assert_allclose(layer(x), expected, **CLOSE)
    assert layer.compute_output_shape(x.shape) == np.shape(expected)


@pytest.mark.parametrize(("size", "stride"), [(4, None), (4, 2), (4, 3), (1, None), (5, 1)])
def test_padding_a_series_does_not_change_the_result(size, stride):
    layer = built(PatchEmbedding(size, 6, stride=stride), (None, None, 3))
    sequences, x, mask = series([9, 8, 7, 6, 5, 4, 2, 1], 3)
    outputs, output_mask = np.asarray(layer(x, mask=mask)), np.asarray(layer.compute_mask(x, mask))
    for i, row in enumerate(sequences):
        expected = reference(row, weights(layer), size, stride or size)
        assert output_mask[i].tolist() == [True] * len(expected) + [False] * (output_mask.shape[1] - len(expected))
        np.testing.assert_allclose(outputs[i, : len(expected)], expected, **CLOSE)


def test_padding_an_image_does_not_change_the_result():
    layer, small = built(PatchEmbedding(4, 6, stride=3), (None, None, None, 2)), rows(5, 9, 2)
    x, mask = np.full((2, 11, 12, 2), np.nan, "float32"), np.zeros((2, 11, 12), bool)
    x[0, :5, :9], mask[0, :5, :9] = small, True
    expected = reference(small.astype("float64"), weights(layer), 4, 3)
    output_mask = np.asarray(layer.compute_mask(x, mask))
    np.testing.assert_allclose(np.asarray(layer(x, mask=mask))[output_mask], expected, **CLOSE)
    assert np.isfinite(layer(x, mask=mask)).all()


def test_mask_is_used_and_passed_on():
    x = rows(2, 6, 3)
    x[1, 4:] = 0
    layer = PatchEmbedding(2, 5)
    outputs = layer(keras.layers.Masking()(x))
    np.testing.assert_array_equal(outputs._keras_mask, [[True] * 3, [True, True, False]])


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_mask_is_passed_on_in_a_model_of_variable_length(stride):
    inputs = keras.Input((None, 3))
    x = PatchEmbedding(3, 5, stride=stride)(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, GlobalPooling("mean")(x))
    _, padded, mask = series([9, 4, 2], 3)
    padded = np.where(mask[..., None], padded, 0)
    for row, length in zip(padded, (9, 4, 2), strict=True):
        np.testing.assert_allclose(model(row[None]), model(row[None, :length]), **CLOSE)


def test_number_of_weights():
    series_layer, image_layer = PatchEmbedding(4, 6, stride=2), PatchEmbedding(4, 6)
    series_layer.build((None, None, 3))
    image_layer.build((None, 8, 8, 3))
    assert series_layer.count_params() == 4 * 3 * 6 + 6
    assert image_layer.count_params() == 4 * 4 * 3 * 6 + 6


def test_only_the_kernel_is_regularized():
    layer = built(PatchEmbedding(4, 6, l1=0.01, l2=0.1), (None, None, 3))
    kernel = weights(layer)["project/kernel"]
    assert float(sum(layer.losses)) == pytest.approx(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 0, "dim": 4}, "`patch_size` and `dim` must be at least 1. Received: patch_size=0, dim=4"),
        ({"patch_size": 4, "dim": 0}, "`patch_size` and `dim` must be at least 1. Received: patch_size=4, dim=0"),
        ({"patch_size": 4, "dim": 4, "stride": 5}, r"`stride` must be in \[1, patch_size\].* stride=5, patch_size=4"),
        ({"patch_size": 4, "dim": 4, "stride": 0}, r"`stride` must be in \[1, patch_size\].* stride=0, patch_size=4"),
        ({"patch_size": 4, "dim": 4, "l1": -1}, "`l1` and `l2` must be at least 0. Received: l1=-1, l2=0.0"),
        ({"patch_size": 4, "dim": 4, "l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatchEmbedding(**arguments)


@pytest.mark.parametrize("shape", [(None, 4), (None, 2, 3, 4, 5)])
def test_wrong_number_of_axes_raises(shape):
    with pytest.raises(ValueError, match=r"three axes .* or four .* Received: input_shape="):
        PatchEmbedding(2, 4).build(shape)
