import keras
import numpy as np
import pytest

from tfkit.layers import RNNStack

tf = pytest.importorskip("tensorflow")
RANDOM = np.random.default_rng(0)


def layer_of(cell, return_sequences, **options):
    """Build a layer in float64, where finite differences are exact to eight digits."""
    options = {"return_sequences": return_sequences, "implementation": "loop", "dtype": "float64", **options}
    layer = RNNStack([3], cell=cell, **options)
    layer.build((None, None, 2))
    for weight in layer.trainable_weights:
        weight.assign(RANDOM.normal(size=weight.shape) * 0.7)
    return layer


def gradients(layer, x, training):
    """Return the gradients of a sum of sines of the output by the input and each weight."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.sin(3.0 * layer(x, training=training)))
    return tape.gradient(total, [x, *(weight.value for weight in layer.trainable_weights)])


def directional_derivative(function, values, direction):
    """Return the derivative in a direction by central differences."""
    above = [value + 1e-5 * step for value, step in zip(values, direction, strict=True)]
    below = [value - 1e-5 * step for value, step in zip(values, direction, strict=True)]
    return (function(above) - function(below)) / 2e-5


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    ("return_sequences", "time", "recurrent_dropout"),
    [
        (False, 5, 0.0),
        (False, 16, 0.5),
        (True, 16, 0.0),
        (True, 19, 0.5),
        (False, 19, 0.0),
    ],
)
def test_custom_gradient_matches_finite_differences(cell, return_sequences, time, recurrent_dropout):
    x = RANDOM.normal(size=(4, time, 2))
    layer = layer_of(cell, return_sequences, recurrent_dropout=recurrent_dropout)
    seeds = [(variable, variable.numpy().copy()) for variable in layer.variables if "seed" in variable.path]

    def restore_seeds():
        for seed, value in seeds:
            seed.assign(value)

    def total(values):
        restore_seeds()
        for weight, value in zip(layer.trainable_weights, values[1:], strict=True):
            weight.assign(value)
        return float(np.sin(3.0 * np.asarray(layer(values[0], training=True))).sum())

    values = [x, *(weight.numpy() for weight in layer.trainable_weights)]
    restore_seeds()
    actual = [np.asarray(gradient) for gradient in gradients(layer, x, training=True)]
    for i in range(len(values)):  # each array separately, so that errors cannot cancel
        direction = [
            RANDOM.normal(size=value.shape) if position == i else np.zeros(value.shape)
            for position, value in enumerate(values)
        ]
        expected = directional_derivative(total, values, direction)
        assert np.sum(actual[i] * direction[i]) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_second_derivative_is_correct(cell):
    """A gradient penalty needs second derivatives."""
    layer, x = layer_of(cell, False), tf.constant(RANDOM.normal(size=(3, 9, 2)))
    gradients_of_penalty = []
    for training in (True, False):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(tf.sin(3.0 * layer(x, training=training)))
            penalty = tf.reduce_sum(inner.gradient(total, x) ** 2)
        gradients_of_penalty.append(outer.gradient(penalty, [weight.value for weight in layer.trainable_weights]))
    for custom, automatic in zip(*gradients_of_penalty, strict=True):
        np.testing.assert_allclose(custom, automatic, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_training_matches_keras():
    x, y = RANDOM.normal(size=(64, 10, 2)).astype("float32"), RANDOM.normal(size=(64, 1)).astype("float32")
    losses = {}
    for implementation in ("loop", "keras"):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((None, 2)),
                RNNStack([8], implementation=implementation),
                keras.layers.Dense(1),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse")
        losses[implementation] = model.fit(x, y, batch_size=24, epochs=5, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses["loop"], losses["keras"], rtol=1e-4)
    assert losses["loop"][-1] < losses["loop"][0]
