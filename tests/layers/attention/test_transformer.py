import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference_attention import block, stack
from tests.layers.reference_conv import RANDOM, built, series, sublayer_weights, weights
from tfkit.layers import TransformerDecoder, TransformerEncoder

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
STACK = {"depth": 2, "units": 10, "activation": "tanh"}


def rows(*shape):
    return RANDOM.normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("causal", "positions", "normalization"),
    [
        (False, None, "layer"),
        (True, "rotary", "layer"),
        (True, None, "rms"),
        (False, "rotary", "rms"),
    ],
)
def test_encoder_matches_numpy_with_padding(causal, positions, normalization):
    layer = TransformerEncoder(3, causal=causal, positions=positions, normalization=normalization, **STACK)
    layer = built(layer, (None, None, 12))
    sequences, x, mask = series([7, 3, 1], 12)
    outputs = np.asarray(layer(x, mask=mask))
    options = {"kind": normalization, "causal": causal, "rotary": positions == "rotary"}
    for index, row in enumerate(sequences):
        np.testing.assert_allclose(outputs[index, : len(row)], stack(row, weights(layer), 3, 2, **options), **CLOSE)
    np.testing.assert_allclose(layer(x[:1, :7])[0], outputs[0, :7], **CLOSE)  # and without a mask
    assert np.isfinite(layer(x, mask=np.zeros_like(mask))).all()


@pytest.mark.parametrize("normalization", ["layer", "rms"])
@pytest.mark.parametrize("positions", [None, "rotary"])
def test_decoder_matches_numpy_with_padding(normalization, positions):
    layer = TransformerDecoder(3, positions=positions, normalization=normalization, **STACK)
    sequences, x, mask = series([4, 6, 1, 3], 12)
    memory_rows, memory, memory_mask = series([7, 3, 1, 5], 5)
    layer.build((None, None, 12), (None, None, 5))
    layer.set_weights([RANDOM.normal(size=array.shape) / array.shape[0] ** 0.5 for array in layer.get_weights()])
    outputs = np.asarray(layer(x, memory, targets_mask=mask, memory_mask=memory_mask))
    options = {"kind": normalization, "causal": True, "rotary": positions == "rotary"}
    for index, (row, memory_row) in enumerate(zip(sequences, memory_rows, strict=True)):
        expected = stack(row, weights(layer), 3, 2, memory=memory_row, **options)
        np.testing.assert_allclose(outputs[index, : len(row)], expected, **CLOSE)
    unmasked = layer(x[:1, :4], memory[:1, :7])
    np.testing.assert_allclose(unmasked[0], outputs[0, :4], **CLOSE)  # and without masks
    memory_mask[0] = False
    assert np.isfinite(layer(x, memory, targets_mask=mask, memory_mask=memory_mask)).all()


def test_decoder_without_memory_equals_a_causal_encoder():
    _, x, mask = series([4, 6, 1], 12)
    decoder = built(TransformerDecoder(3, positions="rotary", **STACK), (None, None, 12))
    encoder = TransformerEncoder(3, positions="rotary", causal=True, **STACK)
    encoder.build((None, None, 12))
    encoder.set_weights(decoder.get_weights())
    np.testing.assert_array_equal(decoder(x, mask=mask), encoder(x, mask=mask))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (TransformerEncoder, {"causal": True}),
        (TransformerEncoder, {"causal": True, "positions": "rotary"}),
        (TransformerDecoder, {}),
    ],
)
def test_causal_output_does_not_depend_on_later_steps(kind, arguments):
    layer, x, changed = kind(2, depth=2, **arguments), rows(2, 8, 4), rows(2, 8, 4)
    changed[:, :5] = x[:, :5]
    before, after = np.asarray(layer(x)), np.asarray(layer(changed))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).min(axis=-1).max() > 1e-3


def test_output_depends_on_later_steps_if_not_causal():
    layer, x = TransformerEncoder(2), rows(2, 8, 4)
    before = np.asarray(layer(x))
    x[:, 7, 0] += 3.0
    assert np.abs(before - layer(x))[:, 0].max() > 1e-4


