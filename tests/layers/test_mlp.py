import keras
import numpy as np
import pytest

from tfkit.layers import MLP

RANDOM = np.random.default_rng(0)


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def built(layer, x):
    """The layer with every weight, statistic and shift at a random value, so that none can be left out unseen."""
    layer.build((None, *x.shape[1:]))
    for weight in layer.weights:
        if "seed" not in weight.path:
            positive = "variance" in weight.path or "gamma" in weight.path
            weight.assign(RANDOM.uniform(0.5, 2.0, weight.shape) if positive else RANDOM.normal(size=weight.shape))
    return layer


def weights(layer):
    """Weights by the end of their path, such as `dense_0/kernel`."""
    return {"/".join(w.path.split("/")[-2:]): w.numpy().astype("float64") for w in layer.weights}


def reference(layer, x, normalization, residual, training):
    """tanh MLP in float64."""
    w, x = weights(layer), x.astype("float64")
    for i, width in enumerate(layer.units):
        y = x @ w[f"dense_{i}/kernel"]
        if normalization is None:
            y = y + w[f"dense_{i}/bias"]
        elif normalization == "layer":
            y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-3)
        elif training:
            axes = tuple(range(y.ndim - 1))
            y = (y - y.mean(axes)) / np.sqrt(y.var(axes) + 1e-3)
        else:
            y = (y - w[f"norm_{i}/moving_mean"]) / np.sqrt(w[f"norm_{i}/moving_variance"] + 1e-3)
        if normalization:
            y = y * w[f"norm_{i}/gamma"] + w[f"norm_{i}/beta"]
        y = np.tanh(y)
        x = x + y if residual and x.shape[-1] == width else y
    return x


@pytest.mark.parametrize("normalization", ["batch", "layer", None])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (4, 3, 5)], ids=["rows", "sequences"])
def test_output_is_that_of_numpy(normalization, residual, shape):
    x = rows(*shape)
    layer = built(MLP([5, 4, 4], activation="tanh", normalization=normalization, residual=residual), x)
    expected = reference(layer, x, normalization, residual, training=False)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)
    expected = reference(layer, x, normalization, residual, training=True)
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-5, atol=1e-5)


def test_training_moves_the_statistics_of_the_batch():
    x = rows(50, 3)
    layer = built(MLP([4]), x)
    before, y = weights(layer), x.astype("float64") @ weights(layer)["dense_0/kernel"]
    layer(x, training=True)
    after = weights(layer)
    for name, now in (("mean", y.mean(0)), ("variance", y.var(0))):
        expected = 0.99 * before[f"norm_0/moving_{name}"] + 0.01 * now
        np.testing.assert_allclose(after[f"norm_0/moving_{name}"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing_and_the_mask_goes_on(residual, training):
    x = rows(3, 6, 5)
    x[:, 4:] = 0
    layer, same = built(MLP([5, 5], residual=residual), x), built(MLP([5, 5], residual=residual), x)
    same.set_weights(layer.get_weights())
    said = layer(keras.layers.Masking()(x), training=training)
    np.testing.assert_allclose(said[:, :4], same(x[:, :4], training=training), rtol=1e-5, atol=1e-5)
    for one, other in zip(layer.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(said._keras_mask, [[True] * 4 + [False] * 2] * 3)


@pytest.mark.parametrize(
    ("normalization", "learnt", "all_"),
    [
        ("batch", 5 * 8 + 8 * 3 + 2 * 11, 5 * 8 + 8 * 3 + 4 * 11),
        ("layer", 5 * 8 + 8 * 3 + 2 * 11, 5 * 8 + 8 * 3 + 2 * 11),
        (None, 5 * 8 + 8 * 3 + 11, 5 * 8 + 8 * 3 + 11),
    ],
)
def test_count_of_weights(normalization, learnt, all_):
    layer = MLP([8, 3], normalization=normalization)
    layer.build((None, 5))
    assert sum(w.numpy().size for w in layer.trainable_weights) == learnt
    assert layer.count_params() == all_


@pytest.mark.parametrize("normalization", ["batch", None])
def test_penalties_are_of_the_kernels_alone(normalization):
    layer = built(MLP([4, 3], normalization=normalization, l1=0.01, l2=0.1), rows(2, 5))
    kernels = [value for name, value in weights(layer).items() if name.endswith("kernel")]
    expected = sum(0.01 * np.abs(k).sum() + 0.1 * (k**2).sum() for k in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)
    assert MLP([4]).losses == []


def test_dropout_drops_the_share_and_scales_what_is_left():
    layer = MLP([50], normalization=None, activation="linear", dropout=0.4)
    x = rows(200, 6)
    whole = np.asarray(layer(x))
    some = np.asarray(layer(x, training=True))
    dropped = some == 0
    assert dropped.mean() == pytest.approx(0.4, abs=0.02)  # 10,000 of them: sigma 0.005
    np.testing.assert_allclose(some[~dropped], whole[~dropped] / 0.6, rtol=1e-5)


def test_kernels_begin_as_he_said():
    layer = MLP([400])
    layer.build((None, 200))
    assert weights(layer)["dense_0/kernel"].std() == pytest.approx((2 / 200) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": []}, r"`units` must name the width of at least one layer, each at least 1. Received: \[\]"),
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
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**arguments)
