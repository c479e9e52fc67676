import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.reference_attention import cross_attention, self_attention
from tests.layers.reference_conv import RANDOM, built, series, weights
from tfkit.layers import CrossAttention, SelfAttention
from tfkit.layers.attention import attend

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


# SelfAttention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("positions", [None, "rotary"])
@pytest.mark.parametrize("num_heads", [1, 3])
def test_output_is_that_of_numpy(masked, causal, positions, num_heads):
    layer = built(SelfAttention(num_heads, causal=causal, positions=positions), (None, None, 12))
    parts, x, mask = series([7, 3, 1], 12, hidden=50.0 if masked else 0.0)
    options = {"causal": causal, "rotary": positions == "rotary"}
    said = layer(x, mask=mask if masked else None)
    for i, row in enumerate(parts if masked else x.astype("float64")):
        expected = self_attention(row, weights(layer), num_heads, **options)
        np.testing.assert_allclose(said[i, : len(row)], expected, **CLOSE)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_attention_of_keras(masked, causal):
    layer, theirs = built(SelfAttention(4, causal=causal), (None, None, 12)), keras.layers.MultiHeadAttention(4, 3)
    _, x, mask = series([7, 3, 1], 12, hidden=0.0)
    theirs.build(x.shape, x.shape)
    kernel, bias, *last = layer.get_weights()
    cut = [
        (k.reshape(12, 4, 3), b.reshape(4, 3)) for k, b in zip(np.split(kernel, 3, 1), np.split(bias, 3), strict=True)
    ]
    theirs.set_weights([*sum(cut, ()), last[0].reshape(4, 3, 12), last[1]])
    mask = mask if masked else np.ones_like(mask)
    expected = theirs(x, x, key_mask=mask, use_causal_mask=causal)
    np.testing.assert_allclose(layer(x, mask=mask)[mask], np.asarray(expected)[mask], **CLOSE)


@pytest.mark.parametrize("positions", [None, "rotary"])
def test_a_causal_step_knows_nothing_of_the_future(positions):
    layer, x, other = SelfAttention(2, causal=True, positions=positions), rows(2, 8, 4), rows(2, 8, 4)
    other[:, :5] = x[:, :5]
    one, two = np.asarray(layer(x)), np.asarray(layer(other))
    np.testing.assert_array_equal(one[:, :5], two[:, :5])
    assert np.abs(one[:, 5:] - two[:, 5:]).min(axis=-1).max() > 1e-3


def test_without_positions_steps_are_a_bag_and_with_them_they_are_not():
    x, order = rows(1, 6, 8), RANDOM.permutation(6)
    for positions, bag in ((None, True), ("rotary", False)):
        layer = built(SelfAttention(2, positions=positions), x.shape)
        one, two = np.asarray(layer(x))[:, order], np.asarray(layer(x[:, order]))
        assert np.allclose(one, two, **CLOSE) == bag


@pytest.mark.parametrize("shift", [1, 5, 200])
def test_rotary_positions_are_distances(shift):
    layer, x = built(SelfAttention(2, positions="rotary"), (None, None, 8)), rows(2, 6, 8)
    later = np.concatenate([rows(2, shift, 8), x], axis=1)
    mask = np.arange(6 + shift) >= shift
    said = layer(later, mask=np.stack([mask, mask]))
    np.testing.assert_allclose(said[:, shift:], layer(x), rtol=1e-4, atol=1e-4)  # sines of large angles in float32


def test_a_row_that_is_hidden_whole_takes_nothing_from_anywhere():
    layer, x = built(SelfAttention(2), (None, None, 8)), rows(2, 5, 8)
    said = np.asarray(layer(x, mask=np.array([[True] * 5, [False] * 5])))
    np.testing.assert_allclose(said[1], np.tile(layer.get_weights()[-1], (5, 1)), **CLOSE)  # the last bias


