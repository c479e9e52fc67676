import keras
import numpy as np
import pytest

from tests.layers.reference_conv import RANDOM, assert_rows, built, excite, residual_block, series, weights
from tfkit.layers import ConvBlock, ResidualBlock, SqueezeExcitation

SHAPES = pytest.mark.parametrize(
    ("dim", "options"),
    [
        (4, {}),
        (3, {}),
        (4, {"strides": 2}),
        (3, {"strides": 2, "squeeze_excitation": 2}),
        (4, {"squeeze_excitation": 3}),
        (4, {"dilation_rate": 2}),
    ],
)


def reference_options(options):
    names = {"strides": "strides", "dilation_rate": "dilation", "padding": "padding"}
    return {names[name]: value for name, value in options.items() if name in names}


@SHAPES
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("normalization", ["batch", "layer", None])
def test_output_matches_numpy(rank, normalization, dim, options):
    x = RANDOM.normal(size=(3, *(7, 6)[:rank], dim)).astype("float32")
    layer = ResidualBlock(4, rank=rank, normalization=normalization, activation="tanh", **options)
    layer_weights = weights(built(layer, x.shape))
    for training in (False, True):
        expected = residual_block(x.astype("float64"), layer_weights, training=training, **reference_options(options))
        outputs = layer(x, training=training)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
        assert layer.compute_output_shape(x.shape) == tuple(outputs.shape)


@SHAPES
@pytest.mark.parametrize("padding", ["same", "causal"])
def test_padding_does_not_change_the_result_and_the_mask_is_passed_on(padding, dim, options):
    rows, x, mask = series([7, 3, 8], dim)
    layer = ResidualBlock(4, 4, rank=1, padding=padding, activation="tanh", **options)
    layer_weights = weights(built(layer, x.shape))
    for training in (False, True):
        expected = residual_block(rows, layer_weights, training=training, padding=padding, **reference_options(options))
        assert_rows(layer(x, training=training, mask=mask), expected)
    output_mask = layer.compute_mask(x, keras.ops.convert_to_tensor(mask))
    np.testing.assert_array_equal(np.sum(output_mask, axis=1), [len(row) for row in expected])


def test_shortcut_is_the_identity_if_shapes_are_equal():
    paths = {dim: weights(built(ResidualBlock(4), (None, 5, 5, dim))) for dim in (4, 3)}
    assert not any(path.startswith("projection") for path in paths[4])
    assert paths[3]["projection/conv/kernel"].shape == (1, 1, 3, 4)


def test_number_of_weights_is_the_sum_over_sublayers():
    def count(layer, dim):
        layer.build((None, 8, 8, dim))
        return layer.count_params()

    blocks = count(ConvBlock(6, 5), 3) + count(ConvBlock(6, 5), 6)
    assert count(ResidualBlock(6, 5), 6) == blocks - count(ConvBlock(6, 5), 3) + count(ConvBlock(6, 5), 6)
    assert count(ResidualBlock(6, 5), 3) == blocks + count(ConvBlock(6, 1), 3)
    excitation = count(SqueezeExcitation(2), 6)
    assert excitation == 2 * 6 * 3 + 3 + 6
    assert count(ResidualBlock(6, 5, squeeze_excitation=2), 3) == blocks + count(ConvBlock(6, 1), 3) + excitation
    assert count(SqueezeExcitation(100), 6) == 2 * 6 * 1 + 1 + 6


def test_stochastic_depth_skips_branches_and_rescales():
    x = RANDOM.normal(size=(2000, 4, 3)).astype("float32")
    layer = ResidualBlock(3, rank=1, stochastic_depth=0.3, activation="linear", normalization="layer")
    built(layer, x.shape)
    branch = np.asarray(layer(x)) - x
    outputs = np.asarray(layer(x, training=True)) - x
    skipped = np.abs(outputs).max(axis=(1, 2)) < 1e-6
    np.testing.assert_allclose(outputs[~skipped], branch[~skipped] / 0.7, rtol=1e-4, atol=1e-5)
    assert skipped.mean() == pytest.approx(0.3, abs=0.04)  # 2,000 rows: sigma 0.01


def test_dropout_drops_channels_between_the_convolutions():
    x = RANDOM.normal(size=(200, 4, 3)).astype("float32")
    layer = built(ResidualBlock(40, rank=1, dropout=0.3, normalization=None), x.shape)
    dropped = np.asarray(layer.first(x, training=True)) == 0
    assert (dropped.all(axis=1).mean() - (np.asarray(layer.first(x)) == 0).all(axis=1).mean()) > 0.2
    assert layer.second.dropout.rate == layer.projection.dropout.rate == 0


def test_all_kernels_are_regularized():
    layer = built(ResidualBlock(4, l1=0.01, l2=0.1), (None, 5, 5, 2))
    kernels = [value for path, value in weights(layer).items() if path.endswith("kernel")]
    assert len(kernels) == 3
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ratio", [1, 3])
def test_squeeze_excitation_matches_numpy(ratio):
    rows, x, mask = series([4, 1, 6], 6, padding_value=2.0)
    layer = built(SqueezeExcitation(ratio), x.shape)
    assert_rows(layer(x, mask=mask), excite(rows, weights(layer)))
    np.testing.assert_allclose(layer(x), excite(x.astype("float64"), weights(layer)), rtol=1e-5, atol=1e-5)
    image = RANDOM.normal(size=(2, 3, 4, 6)).astype("float32")
    np.testing.assert_allclose(layer(image), excite(image.astype("float64"), weights(layer)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (SqueezeExcitation, {"ratio": 0}, "`ratio` must be at least 1. Received: 0"),
        (
            ResidualBlock,
            {"padding": "valid"},
            "`padding` must preserve the number of steps: 'same' or 'causal'. Received: 'valid'",
        ),
        (ResidualBlock, {"squeeze_excitation": -1}, "`squeeze_excitation` must be 0, or at least 1. Received: -1"),
        (ResidualBlock, {"stochastic_depth": 1.0}, r"`stochastic_depth` must be in \[0, 1\). Received: 1.0"),
        (ResidualBlock, {"stochastic_depth": -0.1}, r"`stochastic_depth` must be in \[0, 1\). Received: -0.1"),
        (
            ResidualBlock,
            {"strides": 2, "dilation_rate": 2},
            "Only one of `strides` and `dilation_rate` may be above 1.",
        ),
    ],
)
def test_invalid_arguments_raise(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**({"filters": 4} if kind is ResidualBlock else {}), **arguments)
