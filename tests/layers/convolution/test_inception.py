import keras
import numpy as np
import pytest

from tests.layers.reference_conv import (
    RANDOM,
    assert_rows,
    built,
    conv_block,
    inception_block,
    linear,
    pool,
    series,
    sublayer_weights,
    weights,
)
from tfkit.layers import ConvBlock, InceptionBlock, InceptionTime

SMALL = {"filters": 2, "kernel_sizes": [2, 3, 6], "bottleneck": 3, "activation": "tanh"}


@pytest.mark.parametrize("normalization", ["batch", "layer", None])
@pytest.mark.parametrize(("dim", "bottleneck"), [(4, 3), (4, 0), (1, 3)])
def test_block_matches_numpy(normalization, dim, bottleneck):
    x = RANDOM.normal(size=(3, 8, dim)).astype("float32")
    layer = built(InceptionBlock(**{**SMALL, "bottleneck": bottleneck}, normalization=normalization), x.shape)
    layer_weights = weights(layer)
    assert ("narrow/kernel" in layer_weights) == (dim == 4 and bottleneck == 3)
    for training in (False, True):
        expected = inception_block(x.astype("float64"), layer_weights, training=training)
        outputs = layer(x, training=training)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
        assert layer.compute_output_shape(x.shape) == tuple(outputs.shape) == (3, 8, 8)


@pytest.mark.parametrize("padding_value", [np.nan, 5.0])
def test_padding_does_not_change_a_block(padding_value):
    rows, x, mask = series([7, 1, 4], 3, padding_value)
    layer = built(InceptionBlock(**SMALL), x.shape)
    for training in (False, True):
        expected = inception_block(rows, weights(layer), training=training)
        assert_rows(layer(x, training=training, mask=mask), expected)
        assert np.isfinite(layer(x, training=training, mask=mask)).all()


def stack(rows, layer, shortcut_every, training):
    layer_weights, start = weights(layer), rows
    for index in range(len(layer.blocks)):
        rows = inception_block(rows, sublayer_weights(layer_weights, f"block_{index}"), training=training)
        if shortcut_every and (index + 1) % shortcut_every == 0:
            shortcut = conv_block(
                start,
                sublayer_weights(layer_weights, f"shortcut_{index // shortcut_every}"),
                training=training,
                activation=linear,
            )
            rows = start = [np.tanh(row + shortcut_row) for row, shortcut_row in zip(rows, shortcut, strict=True)]
    return rows


@pytest.mark.parametrize("pooling", ["mean", "max", None])
@pytest.mark.parametrize(("depth", "shortcut_every"), [(5, 2), (2, 0), (2, 3)])
def test_stack_matches_numpy_with_padding(depth, shortcut_every, pooling):
    rows, x, mask = series([7, 1, 4], 2)
    layer = built(InceptionTime(**SMALL, depth=depth, shortcut_every=shortcut_every, pooling=pooling), x.shape)
    for training in (False, True):
        outputs, expected = layer(x, training=training, mask=mask), stack(rows, layer, shortcut_every, training)
        if pooling:
            np.testing.assert_allclose(outputs, pool(expected, pooling), rtol=1e-5, atol=1e-5)
        else:
            assert_rows(outputs, expected)
    assert layer.compute_output_shape(x.shape) == tuple(outputs.shape)


def test_mask_is_passed_on_without_pooling_only():
    x, mask = series([5, 2], 2, padding_value=0.0)[1:]
    masked = keras.layers.Masking()(x)
    np.testing.assert_array_equal(InceptionBlock(**SMALL)(masked)._keras_mask, mask)
    np.testing.assert_array_equal(InceptionTime(**SMALL, depth=1, pooling=None)(masked)._keras_mask, mask)
    assert getattr(InceptionTime(**SMALL, depth=1)(masked), "_keras_mask", None) is None