def test_half_precision_hides_as_well_as_float32():
    layer = built(SelfAttention(2, causal=True, dtype="mixed_float16"), (None, None, 8))
    parts, x, mask = series([6, 2], 8, hidden=50.0)
    x, mask = np.concatenate([x, x[:1]]), np.concatenate([mask, np.zeros_like(mask[:1])])
    said = np.asarray(layer(x, mask=mask))
    assert said.dtype == "float16"
    assert np.isfinite(said).all()
    for i, row in enumerate(parts):
        np.testing.assert_allclose(
            said[i, : len(row)], self_attention(row, weights(layer), 2, causal=True), rtol=2e-2, atol=2e-2
        )


def test_the_mask_of_an_embedding_arrives():
    codes = np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embedding, layer = keras.layers.Embedding(5, 8, mask_zero=True), SelfAttention(2)
    said, table = layer(embedding(codes)), np.asarray(embedding.embeddings)
    np.testing.assert_allclose(said, layer(table[codes], mask=codes > 0), **CLOSE)
    np.testing.assert_array_equal(said._keras_mask, codes > 0)
    assert np.abs(said - layer(table[codes])).max() > 1e-3


def test_dropout_drops_looks_and_scales_what_is_left():
    layer, x = SelfAttention(2, dropout=0.3), rows(8, 40, 4)
    layer.build(x.shape)
    layer.project.kernel.assign(np.zeros((4, 12)))  # all looks alike, all values 1
    layer.project.bias.assign([0] * 8 + [1] * 4)
    layer.output_dense.kernel.assign(np.eye(4))
    np.testing.assert_allclose(layer(x), np.ones((8, 40, 4)), **CLOSE)
    said = np.asarray(layer(x, training=True))
    kept = said * 40 * 0.7  # how many of 40 looks are left, each worth 1 / (40 * 0.7)
    np.testing.assert_allclose(kept, np.round(kept), atol=2e-3)
    np.testing.assert_array_equal(said[..., 0], said[..., 1])  # of one head
    assert np.abs(said[..., 0] - said[..., 2]).max() > 0  # of two
    assert kept[..., ::2].mean() / 40 == pytest.approx(0.7, abs=0.01)  # of 25,600: sigma 0.003


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_what_is_written_out_is_what_keras_does_in_one(causal, masked):
    """The path of other backends, which is taken here by nobody else."""
    query, key, value = rows(3, 2, 6, 4), rows(3, 2, 6, 4), rows(3, 2, 6, 4)
    mask = np.arange(6) < np.array([[6], [4], [1]])
    swapped = (ops.swapaxes(one, 1, 2) for one in (query, key, value))
    expected = ops.dot_product_attention(*swapped, mask=mask[:, None, None] if masked else None, is_causal=causal)
    said = attend(*map(ops.convert_to_tensor, (query, key, value)), mask=mask if masked else None, causal=causal)
    np.testing.assert_allclose(said, ops.reshape(expected, (3, 6, 8)), **CLOSE)


