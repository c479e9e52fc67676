"""What every layer of ours must hold, whatever it computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit import layers

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(7, 3)).astype("float32")
SEQUENCES = RANDOM.normal(size=(7, 4, 3)).astype("float32")
CODES = np.stack([RANDOM.integers(0, size, 7) for size in (3, 9, 12)], 1).astype("int32")
EDGES = [[-1.0, 0.0, 1.0], [-2.0, 2.0], [0.0, 0.5]]

CASES = {
    "MLP": (lambda **o: layers.MLP([6, 6], activation="tanh", dropout=0.5, residual=True, l2=0.1, **o), NUMBERS),
    "MLP layer": (lambda **o: layers.MLP([6], activation="tanh", normalization="layer", dropout=0.5, **o), SEQUENCES),
    "MLP plain": (lambda **o: layers.MLP([6, 4], activation="tanh", normalization=None, dropout=0.5, **o), NUMBERS),
    "EnsembleDense": (lambda **o: layers.EnsembleDense(5, 4, signs=True, l1=0.1, **o), NUMBERS),
    "EnsembleDense each": (lambda **o: layers.EnsembleDense(5, 4, **o), SEQUENCES),
    "EnsembleDense own": (lambda **o: layers.EnsembleDense(5, 4, shared=False, **o), SEQUENCES),
    "EnsembleMLP": (lambda **o: layers.EnsembleMLP([5, 6], 4, activation="tanh", dropout=0.5, **o), NUMBERS),
    "MemberMean": (lambda **o: layers.MemberMean(**o), SEQUENCES),
    "MemberMean logits": (lambda **o: layers.MemberMean(True, **o), SEQUENCES),
    "NumberEmbedding": (lambda **o: layers.NumberEmbedding(EDGES, 4, **o), NUMBERS),
    "CategoryEmbedding": (lambda **o: layers.CategoryEmbedding([3, 9, 12], 4, 5, **o), CODES),
    "CategoryEmbedding one-hot": (lambda **o: layers.CategoryEmbedding([3, 9, 12], **o), CODES),
    "CategoryEmbedding table": (lambda **o: layers.CategoryEmbedding([3, 9, 12], one_hot=0, **o), CODES),
    "Impute": (lambda **o: layers.Impute([1.0, 2.0, 3.0], **o), NUMBERS),
    "MissingIndicator": (lambda **o: layers.MissingIndicator([2, 0], **o), NUMBERS),
    "Clip": (lambda **o: layers.Clip(2.0, **o), NUMBERS),
    "QuantileScale": (lambda **o: layers.QuantileScale([[-1.0, 0.0, 1.0]] * 3, [[0.0, 0.3, 1.0]] * 3, **o), NUMBERS),
}  # fmt: skip
CONTRACT = pytest.mark.parametrize(("make", "x"), CASES.values(), ids=CASES)
DROPS = [name for name in CASES if "MLP" in name]


def test_every_public_layer_is_held_to_the_contract():
    assert {name.split()[0] for name in CASES} == set(layers.__all__)


@CONTRACT
def test_the_shape_told_is_the_shape_given_for_any_batch(make, x):
    layer = make()
    inputs = keras.Input(x.shape[1:], dtype=x.dtype.name)
    model = keras.Model(inputs, layer(inputs))
    told = layer.compute_output_shape((None, *x.shape[1:]))
    assert tuple(model.output_shape) == tuple(told)
    for rows in (x, x[:1], x[:0]):
        given = model(rows).shape
        assert len(given) == len(told)
        assert all(t in (None, g) for t, g in zip(told, given, strict=True)), (told, given)
        assert given[0] == len(rows)


@CONTRACT
def test_a_compiled_call_is_an_eager_one(make, x):
    layer = make()
    compiled = tf.function(lambda rows: layer(rows), input_signature=[tf.TensorSpec((None, *x.shape[1:]), x.dtype)])
    np.testing.assert_allclose(compiled(x), layer(x), rtol=1e-5, atol=1e-6)


@CONTRACT
def test_every_trainable_weight_gets_a_gradient(make, x):
    layer = make()
    out = layer(x, training=True)
    with tf.GradientTape() as tape:
        out = layer(x, training=True)
        error = tf.reduce_sum(tf.square(out - RANDOM.normal(size=out.shape).astype("float32")))
    for weight, gradient in zip(layer.trainable_weights, tape.gradient(error, layer.trainable_weights), strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6, weight.path


@CONTRACT
def test_half_precision_keeps_float32_weights_and_finite_answers(make, x):
    whole, half = make(), make(dtype="mixed_float16")
    expected, said = whole(x), half(x)
    assert all(weight.dtype == "float32" for weight in half.trainable_weights)
    assert said.dtype == "float16"
    assert np.isfinite(said).all()
    assert np.isfinite(half(x, training=True)).all()
    half.set_weights(whole.get_weights())
    np.testing.assert_allclose(half(x), expected, rtol=2e-2, atol=2e-2)


@CONTRACT
def test_the_same_seed_gives_the_same_answers(make, x):
    said = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        layer = make()
        said.append((np.asarray(layer(x)), np.asarray(layer(x, training=True))))
    np.testing.assert_array_equal(said[0][0], said[1][0])
    np.testing.assert_array_equal(said[0][1], said[1][1])
    if layer.trainable_weights:
        assert np.abs(said[0][0] - said[2][0]).max() > 1e-3


@CONTRACT
def test_nothing_is_random_but_in_training(make, x):
    layer = make()
    np.testing.assert_array_equal(layer(x), layer(x))
    np.testing.assert_array_equal(layer(x), layer(x, training=False))


@pytest.mark.parametrize("name", DROPS)
def test_training_drops_other_units_each_time(name):
    make, x = CASES[name]
    layer = make()
    first, second = np.asarray(layer(x, training=True)), np.asarray(layer(x, training=True))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("name", DROPS)
def test_without_dropout_training_draws_nothing(name):
    x = CASES[name][1]
    layer = layers.EnsembleMLP([5, 6], 4) if "Ensemble" in name else layers.MLP([5, 6], normalization="layer")
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=True))
