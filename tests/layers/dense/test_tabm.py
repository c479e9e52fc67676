import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.layers import MLP, BatchEnsembleDense, EnsembleAverage, TabM
from tfkit.losses import EnsembleLoss

RANDOM = np.random.default_rng(0)


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def built(layer, dim):
    """Build the layer with random weights."""
    layer.build((None, dim))
    for weight in layer.weights:
        if "seed" not in weight.path:
            weight.assign(RANDOM.normal(size=weight.shape))
    return layer


def reference(layer, x):
    """Compute member by member: `((x * scale_in[m]) @ kernel) * scale_out[m] + bias[m]`, `(batch, members, units)`."""
    kernel, bias = layer.kernel.numpy().astype("float64"), layer.bias.numpy()
    outputs = []
    for member in range(layer.members):
        member_input = x if x.ndim == 2 else x[:, member]
        if layer.shared:
            outputs.append(
                (member_input * layer.scale_in.numpy()[member]) @ kernel * layer.scale_out.numpy()[member]
                + bias[member]
            )
        else:
            outputs.append(member_input @ kernel[member] + bias[member])
    return np.stack(outputs, 1)


# BatchEnsembleDense


@pytest.mark.parametrize("shape", [(6, 5), (6, 3, 5)], ids=["one input", "input per member"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_dense_matches_numpy(shape, shared, training):
    layer, x = built(BatchEnsembleDense(4, 3, shared=shared), 5), rows(*shape)
    np.testing.assert_allclose(layer(x, training=training), reference(layer, x), rtol=1e-5, atol=1e-5)


def test_one_member_with_unit_scales_equals_a_dense_layer():
    layer, dense, x = built(BatchEnsembleDense(4, members=1), 5), keras.layers.Dense(4), rows(6, 5)
    layer.scale_in.assign(np.ones((1, 5)))
    layer.scale_out.assign(np.ones((1, 4)))
    dense.build((None, 5))
    dense.set_weights([layer.kernel.numpy(), layer.bias.numpy()[0]])
    np.testing.assert_allclose(layer(x)[:, 0], dense(x), rtol=1e-5, atol=1e-6)


def test_initialization_of_the_weights():
    layer = BatchEnsembleDense(400, 8, signs=True)
    layer.build((None, 100))
    assert set(np.unique(layer.scale_in)) == {-1.0, 1.0}
    assert abs(float(np.mean(layer.scale_in))) < 0.15  # 800 of them: sigma 0.035
    np.testing.assert_array_equal(layer.scale_out, np.ones((8, 400)))
    assert 0.09 < np.abs(layer.bias.numpy()).max() <= 0.1  # 1 / sqrt(dim)
    assert abs(layer.kernel.numpy().mean()) < 0.003  # 40,000 of them: sigma 0.0007
    assert (
        0.95 * 0.1 / 3**0.5 < layer.kernel.numpy().std() < 1.05 * 0.1 * 2**0.5
    )  # between the initialization of PyTorch and He's
    plain = BatchEnsembleDense(4, 8)
    plain.build((None, 100))
    np.testing.assert_array_equal(plain.scale_in, np.ones((8, 100)))


@pytest.mark.parametrize("shared", [True, False])
def test_kernel_and_bias_are_initialized_independently(shared):
    layer = BatchEnsembleDense(50, 8, shared=shared)
    layer.build((None, 20))
    kernel = layer.kernel.numpy().reshape(-1, 50)[:8]
    assert abs(np.corrcoef(kernel.ravel(), layer.bias.numpy().ravel())[0, 1]) < 0.3  # 400 of them: sigma 0.05


def test_number_of_weights_of_a_dense_layer():
    shared, separate = BatchEnsembleDense(4, 3), BatchEnsembleDense(4, 3, shared=False)
    shared.build((None, 5))
    separate.build((None, 5))
    assert shared.count_params() == 5 * 4 + 3 * (5 + 4 + 4)
    assert separate.count_params() == 3 * (5 * 4 + 4)


def test_only_the_kernel_is_regularized():
    layer = built(BatchEnsembleDense(4, 3, l1=0.01, l2=0.1), 5)
    kernel = layer.kernel.numpy()
    assert float(sum(layer.losses)) == pytest.approx(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` and `members` must be at least 1. Received: units=0, members=8"),
        ({"units": 4, "members": 0}, "`units` and `members` must be at least 1. Received: units=4, members=0"),
        ({"units": 4, "l1": -1}, "`l1` and `l2` must be at least 0. Received: l1=-1, l2=0.0"),
        ({"units": 4, "l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_dense_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        BatchEnsembleDense(**arguments)


def test_dense_wrong_number_of_members_raises():
    with pytest.raises(ValueError, match=r"second is `members`. Received: members=3, input_shape=\(None, 2, 5\)"):
        BatchEnsembleDense(4, 3).build((None, 2, 5))


def test_dense_four_axes_raise():
    with pytest.raises(ValueError, match="axes"):
        BatchEnsembleDense(4, 3)(rows(2, 3, 7, 5))


def test_dense_signs_without_scales_raise():
    with pytest.raises(ValueError, match="signs"):
        BatchEnsembleDense(4, 3, signs=True, shared=False)


# TabM


@pytest.mark.parametrize("training", [True, False])
def test_mlp_matches_dense_layers_and_activations(training):
    layer, x = built(TabM([7, 4], 3, activation="tanh"), 5), rows(6, 5)
    expected = np.tanh(reference(layer.dense[1], np.tanh(reference(layer.dense[0], x))))
    np.testing.assert_allclose(layer(x, training=training), expected, rtol=1e-5, atol=1e-5)


def test_mlp_with_one_member_equals_an_mlp():
    layer, plain, x = TabM([7, 4], members=1), MLP([7, 4], normalization=None), rows(6, 5)
    layer.build((None, 5))
    plain.build((None, 5))
    layer.dense[0].scale_in.assign(np.ones((1, 5)))
    for dense, ensemble_dense in zip(plain.dense, layer.dense, strict=True):
        dense.set_weights([ensemble_dense.kernel.numpy(), ensemble_dense.bias.numpy()[0]])
    np.testing.assert_allclose(layer(x)[:, 0], plain(x), rtol=1e-5, atol=1e-6)


def test_only_the_first_layer_has_random_signs():
    layer = TabM([7, 4], 8)
    layer.build((None, 30))
    assert set(np.unique(layer.dense[0].scale_in)) == {-1.0, 1.0}
    np.testing.assert_array_equal(layer.dense[1].scale_in, np.ones((8, 7)))
    assert np.std(layer(rows(4, 30)), axis=1).max() > 0.01


def test_members_share_one_dropout_mask_per_row():
    layer, x = TabM([40], 3, activation="linear", dropout=0.4), rows(100, 6)
    full, dropped_out = np.asarray(layer(x)), np.asarray(layer(x, training=True))
    dropped = dropped_out == 0
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 3, axis=1))
    assert dropped[:, 0].mean() == pytest.approx(0.4, abs=0.03)  # 4,000 of them: sigma 0.008
    assert (dropped[0, 0] != dropped[1, 0]).any()  # masks differ between rows
    np.testing.assert_allclose(dropped_out[~dropped], full[~dropped] / 0.6, rtol=1e-5)


def test_number_of_weights_of_an_ensemble():
    layer = TabM([7, 4], 3)
    layer.build((None, 5))
    assert layer.count_params() == 5 * 7 + 3 * (5 + 7 + 7) + 7 * 4 + 3 * (7 + 4 + 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": []}, r"`units` must be a list of widths, one for each layer, .* such as \[64\]. Received: \[\]"),
        ({"units": 32}, r"`units` must be a list of widths, .* such as \[32\]. Received: 32"),
        ({"units": [4, 0]}, r"`units` must .* Received: \[4, 0\]"),
        ({"units": [4], "dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        ({"units": [4], "members": 0}, "`members` must be at least 1. Received: .*members=0"),
        ({"units": [4], "l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_mlp_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        TabM(**arguments)


# EnsembleAverage


def softmax(x):
    exponentials = np.exp(x.astype("float64") - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@pytest.mark.parametrize("logits", [True, False])
def test_members_pass_through_in_training(logits):
    x = rows(4, 3, 5)
    np.testing.assert_array_equal(EnsembleAverage("softmax" if logits else "linear")(x, training=True), x)


def test_values_are_averaged():
    x = rows(4, 3, 5)
    np.testing.assert_allclose(EnsembleAverage()(x), x.mean(1, keepdims=True), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 300.0])  # at 300 a member's probability underflows
def test_logits_give_the_log_of_the_mean_probability(scale):
    x = rows(40, 3, 5) * np.float32(scale)
    average = np.asarray(EnsembleAverage("softmax")(x))
    assert average.shape == (40, 1, 5)
    assert np.isfinite(average).all()
    np.testing.assert_allclose(softmax(average), softmax(x).mean(1, keepdims=True), rtol=2e-5, atol=1e-7)
    if scale == 1:
        np.testing.assert_allclose(average, np.log(softmax(x).mean(1, keepdims=True)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("logits", [True, False])
def test_member_mean_works_with_the_loss_per_member(logits):
    inner = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if logits else keras.losses.MeanSquaredError()
    layer, loss = EnsembleAverage("softmax" if logits else "linear"), EnsembleLoss(inner)
    x = rows(6, 3, 4 if logits else 1)
    y = RANDOM.integers(0, 4, 6) if logits else rows(6)
    member_losses = [float(inner(y, x[:, member])) for member in range(3)]
    assert float(loss(y, layer(x, training=True))) == pytest.approx(np.mean(member_losses), rel=1e-5)
    mean = np.log(softmax(x).mean(1)) if logits else x.mean(1)
    assert float(loss(y, layer(x))) == pytest.approx(float(inner(y, mean.astype("float32"))), rel=1e-5)


def test_ensemble_trains_in_a_compiled_model():
    x = rows(64, 3)
    y = (x[:, 0] > x[:, 1]).astype(int)
    inputs = keras.Input((3,))
    hidden = BatchEnsembleDense(2, 4, shared=False)(TabM([8], 4)(inputs))
    model = keras.Model(inputs, EnsembleAverage("softmax")(hidden))
    assert model.output_shape == (None, None, 2)
    loss = EnsembleLoss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.compile(keras.optimizers.SGD(0.3), loss)
    losses = model.fit(x, y, epochs=15, verbose=0, validation_data=(x, y)).history
    assert losses["loss"][-1] < 0.95 * losses["loss"][0]
    average = np.asarray(model(x, training=False))[:, 0]
    members = np.asarray(keras.Model(inputs, hidden)(tf.constant(x)))
    np.testing.assert_allclose(average, np.log(softmax(members).mean(1)), rtol=1e-4, atol=1e-5)
    assert losses["val_loss"][-1] == pytest.approx(-average[np.arange(64), y].mean(), rel=1e-5)
