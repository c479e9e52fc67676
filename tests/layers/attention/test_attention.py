import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.reference_attention import cross_attention, self_attention
from tests.layers.reference_conv import RANDOM, built, series, weights
from tfkit.layers import CrossAttention, SelfAttention
from tfkit.layers.attention.attention import attend

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


# SelfAttention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("positions", [None, "rotary"])
@pytest.mark.parametrize("num_heads", [1, 3])
def test_output_matches_numpy(masked, causal, positions, num_heads):
    layer = built(SelfAttention(num_heads, causal=causal, positions=positions), (None, None, 12))
    sequences, x, mask = series([7, 3, 1], 12, padding_value=50.0 if masked else 0.0)
    options = {"causal": causal, "rotary": positions == "rotary"}
    outputs = layer(x, mask=mask if masked else None)
    for index, row in enumerate(sequences if masked else x.astype("float64")):
        expected = self_attention(row, weights(layer), num_heads, **options)
        np.testing.assert_allclose(outputs[index, : len(row)], expected, **CLOSE)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_output_matches_keras_attention(masked, causal):
    layer, keras_layer = built(SelfAttention(4, causal=causal), (None, None, 12)), keras.layers.MultiHeadAttention(4, 3)
    _, x, mask = series([7, 3, 1], 12, padding_value=0.0)
    keras_layer.build(x.shape, x.shape)
    kernel, bias, *output_weights = layer.get_weights()
    head_shapes = [
        (kernel_part.reshape(12, 4, 3), bias_part.reshape(4, 3))
        for kernel_part, bias_part in zip(np.split(kernel, 3, 1), np.split(bias, 3), strict=True)
    ]
    keras_layer.set_weights([*sum(head_shapes, ()), output_weights[0].reshape(4, 3, 12), output_weights[1]])
    mask = mask if masked else np.ones_like(mask)
    expected = keras_layer(x, x, key_mask=mask, use_causal_mask=causal)
    np.testing.assert_allclose(layer(x, mask=mask)[mask], np.asarray(expected)[mask], **CLOSE)


@pytest.mark.parametrize("positions", [None, "rotary"])
def test_causal_output_does_not_depend_on_later_steps(positions):
    layer, x, changed = SelfAttention(2, causal=True, positions=positions), rows(2, 8, 4), rows(2, 8, 4)
    changed[:, :5] = x[:, :5]
    before, after = np.asarray(layer(x)), np.asarray(layer(changed))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).min(axis=-1).max() > 1e-3


def test_only_without_positions_output_is_permutation_equivariant():
    x, order = rows(1, 6, 8), RANDOM.permutation(6)
    for positions, order_invariant in ((None, True), ("rotary", False)):
        layer = built(SelfAttention(2, positions=positions), x.shape)
        permuted_output, output_of_permuted = np.asarray(layer(x))[:, order], np.asarray(layer(x[:, order]))
        assert np.allclose(permuted_output, output_of_permuted, **CLOSE) == order_invariant


@pytest.mark.parametrize("offset", [1, 5, 200])
def test_rotary_positions_are_relative(offset):
    layer, x = built(SelfAttention(2, positions="rotary"), (None, None, 8)), rows(2, 6, 8)
    shifted = np.concatenate([rows(2, offset, 8), x], axis=1)
    mask = np.arange(6 + offset) >= offset
    outputs = layer(shifted, mask=np.stack([mask, mask]))
    np.testing.assert_allclose(outputs[:, offset:], layer(x), rtol=1e-4, atol=1e-4)  # sines of large angles in float32


def test_fully_masked_row_gives_the_output_bias():
    layer, x = built(SelfAttention(2), (None, None, 8)), rows(2, 5, 8)
    outputs = np.asarray(layer(x, mask=np.array([[True] * 5, [False] * 5])))
    np.testing.assert_allclose(outputs[1], np.tile(layer.get_weights()[-1], (5, 1)), **CLOSE)  # the last bias


