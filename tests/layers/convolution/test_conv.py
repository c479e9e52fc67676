import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference_conv import (
    RANDOM,
    assert_rows,
    built,
    conv_block,
    linear,
    series,
    sublayer_weights,
    weights,
)
from tfkit.layers import ConvBlock

GROUPS = {"batch": None, "layer": None, "group": 2, None: None}


@pytest.mark.parametrize("normalization", GROUPS)
@pytest.mark.parametrize(
    ("rank", "kernel_size", "options"),
    [
        (1, 4, {}),
        (1, 3, {"strides": 2}),
        (1, 4, {"strides": 3, "padding": "causal"}),
        (1, 3, {"dilation_rate": 2, "padding": "causal"}),
        (1, 3, {"dilation_rate": 2, "padding": "valid"}),
        (2, 3, {}),
        (2, 2, {"strides": 2}),
        (2, 1, {"strides": 2}),
        (2, 3, {"strides": 2, "padding": "valid"}),
        (2, 2, {"dilation_rate": 3}),
    ],
)
def test_output_matches_numpy(normalization, rank, kernel_size, options):
    x = RANDOM.normal(size=(3, *(9, 8)[:rank], 2)).astype("float32")
    layer = ConvBlock(
        32 if normalization == "group" else 4,  # two groups of 16
        kernel_size,
        rank=rank,
        normalization=normalization,
        activation="tanh",
        **options,
    )
    layer_weights = weights(built(layer, x.shape))
    options = {"dilation" if name == "dilation_rate" else name: value for name, value in options.items()}
    for training in (False, True):
        expected = conv_block(
            x.astype("float64"), layer_weights, training=training, groups=GROUPS[normalization], **options
        )
        outputs = layer(x, training=training)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
        assert layer.compute_output_shape(x.shape) == tuple(outputs.shape)


@pytest.mark.parametrize("normalization", GROUPS)
@pytest.mark.parametrize(
    ("options", "lengths"),
    [
        ({}, [7, 3, 8]),
        ({"strides": 2}, [4, 2, 4]),
        ({"strides": 3}, [3, 1, 3]),
        ({"padding": "causal", "strides": 2}, [4, 2, 4]),
        ({"padding": "valid"}, [5, 1, 6]),
        ({"padding": "valid", "strides": 2}, [3, 1, 3]),
        ({"dilation_rate": 3}, [7, 3, 8]),
    ],
)
def test_padding_does_not_change_the_result_and_the_mask_is_passed_on(normalization, options, lengths):
    rows, x, mask = series([7, 3, 8], 2)
    layer = ConvBlock(32, rank=1, normalization=normalization, activation="tanh", **options)
    layer_weights = weights(built(layer, x.shape))
    options = {"dilation" if name == "dilation_rate" else name: value for name, value in options.items()}
    for training in (False, True):
        expected = conv_block(rows, layer_weights, training=training, groups=GROUPS[normalization], **options)
        assert [len(row) for row in expected] == lengths
        assert_rows(layer(x, training=training, mask=mask), expected)
    output_mask = np.asarray(layer.compute_mask(x, keras.ops.convert_to_tensor(mask)))
    np.testing.assert_array_equal(output_mask, np.arange(output_mask.shape[1]) < np.array(lengths)[:, None])
    assert layer.compute_output_shape(x.shape)[1] == output_mask.shape[1]


def test_mask_of_the_input_is_used_and_passed_on():
    rows, x, mask = series([5, 2], 2, padding_value=0.0)
    layer = built(ConvBlock(4, rank=1, strides=2, activation="tanh"), x.shape)
    outputs = layer(keras.layers.Masking()(x), training=True)
    assert_rows(outputs, conv_block(rows, weights(layer), strides=2, training=True))
    np.testing.assert_array_equal(outputs._keras_mask, mask[:, ::2])


def test_masked_margin_does_not_change_an_image():
    x, mask = np.full((1, 9, 8, 2), np.nan, "float32"), np.zeros((1, 9, 8), bool)
    x[:, :5, :6], mask[:, :5, :6] = RANDOM.normal(size=(1, 5, 6, 2)), True
    for padding, shape in (("same", (3, 3)), ("valid", (2, 2))):
        layer = built(ConvBlock(4, strides=2, padding=padding, activation="tanh"), x.shape)
        expected = conv_block(x[:, :5, :6].astype("float64"), weights(layer), strides=2, padding=padding, training=True)
        assert expected[0].shape == (*shape, 4)
        assert_rows(layer(x, mask=mask, training=True), expected)
        output_mask = np.asarray(layer.compute_mask(x, keras.ops.convert_to_tensor(mask)))
        assert output_mask[:, : shape[0], : shape[1]].all()
        assert output_mask.sum() == shape[0] * shape[1]