def test_masks_of_embeddings_are_used_and_passed_on():
    codes, memory_codes = np.array([[3, 1, 0], [4, 0, 0]]), np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embedding = keras.layers.Embedding(5, 8, mask_zero=True)
    encoder, decoder = TransformerEncoder(2, depth=2), TransformerDecoder(2, depth=2)
    inputs = [keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")]
    memory = encoder(embedding(inputs[1]))
    model = keras.Model(inputs, [memory, decoder(embedding(inputs[0]), memory)])
    memory, outputs = model([codes, memory_codes])
    table = np.asarray(embedding.embeddings)
    expected = encoder(table[memory_codes], mask=memory_codes > 0)
    np.testing.assert_allclose(memory, expected, **CLOSE)
    np.testing.assert_array_equal(memory._keras_mask, memory_codes > 0)
    expected = decoder(table[codes], expected, targets_mask=codes > 0, memory_mask=memory_codes > 0)
    np.testing.assert_allclose(outputs, expected, **CLOSE)
    np.testing.assert_array_equal(outputs._keras_mask, codes > 0)
    assert np.abs(expected - decoder(table[codes], encoder(table[memory_codes]))).max() > 1e-3
    single_input = TransformerDecoder(2)  # with one input, Keras uses another name for the mask
    np.testing.assert_allclose(single_input(embedding(codes)), single_input(table[codes], mask=codes > 0), **CLOSE)
    assert np.abs(single_input(table[codes]) - single_input(table[codes], mask=codes > 0)).max() > 0


def test_decoder_memory_must_match_the_first_call():
    without, with_memory, x = TransformerDecoder(2), TransformerDecoder(2), rows(2, 3, 4)
    without(x)
    with_memory(x, x)
    with pytest.raises(ValueError, match=r"always or never.* Received: a memory now: True, in the first call: False"):
        without(x, x)
    with pytest.raises(ValueError, match=r"always or never.* Received: a memory now: False, in the first call: True"):
        with_memory(x)


@pytest.mark.parametrize(("units", "width"), [(None, 24), (10, 10)])
def test_number_of_weights(units, width):
    layer_norm = TransformerEncoder(2, depth=3, units=units)
    rms = TransformerEncoder(2, units=units, normalization="rms")
    decoder, without_memory = (TransformerDecoder(2, depth=3, units=units) for _ in range(2))
    for layer in (layer_norm, rms, without_memory):
        layer.build((None, None, 6))
    decoder.build((None, None, 6), (None, None, 5))
    block_weights = 4 * 6 * 6 + 2 * 6 * width + 5 * 6 + width
    assert layer_norm.count_params() == without_memory.count_params() == 3 * block_weights + 2 * 6
    assert rms.count_params() == block_weights + 6
    assert decoder.count_params() == 3 * block_weights + 2 * 6 + 3 * (2 * 6 * 6 + 2 * 5 * 6 + 4 * 6)


def test_kernels_preserve_the_variance():
    layer = TransformerDecoder(4, depth=2)
    layer.build((None, None, 128), (None, None, 128))
    kernels = {name: value for name, value in weights(layer).items() if name.endswith("kernel")}
    assert len(kernels) == 14
    for name, value in kernels.items():
        assert value.std() == pytest.approx(len(value) ** -0.5, rel=0.02), name


def branch_outcomes(layer, block_index, x, drop_rate):
    """Return the possible outputs of a block and their probabilities, by the branches kept."""
    block_values = sublayer_weights(weights(layer), f"block_{block_index}")
    outputs = {}
    for kept_branches in np.ndindex(2, 2):
        attention, feed_forward = (is_kept / (1 - drop_rate) for is_kept in kept_branches)
        probability = np.prod([1 - drop_rate if is_kept else drop_rate for is_kept in kept_branches])
        outputs[kept_branches] = block(x, block_values, 2, factors=(attention, 0, feed_forward)), probability
    return outputs


def test_stochastic_depth_rate_grows_with_the_block():
    layer, row = TransformerEncoder(2, depth=2, units=3, activation="tanh", stochastic_depth=0.6), rows(3, 4)
    layer.build((None, 3, 4))
    x = np.tile(row, (4000, 1, 1))
    for block_index, drop_rate in ((0, 0.3), (1, 0.6)):
        outputs = np.asarray(layer.blocks[block_index](x, training=True))
        num_matched = 0
        for expected, probability in branch_outcomes(layer, block_index, row.astype("float64"), drop_rate).values():
            matches = np.abs(outputs - expected).max((1, 2)) < 1e-3  # the dropout rate has 16 bits: an error of 1e-5
            assert matches.mean() == pytest.approx(probability, abs=0.035)  # of 4,000: sigma at most 0.008
            num_matched += matches.sum()
        assert num_matched == 4000
    np.testing.assert_array_equal(layer(x[:5]), layer(x[:5], training=False))


def test_dropout_drops_branch_outputs():
    layer, x = TransformerEncoder(2, dropout=0.4), rows(50, 20, 8)
    layer.build(x.shape)
    layer.set_weights([np.zeros(array.shape) for array in layer.get_weights()])
    layer.blocks[0].contract.bias.assign(np.ones(8))  # the branch adds 1
    added = np.asarray(layer.blocks[0](x, training=True)) - x
    assert (added < 0.5).mean() == pytest.approx(0.4, abs=0.02)  # of 8,000: sigma 0.005
    np.testing.assert_allclose(added[added > 0.5], 1 / 0.6, rtol=1e-4)
    np.testing.assert_allclose(layer.blocks[0](x), x + 1.0, **CLOSE)


def test_attention_dropout_affects_attention_only():
    layer, x = TransformerEncoder(2, attention_dropout=0.4), rows(5, 6, 8)
    dropped_out = np.asarray(layer(x, training=True))
    assert np.abs(dropped_out - layer(x)).max() > 1e-3
    layer.blocks[0].attention.output_dense.kernel.assign(np.zeros((8, 8)))
    np.testing.assert_array_equal(layer(x, training=True), layer(x))


@pytest.mark.parametrize("kind", [TransformerEncoder, TransformerDecoder])
def test_only_kernels_are_regularized(kind):
    layer = kind(2, depth=2, l1=0.01, l2=0.1)
    layer(rows(2, 3, 4)) if kind is TransformerEncoder else layer(rows(2, 3, 4), rows(2, 3, 4))
    kernels = [value for path, value in weights(layer).items() if path.endswith("kernel")]
    assert len(kernels) == 2 * (4 if kind is TransformerEncoder else 7)
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_exported_model_predicts_the_same(tmp_path):
    codes, memory_codes = (keras.Input((None,), dtype="int32", name=name) for name in ("codes", "memory_codes"))
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    memory = TransformerEncoder(2, depth=2, positions="rotary", dropout=0.5)(embedding(memory_codes))
    model = keras.Model([codes, memory_codes], TransformerDecoder(2, positions="rotary")(embedding(codes), memory))
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(tmp_path)
    for time in (3, 7):
        x = [RANDOM.integers(0, 9, (4, time)).astype("int32"), RANDOM.integers(0, 9, (4, time + 2)).astype("int32")]
        np.testing.assert_allclose(served.serve(x), model(x), **CLOSE)


@pytest.mark.parametrize("kind", [TransformerEncoder, TransformerDecoder])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be at least 1. Received: 0"),
        ({"depth": 0}, "`depth` must be at least 1, and `units` too, or None. Received: depth=0, units=None"),
        ({"units": 0}, "`depth` must be at least 1, and `units` too, or None. Received: depth=1, units=0"),
        ({"normalization": "batch"}, "`normalization` must be 'layer' or 'rms'. Received: 'batch'"),
        ({"positions": "learned"}, "`positions` must be 'rotary' or None. Received: 'learned'"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        ({"attention_dropout": 1.0}, r"must be in \[0, 1\). Received: attention_dropout=1.0, stochastic_depth=0.0"),
        ({"stochastic_depth": -0.1}, r"must be in \[0, 1\). Received: attention_dropout=0.0, stochastic_depth=-0.1"),
        ({"l1": -1}, "`l1` and `l2` must be at least 0. Received: l1=-1, l2=0.0"),
        ({"l2": -1}, "`l1` and `l2` must be at least 0. Received: l1=0.0, l2=-1"),
    ],
)
def test_invalid_arguments_raise(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


@pytest.mark.parametrize("kind", [TransformerEncoder, TransformerDecoder])
def test_number_of_heads_must_divide_the_last_axis(kind):
    message = (
        r"`num_heads` must divide the last axis of the input, so that all heads have the same size. "
        r"Received: num_heads=3, input_shape=\(2, 5, 4\)"
    )
    with pytest.raises(ValueError, match=message):
        kind(3)(rows(2, 5, 4))
