import keras
import numpy as np
import pytest

from tfkit.layers import RNNStack

RANDOM = np.random.default_rng(0)
KERAS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
CELLS = pytest.mark.parametrize("cell", KERAS)
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["auto", "loop", "keras"])


def series(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def random_mask(*shape):
    """Create a random mask; one row fully masked, one unmasked, one padded at the end."""
    mask = RANDOM.uniform(size=shape) < 0.6
    mask[0], mask[1], mask[2, shape[1] // 2 :] = False, True, False
    return mask


def built(layer, dim):
    """Build the layer with random weights."""
    layer.build((None, None, dim))
    for weight in layer.weights:
        weight.assign(RANDOM.normal(size=weight.shape) * 0.7)
    return layer


def weights(layer):
    """Return kernel, recurrent kernel and bias of every layer and direction, in float64."""
    values = [weight.numpy().astype("float64") for weight in layer.weights]
    return [values[index : index + 3] for index in range(0, len(values), 3)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, c, kernel, recurrent, bias):
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, h, c, kernel, recurrent, bias):
    (xz, xr, xn), (hz, hr, hn) = np.split(x @ kernel + bias[0], 3), np.split(h @ recurrent + bias[1], 3)
    z = sigmoid(xz + hz)
    return z * h + (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn), c


def run_cell(step, row, row_mask, layer_weights):
    """Return the states of one row at all steps, skipping masked steps, and the last state."""
    h = c = np.zeros(layer_weights[1].shape[0])
    states = []
    for x, is_valid in zip(row, row_mask, strict=True):
        if is_valid:
            h, c = step(x, h, c, *layer_weights)
        states.append(h)
    return np.array(states), h


def reference(layer, x, mask):
    """Compute the whole stack in float64 by row and step."""
    step, all_weights = {"lstm": lstm_step, "gru": gru_step}[layer.cell], weights(layer)
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    outputs = []
    for row, row_mask in zip(x.astype("float64"), mask, strict=True):
        remaining = list(all_weights)
        for _ in layer.units:
            states, last = run_cell(step, row, row_mask, remaining.pop(0))
            if layer.bidirectional:
                backward, last_backward = run_cell(step, row[::-1], row_mask[::-1], remaining.pop(0))
                states, last = (
                    np.concatenate([states, backward[::-1]], 1) * row_mask[:, None],
                    np.append(last, last_backward),
                )
            row = states
        outputs.append(states if layer.return_sequences else last)
    return np.array(outputs)


@pytest.mark.slow
@CELLS
@IMPLEMENTATIONS
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_output_matches_numpy(cell, implementation, bidirectional, return_sequences, masked):
    x, mask = series(6, 11, 3), random_mask(6, 11) if masked else None
    options = {"bidirectional": bidirectional, "return_sequences": return_sequences, "implementation": implementation}
    layer = built(RNNStack([4, 5], cell=cell, **options), 3)
    expected = reference(layer, x, mask)
    for training in (False, True):
        np.testing.assert_allclose(layer(x, mask=mask, training=training), expected, rtol=1e-5, atol=1e-5)


@CELLS
@pytest.mark.parametrize("time", [1, 8, 9, 16, 23])
def test_all_sequence_lengths(cell, time):
    x = series(2, time, 3)
    for return_sequences in (False, True):
        layer = built(RNNStack([4], cell=cell, return_sequences=return_sequences, implementation="loop"), 3)
        np.testing.assert_allclose(layer(x), reference(layer, x, None), rtol=1e-5, atol=1e-5)


@CELLS
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_output_matches_keras_with_equal_weights(cell, bidirectional, return_sequences):
    x, mask = series(6, 11, 3), random_mask(6, 11)
    layer = built(RNNStack([4], cell=cell, bidirectional=bidirectional, return_sequences=return_sequences), 3)
    keras_layer = KERAS[cell](4, return_sequences=return_sequences)
    keras_layer = keras.layers.Bidirectional(keras_layer) if bidirectional else keras_layer
    keras_layer.build((None, None, 3))
    keras_layer.set_weights(layer.get_weights())
    for training in (False, True):
        np.testing.assert_allclose(
            layer(x, mask=mask, training=training), keras_layer(x, mask=mask), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(layer(x, training=training), keras_layer(x), rtol=1e-5, atol=1e-5)


@CELLS
@pytest.mark.parametrize("return_sequences", [False, True])
def test_padding_does_not_change_the_result_for_any_value(cell, return_sequences):
    x = series(3, 9, 2)
    layer = built(RNNStack([4, 3], cell=cell, bidirectional=True, return_sequences=return_sequences), 2)
    mask = np.arange(9) < np.array([[6]] * 3)
    unpadded = np.asarray(layer(x[:, :6]))
    x[:, 6:] = np.nan
    outputs = np.asarray(layer(x, mask=mask))
    np.testing.assert_allclose(outputs[:, :6] if return_sequences else outputs, unpadded, rtol=1e-5, atol=1e-5)
    assert np.isfinite(outputs).all()
    masked = layer(keras.layers.Masking(-9.0)(np.where(np.isnan(x), np.float32(-9), x)))
    np.testing.assert_allclose(masked, outputs, rtol=1e-6, atol=1e-6)
    output_mask = getattr(masked, "_keras_mask", None)
    assert (output_mask is not None) == return_sequences
    if return_sequences:
        np.testing.assert_array_equal(output_mask, mask)


@CELLS
def test_output_dropout_uses_one_mask_for_all_steps(cell):
    x = series(40, 5, 3)
    layer = built(RNNStack([50], cell=cell, dropout=0.4, return_sequences=True), 3)
    full, dropped_out = np.asarray(layer(x)), np.asarray(layer(x, training=True))
    dropped = dropped_out == 0
    assert dropped.mean() == pytest.approx(0.4, abs=0.04)  # 2,000 draws: sigma 0.011
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 5, axis=1))
    np.testing.assert_allclose(dropped_out[~dropped], (full / 0.6)[~dropped], rtol=1e-4, atol=1e-5)


