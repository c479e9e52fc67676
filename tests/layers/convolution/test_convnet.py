import keras
import numpy as np
import pytest

from tests.layers.reference_conv import (
    RANDOM,
    assert_rows,
    built,
    conv_block,
    pool,
    residual_block,
    series,
    sublayer_weights,
    weights,
)
from tfkit.layers import ConvBlock, ConvNet, ResidualBlock

SMALL = {"filters": [3, 4], "activation": "tanh"}


def stack(rows, layer, *, depth, strides, block, training, **options):
    """Apply the stem, then every stage; the first block uses the strides, except in the first stage."""
    layer_weights = weights(layer)
    rows = conv_block(
        rows,
        sublayer_weights(layer_weights, "stem"),
        training=training,
        strides=options.pop("stem_strides", 1),
        **options,
    )
    for stage in range(2):
        for position in range(depth):
            rows = block(
                rows,
                sublayer_weights(layer_weights, f"stage_{stage}_{position}"),
                training=training,
                strides=strides if stage == 1 and position == 0 else 1,
                **options,
            )
    return rows


@pytest.mark.parametrize("block", ["residual", "conv"])
@pytest.mark.parametrize(
    ("rank", "options"),
    [
        (2, {"depth": 1, "strides": 2}),
        (1, {"depth": 2, "strides": 3}),
        (1, {"depth": 1, "strides": 1, "padding": "causal"}),
        (2, {"depth": 2, "strides": 2, "stem_strides": 2}),
    ],
)
def test_output_matches_numpy(rank, block, options):
    x = RANDOM.normal(size=(3, *(7, 6)[:rank], 2)).astype("float32")
    reference = {"residual": residual_block, "conv": conv_block}[block]
    layer = built(ConvNet(**SMALL, rank=rank, block=block, pooling=None, **options), x.shape)
    for training in (False, True):
        expected = stack(x.astype("float64"), layer, block=reference, training=training, **options)
        outputs = layer(x, training=training)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
        assert layer.compute_output_shape(x.shape) == tuple(outputs.shape)


@pytest.mark.parametrize("pooling", ["mean", "max", None])
def test_padding_does_not_change_the_result(pooling):
    rows, x, mask = series([9, 2, 6], 2)
    layer = ConvNet(**SMALL, rank=1, depth=1, squeeze_excitation=2, pooling=pooling)
    built(layer, x.shape)
    for training in (False, True):
        expected = stack(rows, layer, depth=1, strides=2, block=residual_block, training=training)
        outputs = layer(x, training=training, mask=mask)
        if pooling:
            np.testing.assert_allclose(outputs, pool(expected, pooling), rtol=1e-5, atol=1e-5)
        else:
            assert_rows(outputs, expected)


def test_mask_is_passed_on_without_pooling_only():
    x, mask = series([9, 2, 6], 2, padding_value=0.0)[1:]
    masked = keras.layers.Masking()(x)
    outputs = ConvNet([3, 4, 5], rank=1, pooling=None)(masked)
    np.testing.assert_array_equal(outputs._keras_mask, mask[:, ::2][:, ::2])
    assert getattr(ConvNet([3], rank=1)(masked), "_keras_mask", None) is None


def test_number_of_weights_is_the_sum_over_blocks():
    def count(layer, dim):
        layer.build((None, 8, 8, dim))
        return layer.count_params()

    blocks = [
        (ConvBlock(3), 1),
        (ResidualBlock(3), 3),
        (ResidualBlock(3), 3),
        (ResidualBlock(4), 3),
        (ResidualBlock(4), 4),
    ]
    assert count(ConvNet([3, 4], depth=2), 1) == sum(count(block, dim) for block, dim in blocks)
    blocks = [(ConvBlock(3), 1), (ConvBlock(3), 3), (ConvBlock(4), 3)]
    assert count(ConvNet([3, 4], block="conv"), 1) == sum(count(block, dim) for block, dim in blocks)


def test_arguments_of_the_stack_reach_each_block():
    layer = ConvNet(
        [3, 4],
        5,
        rank=1,
        depth=2,
        normalization="layer",
        activation="silu",
        dropout=0.2,
        squeeze_excitation=3,
        stochastic_depth=0.3,
    )
    stem, *blocks = layer.blocks
    for conv in (stem, *(block.first for block in blocks), *(block.second for block in blocks)):
        assert conv.conv.kernel_size == (5,)
        assert isinstance(conv.norm, keras.layers.LayerNormalization)
    for block in blocks:
        assert block.activation.activation is block.first.activation.activation is keras.activations.silu
        assert block.first.dropout.rate == 0.2
        assert block.excitation.ratio == 3
    assert [block.drop_branch.rate for block in blocks] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert stem.dropout.rate == 0


@pytest.mark.parametrize("block", ["residual", "conv"])
def test_all_kernels_are_regularized(block):
    layer = built(ConvNet([3, 4], block=block, l1=0.01, l2=0.1), (None, 6, 6, 2))
    kernels = [value for path, value in weights(layer).items() if path.endswith("kernel")]
    assert len(kernels) == {"residual": 1 + 2 + 3, "conv": 1 + 1 + 1}[block]
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": []}, r"`filters` must name the channels of at least one stage. Received: \[\]"),
        ({"block": "inception"}, "`block` must be 'residual' or 'conv'. Received: 'inception'"),
        ({"depth": 0}, "`depth` must be at least 1. Received: 0"),
        (
            {"block": "conv", "squeeze_excitation": 4},
            "`squeeze_excitation` and `stochastic_depth` need block='residual'. "
            "Received: squeeze_excitation=4, stochastic_depth=0.0",
        ),
        ({"block": "conv", "stochastic_depth": 0.1}, "`squeeze_excitation` and .* stochastic_depth=0.1"),
        ({"padding": "valid"}, "`padding` must be 'same' or 'causal'. Received: 'valid'"),
        ({"pooling": "sum"}, "`pooling` must be 'mean', 'max' or None. Received: 'sum'"),
        ({"filters": [4, 0]}, "`filters`, .* must be at least 1. Received: filters=0"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvNet(**arguments)


def test_images_of_any_size():
    stack = ConvNet([2, 3, 4, 5])
    for side in (1, 2, 3, 8):
        assert stack(np.zeros((2, side, side, 1), "float32")).shape == (2, 5)
        assert ConvNet([2, 3, 4, 5])(np.zeros((2, side, side, 1), "float32")).shape == (2, 5)