@pytest.mark.parametrize(
    ("normalization", "weights_per_channel"), [("batch", 4), ("layer", 2), ("group", 2), (None, 1)]
)
def test_number_of_weights_of_a_block(normalization, weights_per_channel):
    for dim, conv_channels, bottleneck_weights in ((7, 5, 7 * 5), (1, 1, 0)):
        layer = InceptionBlock(6, [2, 9], bottleneck=5, normalization=normalization)
        layer.build((None, 20, dim))
        assert (
            layer.count_params()
            == bottleneck_weights + (2 + 9) * conv_channels * 6 + dim * 6 + weights_per_channel * 6 * 3
        )


def test_number_of_weights_of_a_stack_is_the_sum_over_blocks():
    def count(layer, dim):
        layer.build((None, 20, dim))
        return layer.count_params()

    block = InceptionBlock
    blocks = count(block(**SMALL), 2) + 4 * count(block(**SMALL), 8)
    shortcuts = count(ConvBlock(8, 1, rank=1), 2) + count(ConvBlock(8, 1, rank=1), 8)
    assert count(InceptionTime(**SMALL, depth=5, shortcut_every=2), 2) == blocks + shortcuts


def test_defaults_match_the_paper():
    layer = InceptionTime()
    layer.build((None, 50, 1))
    kernels = sum(value.size for path, value in weights(layer).items() if path.endswith("kernel"))
    convs = 70 * 32  # of kernels of 10, 20 and 40 steps
    first, later, shortcuts = convs * 1 + 1 * 32, convs * 32 + 128 * 32 + 128 * 32, 1 * 128 + 128 * 128
    assert kernels == first + 5 * later + shortcuts
    assert layer.compute_output_shape((None, 50, 1)) == (None, 128)


def test_dropout_drops_whole_channels():
    x = RANDOM.normal(size=(200, 4, 3)).astype("float32")
    layer = built(InceptionBlock(20, [2, 3], normalization=None, activation=None, dropout=0.4), x.shape)
    full, dropped_out = np.asarray(layer(x)), np.asarray(layer(x, training=True))
    dropped = (dropped_out == 0).all(axis=1, keepdims=True)
    np.testing.assert_array_equal(dropped_out == 0, np.broadcast_to(dropped, dropped_out.shape))
    assert dropped.mean() == pytest.approx(0.4, abs=0.02)  # 12,000 of them: sigma 0.0045
    np.testing.assert_allclose(dropped_out, np.where(dropped, 0.0, full / 0.6), rtol=1e-5, atol=1e-6)


def test_all_kernels_are_regularized():
    layer = built(InceptionTime(**SMALL, depth=2, shortcut_every=2, l1=0.01, l2=0.1), (None, 9, 2))
    kernels = [value for path, value in weights(layer).items() if path.endswith("kernel")]
    assert len(kernels) == 2 * 5 + 1
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


RANGES = "`filters` and each of `kernel_sizes` must be at least 1, `bottleneck` at least 0. Received: "


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (InceptionBlock, {"filters": 0}, RANGES + r"filters=0, kernel_sizes=\(10, 20, 40\), bottleneck=32"),
        (InceptionBlock, {"kernel_sizes": []}, RANGES + r"filters=32, kernel_sizes=\[\], bottleneck=32"),
        (InceptionBlock, {"kernel_sizes": [3, 0]}, RANGES + r"filters=32, kernel_sizes=\[3, 0\], bottleneck=32"),
        (InceptionBlock, {"bottleneck": -1}, RANGES + r"filters=32, kernel_sizes=\(10, 20, 40\), bottleneck=-1"),
        (InceptionBlock, {"normalization": "none"}, "`normalization` must be .* Received: 'none'"),
        (InceptionBlock, {"dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        (InceptionBlock, {"l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
        (
            InceptionTime,
            {"depth": 0},
            "`depth` must be at least 1 and `shortcut_every` at least 0. Received: depth=0, shortcut_every=3",
        ),
        (InceptionTime, {"shortcut_every": -1}, "`depth` must be .* Received: depth=6, shortcut_every=-1"),
        (InceptionTime, {"pooling": "sum"}, "`pooling` must be 'mean', 'max' or None. Received: 'sum'"),
    ],
)
def test_invalid_arguments_raise(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
