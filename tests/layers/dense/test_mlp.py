import keras
import numpy as np
import pytest

from tfkit.layers import MLP

RANDOM = np.random.default_rng(0)


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def built(layer, x):
    """Build the layer with a random value for every weight and statistic, so that each affects the result."""
    layer.build((None, *x.shape[1:]))
    for weight in layer.weights:
        if "seed" not in weight.path:
            positive = "variance" in weight.path or "gamma" in weight.path
            weight.assign(RANDOM.uniform(0.5, 2.0, weight.shape) if positive else RANDOM.normal(size=weight.shape))
    return layer


def weights(layer):
    """Return the weights by the end of their path, such as `dense_0/kernel`."""
    return {"/".join(variable.path.split("/")[-2:]): variable.numpy().astype("float64") for variable in layer.weights}


def reference(layer, x, normalization, residual, training):
    """Compute an MLP with tanh in float64."""
    layer_weights, x = weights(layer), x.astype("float64")
    for index, width in enumerate(layer.units):
        y = x @ layer_weights[f"dense_{index}/kernel"]
        if normalization is None:
            y = y + layer_weights[f"dense_{index}/bias"]
        elif normalization == "layer":
            y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-3)
        elif training:
            axes = tuple(range(y.ndim - 1))
            y = (y - y.mean(axes)) / np.sqrt(y.var(axes) + 1e-3)
        else:
            y = (y - layer_weights[f"norm_{index}/moving_mean"]) / np.sqrt(
                layer_weights[f"norm_{index}/moving_variance"] + 1e-3
            )
        if normalization:
            y = y * layer_weights[f"norm_{index}/gamma"] + layer_weights[f"norm_{index}/beta"]
        y = np.tanh(y)
        x = x + y if residual and x.shape[-1] == width else y
    return x


@pytest.mark.parametrize("normalization", ["batch", "layer", None])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (4, 3, 5)], ids=["rows", "sequences"])
def test_output_matches_numpy(normalization, residual, shape):
    x = rows(*shape)
    layer = built(MLP([5, 4, 4], activation="tanh", normalization=normalization, residual=residual), x)
    expected = reference(layer, x, normalization, residual, training=False)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)
    expected = reference(layer, x, normalization, residual, training=True)
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-5, atol=1e-5)


def test_training_updates_the_moving_statistics():
    x = rows(50, 3)
    layer = built(MLP([4]), x)
    before, y = weights(layer), x.astype("float64") @ weights(layer)["dense_0/kernel"]
    layer(x, training=True)
    after = weights(layer)
    for name, batch_value in (("mean", y.mean(0)), ("variance", y.var(0))):
        expected = 0.99 * before[f"norm_0/moving_{name}"] + 0.01 * batch_value
        np.testing.assert_allclose(after[f"norm_0/moving_{name}"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_padding_does_not_change_the_result_and_the_mask_is_passed_on(residual, training):
    x = rows(3, 6, 5)
    x[:, 4:] = 0
    layer, unpadded_layer = built(MLP([5, 5], residual=residual), x), built(MLP([5, 5], residual=residual), x)
    unpadded_layer.set_weights(layer.get_weights())
    outputs = layer(keras.layers.Masking()(x), training=training)
    np.testing.assert_allclose(outputs[:, :4], unpadded_layer(x[:, :4], training=training), rtol=1e-5, atol=1e-5)
    for actual, expected in zip(layer.get_weights(), unpadded_layer.get_weights(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(outputs._keras_mask, [[True] * 4 + [False] * 2] * 3)


@pytest.mark.parametrize(
    ("normalization", "num_trainable", "num_weights"),
    [
        ("batch", 5 * 8 + 8 * 3 + 2 * 11, 5 * 8 + 8 * 3 + 4 * 11),
        ("layer", 5 * 8 + 8 * 3 + 2 * 11, 5 * 8 + 8 * 3 + 2 * 11),
        (None, 5 * 8 + 8 * 3 + 11, 5 * 8 + 8 * 3 + 11),
    ],
)
def test_number_of_weights(normalization, num_trainable, num_weights):
    layer = MLP([8, 3], normalization=normalization)
    layer.build((None, 5))
    assert sum(variable.numpy().size for variable in layer.trainable_weights) == num_trainable
    assert layer.count_params() == num_weights


@pytest.mark.parametrize("normalization", ["batch", None])
def test_only_kernels_are_regularized(normalization):
    layer = built(MLP([4, 3], normalization=normalization, l1=0.01, l2=0.1), rows(2, 5))
    kernels = [value for name, value in weights(layer).items() if name.endswith("kernel")]
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)
    assert MLP([4]).losses == []


def test_dropout_rate_and_rescaling():
    layer = MLP([50], normalization=None, activation="linear", dropout=0.4)
    x = rows(200, 6)
    full = np.asarray(layer(x))
    dropped_out = np.asarray(layer(x, training=True))
    dropped = dropped_out == 0
    assert dropped.mean() == pytest.approx(0.4, abs=0.02)  # 10,000 of them: sigma 0.005
    np.testing.assert_allclose(dropped_out[~dropped], full[~dropped] / 0.6, rtol=1e-5)


def test_kernels_have_he_initialization():
    layer = MLP([400])
    layer.build((None, 200))
    assert weights(layer)["dense_0/kernel"].std() == pytest.approx((2 / 200) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": []}, r"`units` must be a list of widths, one for each layer, .* such as \[64\]. Received: \[\]"),
        ({"units": 32}, r"`units` must be a list of widths, .* such as \[32\]. Received: 32"),
        ({"units": [4, 0]}, r"`units` must .* Received: \[4, 0\]"),
        (
            {"units": [4], "normalization": "group"},
            "`normalization` must be 'batch', 'layer' or None. Received: 'group'",
        ),
        ({"units": [4], "dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        ({"units": [4], "dropout": -0.1}, r"`dropout` must be in \[0, 1\). Received: -0.1"),
        ({"units": [4], "l1": -1}, "`l1` and `l2` must be at least 0. Received: l1=-1, l2=0.0"),
        ({"units": [4], "l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**arguments)
