import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference_attention import rotate_by_position
from tests.layers.reference_conv import RANDOM
from tfkit.layers import PositionalEmbedding
from tfkit.layers.attention.positions import rotate

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def test_learned_positions_are_added():
    layer, x = PositionalEmbedding(7), rows(3, 5, 4)
    outputs, table = layer(x), layer.table.numpy()
    np.testing.assert_allclose(outputs, x + table[:5], **CLOSE)
    assert table.shape == (7, 4)
    assert layer.count_params() == 7 * 4


def test_learned_positions_are_initialized_near_zero():
    layer = PositionalEmbedding(100)
    layer.build((None, None, 64))
    assert layer.table.numpy().std() == pytest.approx(0.02, rel=0.05)


def test_fixed_length_is_inferred():
    layer = PositionalEmbedding()
    layer.build((None, 5, 4))
    assert layer.table.shape == (5, 4)


def test_sinusoids_match_the_paper():
    layer, x = PositionalEmbedding(kind="sinusoidal"), rows(2, 50, 6)
    expected = np.zeros((50, 6))
    for t in range(50):
        for i in range(3):
            expected[t, i] = np.sin(t / 10000 ** (2 * i / 6))
            expected[t, 3 + i] = np.cos(t / 10000 ** (2 * i / 6))
    np.testing.assert_allclose(layer(x) - x, np.stack([expected] * 2), **CLOSE)
    assert layer.count_params() == 0


@pytest.mark.parametrize("kind", ["learned", "sinusoidal"])
def test_mask_is_passed_on_and_longer_inputs_raise(kind):
    layer = PositionalEmbedding(3, kind=kind)
    codes = np.array([[1, 2, 0]])
    outputs = layer(keras.layers.Embedding(5, 4, mask_zero=True)(codes))
    np.testing.assert_array_equal(outputs._keras_mask, codes > 0)
    message = r"at most `max_length` steps.* Received: max_length=3, input_shape=\({}, 4, 4\)"
    with pytest.raises(ValueError, match=message.format(2)):
        layer(rows(2, 4, 4))
    with pytest.raises(ValueError, match=message.format("None")):
        layer(keras.Input((4, 4)))


@pytest.mark.parametrize("longest", [1, 3])
def test_longer_inputs_raise_for_dynamic_lengths(longest):
    layer = PositionalEmbedding(longest)
    layer.build((None, None, 4))
    compiled = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec((None, None, 4))])
    np.testing.assert_allclose(compiled(rows(2, longest, 4)).shape, (2, longest, 4))
    with pytest.raises(tf.errors.InvalidArgumentError):
        compiled(rows(2, 4, 4))


def test_rotary_positions_are_rotations_of_the_plane():
    x = rows(2, 3, 9, 6)
    for row, outputs in zip(x.reshape(6, 9, 6), np.reshape(rotate(x), (6, 9, 6)), strict=True):
        np.testing.assert_allclose(outputs, rotate_by_position(row.astype("float64")), **CLOSE)


def test_rotary_products_depend_on_the_distance_only():
    query, key = rows(8), rows(8)
    queries, keys = (np.asarray(rotate(np.tile(vector, (40, 1)))).astype("float64") for vector in (query, key))
    products = queries @ keys.T
    for distance in range(-39, 40):
        products_at_distance = np.diagonal(products, distance)
        np.testing.assert_allclose(products_at_distance, products_at_distance[0], rtol=1e-4, atol=1e-4)
    assert np.std(products[:, 0]) > 0.1
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), np.linalg.norm(query), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "rotary"}, "`kind` must be 'learned' or 'sinusoidal'. Received: 'rotary'"),
        ({"max_length": 0}, "`max_length` must be at least 1, or None. Received: 0"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositionalEmbedding(**arguments)


def test_learned_positions_need_a_length():
    with pytest.raises(ValueError, match=r"`max_length` must be set.* Received: input_shape=\(None, None, 4\)"):
        PositionalEmbedding().build((None, None, 4))


def test_sinusoidal_positions_need_an_even_dim():
    with pytest.raises(ValueError, match=r"must be even.* Received: input_shape=\(None, 4, 3\)"):
        PositionalEmbedding(kind="sinusoidal").build((None, 4, 3))