@pytest.mark.parametrize("masked", [False, True])
def test_training_updates_statistics_from_unmasked_steps(masked):
    rows, x, mask = series([50, 3, 40], 2)
    if not masked:
        rows, x, mask = [rows[0]], rows[0][None].astype("float32"), None
    layer = built(ConvBlock(3, rank=1), x.shape)
    initial = weights(layer)
    y = np.concatenate(conv_block(rows, {"conv/kernel": initial["conv/kernel"]}, activation=linear))
    layer(x, training=True, mask=mask)
    for name, batch_value in (("mean", y.mean(0)), ("variance", y.var(0))):
        expected = 0.9 * initial[f"norm/moving_{name}"] + 0.1 * batch_value
        np.testing.assert_allclose(weights(layer)[f"norm/moving_{name}"], expected, rtol=1e-5, atol=1e-5)


def test_gradients_do_not_depend_on_masked_steps():
    rows, x, mask = series([4], 2)
    layer = built(ConvBlock(3, rank=1, activation="tanh"), x.shape)
    gradients = []
    for inputs, layer_mask in ((x, mask), (rows[0][None].astype("float32"), None)):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.square(layer(inputs, training=True, mask=layer_mask)[:, :4]))
        gradients.append(tape.gradient(y, layer.trainable_weights))
    for padded_gradient, unpadded_gradient in zip(*gradients, strict=True):
        np.testing.assert_allclose(padded_gradient, unpadded_gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("normalization", "num_trainable", "num_weights"),
    [("batch", 2 * 6, 4 * 6), ("layer", 2 * 6, 2 * 6), ("group", 2 * 6, 2 * 6), (None, 6, 6)],
)
@pytest.mark.parametrize("rank", [1, 2])
def test_number_of_weights(normalization, num_trainable, num_weights, rank):
    layer = ConvBlock(6, 5, rank=rank, normalization=normalization)
    layer.build((None, *[9] * rank, 3))
    assert sum(variable.numpy().size for variable in layer.trainable_weights) == 5**rank * 3 * 6 + num_trainable
    assert layer.count_params() == 5**rank * 3 * 6 + num_weights


def test_groups_have_16_channels_or_the_greatest_common_divisor():
    groups = {filters: ConvBlock(filters, normalization="group").norm.groups for filters in (64, 24, 16, 6, 7)}
    assert groups == {64: 4, 24: 3, 16: 1, 6: 3, 7: 7}


@pytest.mark.parametrize("normalization", ["batch", None])
def test_only_the_kernel_is_regularized(normalization):
    layer = built(ConvBlock(4, l1=0.01, l2=0.1, normalization=normalization), (None, 5, 5, 2))
    kernel = weights(layer)["conv/kernel"]
    expected = 0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum()
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)
    assert built(ConvBlock(4), (None, 5, 5, 2)).losses == []


@pytest.mark.parametrize("rank", [1, 2])
def test_dropout_drops_whole_channels_and_rescales(rank):
    x = RANDOM.normal(size=(200, *[3] * rank, 2)).astype("float32")
    layer = built(ConvBlock(50, rank=rank, normalization=None, activation=None, dropout=0.4), x.shape)
    full, dropped_out = np.asarray(layer(x)), np.asarray(layer(x, training=True))
    dropped = (dropped_out == 0).all(axis=tuple(range(1, rank + 1)), keepdims=True)
    np.testing.assert_array_equal(dropped_out == 0, np.broadcast_to(dropped, dropped_out.shape))
    assert dropped.mean() == pytest.approx(0.4, abs=0.02)  # 10,000 of them: sigma 0.005
    np.testing.assert_allclose(dropped_out, np.where(dropped, 0.0, full / 0.6), rtol=1e-5)


def test_kernels_have_he_initialization():
    layer = ConvBlock(200, 3)
    layer.build((None, 8, 8, 50))
    assert sublayer_weights(weights(layer), "conv")["kernel"].std() == pytest.approx((2 / 450) ** 0.5, rel=0.02)


RANGES = "`filters`, `kernel_size`, `strides` and `dilation_rate` must be at least 1. Received: "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 3}, r"`rank` must be 1 \(series\) or 2 \(images\). Received: 3"),
        ({"filters": 0}, RANGES + "filters=0, kernel_size=3, strides=1, dilation_rate=1"),
        ({"kernel_size": 0}, RANGES + "filters=4, kernel_size=0, strides=1, dilation_rate=1"),
        ({"strides": 0}, RANGES + "filters=4, kernel_size=3, strides=0, dilation_rate=1"),
        ({"dilation_rate": 0}, RANGES + "filters=4, kernel_size=3, strides=1, dilation_rate=0"),
        (
            {"strides": 2, "dilation_rate": 3},
            "Only one of `strides` and `dilation_rate` may be above 1. Received: strides=2, dilation_rate=3",
        ),
        (
            {"padding": "full"},
            "`padding` must be 'same', 'valid' or, for rank 1, 'causal'. Received: padding='full', rank=2",
        ),
        ({"padding": "causal"}, "`padding` must .* Received: padding='causal', rank=2"),
        ({"normalization": "none"}, "`normalization` must be 'batch', 'layer', 'group' or None. Received: 'none'"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        ({"dropout": -0.1}, r"`dropout` must be in \[0, 1\). Received: -0.1"),
        ({"l1": -1}, "`l1` and `l2` must be at least 0. Received: l1=-1, l2=0.0"),
        ({"l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvBlock(**{"filters": 4, **arguments})