def test_masking_works_in_half_precision():
    layer = built(SelfAttention(2, causal=True, dtype="mixed_float16"), (None, None, 8))
    sequences, x, mask = series([6, 2], 8, padding_value=50.0)
    x, mask = np.concatenate([x, x[:1]]), np.concatenate([mask, np.zeros_like(mask[:1])])
    outputs = np.asarray(layer(x, mask=mask))
    assert outputs.dtype == "float16"
    assert np.isfinite(outputs).all()
    for index, row in enumerate(sequences):
        np.testing.assert_allclose(
            outputs[index, : len(row)], self_attention(row, weights(layer), 2, causal=True), rtol=2e-2, atol=2e-2
        )


def test_mask_of_an_embedding_is_used_and_passed_on():
    codes = np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embedding, layer = keras.layers.Embedding(5, 8, mask_zero=True), SelfAttention(2)
    outputs, table = layer(embedding(codes)), np.asarray(embedding.embeddings)
    np.testing.assert_allclose(outputs, layer(table[codes], mask=codes > 0), **CLOSE)
    np.testing.assert_array_equal(outputs._keras_mask, codes > 0)
    assert np.abs(outputs - layer(table[codes])).max() > 1e-3


def test_dropout_drops_attention_weights_and_rescales():
    layer, x = SelfAttention(2, dropout=0.3), rows(8, 40, 4)
    layer.build(x.shape)
    layer.project.kernel.assign(np.zeros((4, 12)))  # equal attention weights, all values 1
    layer.project.bias.assign([0] * 8 + [1] * 4)
    layer.output_dense.kernel.assign(np.eye(4))
    np.testing.assert_allclose(layer(x), np.ones((8, 40, 4)), **CLOSE)
    outputs = np.asarray(layer(x, training=True))
    num_kept = outputs * 40 * 0.7  # number of the 40 attention weights kept, each 1 / (40 * 0.7)
    np.testing.assert_allclose(num_kept, np.round(num_kept), atol=2e-3)
    np.testing.assert_array_equal(outputs[..., 0], outputs[..., 1])  # same head
    assert np.abs(outputs[..., 0] - outputs[..., 2]).max() > 0  # different heads
    assert num_kept[..., ::2].mean() / 40 == pytest.approx(0.7, abs=0.01)  # of 25,600: sigma 0.003


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_explicit_attention_matches_the_fused_kernel(causal, masked):
    """Test the code path of other backends, which no other test uses."""
    query, key, value = rows(3, 2, 6, 4), rows(3, 2, 6, 4), rows(3, 2, 6, 4)
    mask = np.arange(6) < np.array([[6], [4], [1]])
    swapped = (ops.swapaxes(tensor, 1, 2) for tensor in (query, key, value))
    expected = ops.dot_product_attention(*swapped, mask=mask[:, None, None] if masked else None, is_causal=causal)
    outputs = attend(*map(ops.convert_to_tensor, (query, key, value)), mask=mask if masked else None, causal=causal)
    np.testing.assert_allclose(outputs, ops.reshape(expected, (3, 6, 8)), **CLOSE)


