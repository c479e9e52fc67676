import keras
import numpy as np
import pytest

from tests.layers.reference_conv import RANDOM, built, series
from tfkit.layers import AttentionPooling

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def reference(row, query):
    """Pool head by head: its slice of every step, weighted by the product of the step and the query."""
    pooled = []
    for head, values in enumerate(np.split(row, query.shape[1], axis=-1)):
        scores = np.array([step @ query[:, head] for step in row]) / np.sqrt(row.shape[-1])
        weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        pooled.append(sum(weight * value for weight, value in zip(weights, values, strict=True)))
    return np.concatenate(pooled)


@pytest.mark.parametrize("num_heads", [1, 3])
def test_output_matches_numpy_with_padding(num_heads):
    layer = built(AttentionPooling(num_heads), (None, None, 6))
    sequences, x, mask = series([7, 3, 1], 6)
    outputs, query = layer(x, mask=mask), layer.query.numpy().astype("float64")
    for index, row in enumerate(sequences):
        np.testing.assert_allclose(outputs[index], reference(row, query), **CLOSE)
    np.testing.assert_allclose(layer(x[:1, :7])[0], outputs[0], **CLOSE)  # and without a mask


def test_zero_query_gives_the_mean():
    layer = AttentionPooling(2)
    _, x, mask = series([7, 3], 6, padding_value=0.0)
    layer.build(x.shape)
    layer.query.assign(np.zeros((6, 2)))
    np.testing.assert_allclose(layer(x, mask=mask), x.sum(1) / [[7], [3]], **CLOSE)


def test_fully_masked_row_gives_zeros():
    layer, x = AttentionPooling(2), RANDOM.normal(size=(2, 5, 6)).astype("float32")
    outputs = np.asarray(layer(x, mask=np.array([[True] * 5, [False] * 5])))
    np.testing.assert_array_equal(outputs[1], np.zeros(6))
    assert outputs[0].any()


def test_mask_of_an_embedding_is_used_and_not_passed_on():
    codes = np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embedding, layer = keras.layers.Embedding(5, 8, mask_zero=True), AttentionPooling()
    outputs, table = layer(embedding(codes)), np.asarray(embedding.embeddings)
    np.testing.assert_allclose(outputs, layer(table[codes], mask=codes > 0), **CLOSE)
    assert getattr(outputs, "_keras_mask", None) is None


def test_number_and_initialization_of_weights():
    layer = AttentionPooling(4)
    layer.build((None, None, 200))
    assert layer.count_params() == 200 * 4
    assert layer.query.numpy().std() == pytest.approx(0.02, rel=0.1)  # 800 of them: sigma 2.5%


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match=r"`num_heads` must be at least 1. Received: 0"):
        AttentionPooling(0)
    with pytest.raises(ValueError, match=r"`num_heads` must divide .* Received: num_heads=3, input_shape=\(2, 5, 4\)"):
        AttentionPooling(3).build((2, 5, 4))