# CrossAttention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("num_heads", [1, 3])
def test_cross_attention_is_that_of_numpy_and_of_keras(masked, num_heads):
    layer, theirs = CrossAttention(num_heads), keras.layers.MultiHeadAttention(num_heads, 12 // num_heads)
    x, (parts, memory, mask) = rows(3, 4, 12), series([7, 3, 1], 5, hidden=50.0 if masked else 1.0)
    layer.build(x.shape, memory.shape)
    layer.set_weights([0.3 * RANDOM.normal(size=w.shape) for w in layer.get_weights()])
    mask = mask if masked else np.ones_like(mask)
    said = layer(x, memory, memory_mask=mask)
    for i in range(3):
        row = parts[i] if masked else memory[i].astype("float64")
        expected = cross_attention(x[i].astype("float64"), row, weights(layer), num_heads)
        np.testing.assert_allclose(said[i], expected, **CLOSE)
    theirs.build(x.shape, memory.shape)
    query, bias, both, biases, last, shift = layer.get_weights()
    cut = (num_heads, 12 // num_heads)
    theirs.set_weights(
        [
            query.reshape(12, *cut),
            bias.reshape(cut),
            both[:, :12].reshape(5, *cut),
            biases[:12].reshape(cut),
            both[:, 12:].reshape(5, *cut),
            biases[12:].reshape(cut),
            last.reshape(*cut, 12),
            shift,
        ]
    )
    np.testing.assert_allclose(said, theirs(x, memory, key_mask=mask), **CLOSE)


def test_a_memory_that_is_hidden_whole_is_no_memory():
    layer, x, memory = CrossAttention(2), rows(2, 3, 4), rows(2, 5, 4)
    layer.build(x.shape, memory.shape)
    layer.output_dense.bias.assign([1, 2, 3, 4])
    said = np.asarray(layer(x, memory, memory_mask=np.array([[True] * 5, [False] * 5])))
    np.testing.assert_allclose(said[1], [[1, 2, 3, 4]] * 3, **CLOSE)
    assert np.abs(said[0] - said[1]).max() > 1e-3


def test_the_mask_of_the_memory_arrives_and_that_of_the_first_input_goes_on():
    codes, others = np.array([[3, 1, 0], [4, 0, 0]]), np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embedding, layer = keras.layers.Embedding(5, 8, mask_zero=True), CrossAttention(2)
    said, table = layer(embedding(codes), embedding(others)), np.asarray(embedding.embeddings)
    np.testing.assert_allclose(said, layer(table[codes], table[others], memory_mask=others > 0), **CLOSE)
    np.testing.assert_array_equal(said._keras_mask, codes > 0)


# Both


def test_count_of_weights():
    alone, other = SelfAttention(2), CrossAttention(2)
    alone.build((None, None, 6))
    other.build((None, None, 6), (None, None, 10))
    assert alone.count_params() == 4 * 6 * 6 + 4 * 6
    assert other.count_params() == 2 * 6 * 6 + 2 * 10 * 6 + 4 * 6


def test_where_the_kernels_begin():
    layer = SelfAttention(2)
    layer.build((None, None, 256))
    w = weights(layer)
    assert w["query_key_value/kernel"].std() == pytest.approx(1 / 16, rel=0.02)
    assert w["output/kernel"].std() == pytest.approx(1 / 16, rel=0.02)
    assert not w["query_key_value/bias"].any()


@pytest.mark.parametrize("kind", [SelfAttention, CrossAttention])
def test_penalties_are_of_the_kernels_alone(kind):
    layer = kind(2, l1=0.01, l2=0.1)
    layer(*[rows(2, 3, 4)] * (1 if kind is SelfAttention else 2))
    layer.set_weights([RANDOM.normal(size=w.shape) for w in layer.get_weights()])
    kernels = [value for path, value in weights(layer).items() if path.endswith("kernel")]
    expected = sum(0.01 * np.abs(k).sum() + 0.1 * (k**2).sum() for k in kernels)
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
def test_what_cannot_be_is_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_other_positions_are_refused():
    with pytest.raises(ValueError, match=r"`positions` must be 'rotary' or None\. Received: 'learnt'"):
        SelfAttention(positions="learnt")


def test_heads_are_of_equal_size():
    message = (
        r"`num_heads` must divide the last axis of the input, so that heads are of equal size. "
        r"Received: num_heads=3, input_shape=\(2, 5, 4\)"
    )
    with pytest.raises(ValueError, match=message):
        SelfAttention(3).build((2, 5, 4))
    with pytest.raises(ValueError, match=message):
        CrossAttention(3).build((2, 5, 4), (2, 7, 6))


def test_rotary_heads_are_of_even_size():
    with pytest.raises(ValueError, match=r"even size. Received: num_heads=2, input_shape=\(2, 5, 6\)"):
        SelfAttention(2, positions="rotary").build((2, 5, 6))