# CrossAttention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("num_heads", [1, 3])
def test_cross_attention_matches_numpy_and_keras(masked, num_heads):
    layer, keras_layer = CrossAttention(num_heads), keras.layers.MultiHeadAttention(num_heads, 12 // num_heads)
    x, (sequences, memory, mask) = rows(3, 4, 12), series([7, 3, 1], 5, padding_value=50.0 if masked else 1.0)
    layer.build(x.shape, memory.shape)
    layer.set_weights([0.3 * RANDOM.normal(size=array.shape) for array in layer.get_weights()])
    mask = mask if masked else np.ones_like(mask)
    outputs = layer(x, memory, memory_mask=mask)
    for index in range(3):
        row = sequences[index] if masked else memory[index].astype("float64")
        expected = cross_attention(x[index].astype("float64"), row, weights(layer), num_heads)
        np.testing.assert_allclose(outputs[index], expected, **CLOSE)
    keras_layer.build(x.shape, memory.shape)
    query, query_bias, key_value, key_value_bias, output_weights, offset = layer.get_weights()
    head_shapes = (num_heads, 12 // num_heads)
    keras_layer.set_weights(
        [
            query.reshape(12, *head_shapes),
            query_bias.reshape(head_shapes),
            key_value[:, :12].reshape(5, *head_shapes),
            key_value_bias[:12].reshape(head_shapes),
            key_value[:, 12:].reshape(5, *head_shapes),
            key_value_bias[12:].reshape(head_shapes),
            output_weights.reshape(*head_shapes, 12),
            offset,
        ]
    )
    np.testing.assert_allclose(outputs, keras_layer(x, memory, key_mask=mask), **CLOSE)


def test_fully_masked_memory_gives_the_output_bias():
    layer, x, memory = CrossAttention(2), rows(2, 3, 4), rows(2, 5, 4)
    layer.build(x.shape, memory.shape)
    layer.output_dense.bias.assign([1, 2, 3, 4])
    outputs = np.asarray(layer(x, memory, memory_mask=np.array([[True] * 5, [False] * 5])))
    np.testing.assert_allclose(outputs[1], [[1, 2, 3, 4]] * 3, **CLOSE)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


def test_memory_mask_is_used_and_query_mask_is_passed_on():
    codes, memory_codes = np.array([[3, 1, 0], [4, 0, 0]]), np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embedding, layer = keras.layers.Embedding(5, 8, mask_zero=True), CrossAttention(2)
    outputs, table = layer(embedding(codes), embedding(memory_codes)), np.asarray(embedding.embeddings)
    np.testing.assert_allclose(outputs, layer(table[codes], table[memory_codes], memory_mask=memory_codes > 0), **CLOSE)
    np.testing.assert_array_equal(outputs._keras_mask, codes > 0)


# Both


def test_number_of_weights():
    self_attention_layer, cross_attention_layer = SelfAttention(2), CrossAttention(2)
    self_attention_layer.build((None, None, 6))
    cross_attention_layer.build((None, None, 6), (None, None, 10))
    assert self_attention_layer.count_params() == 4 * 6 * 6 + 4 * 6
    assert cross_attention_layer.count_params() == 2 * 6 * 6 + 2 * 10 * 6 + 4 * 6


def test_initialization_of_the_kernels():
    layer = SelfAttention(2)
    layer.build((None, None, 256))
    values = weights(layer)
    assert values["query_key_value/kernel"].std() == pytest.approx(1 / 16, rel=0.02)
    assert values["output/kernel"].std() == pytest.approx(1 / 16, rel=0.02)
    assert not values["query_key_value/bias"].any()


@pytest.mark.parametrize("kind", [SelfAttention, CrossAttention])
def test_only_kernels_are_regularized(kind):
    layer = kind(2, l1=0.01, l2=0.1)
    layer(*[rows(2, 3, 4)] * (1 if kind is SelfAttention else 2))
    layer.set_weights([RANDOM.normal(size=array.shape) for array in layer.get_weights()])
    kernels = [value for path, value in weights(layer).items() if path.endswith("kernel")]
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [SelfAttention, CrossAttention])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be at least 1. Received: 0"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        ({"dropout": -0.1}, r"`dropout` must be in \[0, 1\). Received: -0.1"),
        ({"l1": -1}, "`l1` and `l2` must be at least 0. Received: l1=-1, l2=0.0"),
        ({"l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_invalid_arguments_raise(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_unknown_positions_raise():
    with pytest.raises(ValueError, match=r"`positions` must be 'rotary' or None\. Received: 'learned'"):
        SelfAttention(positions="learned")


def test_number_of_heads_must_divide_the_last_axis():
    message = (
        r"`num_heads` must divide the last axis of the input, so that all heads have the same size. "
        r"Received: num_heads=3, input_shape=\(2, 5, 4\)"
    )
    with pytest.raises(ValueError, match=message):
        SelfAttention(3).build((2, 5, 4))
    with pytest.raises(ValueError, match=message):
        CrossAttention(3).build((2, 5, 4), (2, 7, 6))


def test_rotary_positions_need_an_even_head_size():
    with pytest.raises(ValueError, match=r"must be even. Received: num_heads=2, input_shape=\(2, 5, 6\)"):
        SelfAttention(2, positions="rotary").build((2, 5, 6))