@CELLS
def test_recurrent_dropout_uses_one_mask_for_all_steps(cell):
    """With one unit, the state of a row is either doubled in the product or always dropped."""
    x = series(200, 6, 2)
    layer = built(RNNStack([1], cell=cell, recurrent_dropout=0.5), 2)
    ((kernel, recurrent, bias),) = weights(layer)
    step, expected_states = {"lstm": lstm_step, "gru": gru_step}[cell], []
    for factor in (0.0, 2.0):
        layer_weights = (kernel, factor * recurrent, bias)
        expected_states.append(
            np.array([run_cell(step, row, [True] * 6, layer_weights)[1] for row in x.astype("float64")])
        )
    outputs = np.asarray(layer(x, training=True))
    dropped, scaled = (np.isclose(outputs, expected, rtol=1e-4, atol=1e-5)[:, 0] for expected in expected_states)
    assert (dropped | scaled).all()
    assert dropped.mean() == pytest.approx(0.5, abs=0.15)  # 200 draws: sigma 0.035
    np.testing.assert_allclose(layer(x), reference(layer, x, None), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "bidirectional", "count"),
    [
        ("lstm", False, 4 * 8 * (3 + 8 + 1) + 4 * 5 * (8 + 5 + 1)),
        ("lstm", True, 2 * (4 * 8 * (3 + 8 + 1) + 4 * 5 * (16 + 5 + 1))),
        ("gru", False, 3 * 8 * (3 + 8 + 2) + 3 * 5 * (8 + 5 + 2)),
        ("gru", True, 2 * (3 * 8 * (3 + 8 + 2) + 3 * 5 * (16 + 5 + 2))),
    ],
)
def test_number_of_weights(cell, bidirectional, count):
    layer = RNNStack([8, 5], cell=cell, bidirectional=bidirectional)
    layer.build((None, None, 3))
    assert layer.count_params() == count


def test_initialization_of_weights():
    layer = RNNStack([6], bidirectional=True)
    layer.build((None, None, 3))
    for _, recurrent, bias in weights(layer):
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-5)
        np.testing.assert_array_equal(bias, np.repeat([0.0, 1.0, 0.0, 0.0], 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": []}, r"`units` must be a list of widths, one for each layer, .* such as \[64\]. Received: \[\]"),
        ({"units": 32}, r"`units` must be a list of widths, .* such as \[32\]. Received: 32"),
        ({"units": [4, 0]}, r"`units` must .* Received: \[4, 0\]"),
        ({"units": [4], "cell": "rnn"}, "`cell` must be 'lstm' or 'gru'. Received: 'rnn'"),
        ({"units": [4], "dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
        ({"units": [4], "recurrent_dropout": -0.1}, r"`recurrent_dropout` must be in \[0, 1\). Received: -0.1"),
        (
            {"units": [4], "implementation": "gpu"},
            "`implementation` must be 'auto', 'loop' or 'keras'. Received: 'gpu'",
        ),
        (
            {"units": [4], "recurrent_dropout": 0.2, "implementation": "keras"},
            "`recurrent_dropout` must be 0 with implementation='keras'.* Received: recurrent_dropout=0.2",
        ),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        RNNStack(**arguments)


@pytest.mark.parametrize(
    ("cell", "implementation"),
    [
        ("lstm", "auto"),
        pytest.param("lstm", "loop", marks=pytest.mark.slow),
        ("gru", "loop"),
    ],
)
def test_exported_model_predicts_the_same_for_any_batch_and_length(cell, implementation, tmp_path):
    tf = pytest.importorskip("tensorflow")
    inputs = keras.Input((None, 3))
    x = keras.layers.Masking()(inputs)
    layer = RNNStack([4], cell=cell, bidirectional=True, recurrent_dropout=0.5, implementation=implementation)
    model = keras.Model(inputs, layer(x))
    model.export(str(tmp_path / "saved"), verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    for shape in ((1, 3, 3), (6, 11, 3)):
        x = series(*shape)
        x[:, shape[1] // 2 :] = 0
        np.testing.assert_allclose(saved.serve(x), model(x, training=False), rtol=1e-5, atol=1e-6)
