import keras
import numpy as np
import pytest

from tfkit.layers import LSTMStack

RANDOM = np.random.default_rng(0)
KERAS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
KIND = pytest.mark.parametrize("cell", KERAS)
EACH = pytest.mark.parametrize("implementation", ["auto", "loop", "keras"])


def series(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def holes(*shape):
    """A mask with rows that are full, padded at the end, full of holes and empty."""
    mask = RANDOM.uniform(size=shape) < 0.6
    mask[0], mask[1], mask[2, shape[1] // 2 :] = False, True, False
    return mask


def built(layer, dim):
    """The layer with every weight at a random value."""
    layer.build((None, None, dim))
    for weight in layer.weights:
        weight.assign(RANDOM.normal(size=weight.shape) * 0.7)
    return layer


def weights(layer):
    """Kernel, recurrent kernel and bias of every layer and direction, in float64."""
    values = [w.numpy().astype("float64") for w in layer.weights]
    return [values[i : i + 3] for i in range(0, len(values), 3)]


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


def read(step, row, true, part):
    """States at all steps of one row, a hidden step passed over, and the last of them."""
    h = c = np.zeros(part[1].shape[0])
    states = []
    for x, is_true in zip(row, true, strict=True):
        if is_true:
            h, c = step(x, h, c, *part)
        states.append(h)
    return np.array(states), h


def reference(layer, x, mask):
    """The whole stack in float64, a row and a step at a time."""
    step, parts = {"lstm": lstm_step, "gru": gru_step}[layer.cell], weights(layer)
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    answers = []
    for row, true in zip(x.astype("float64"), mask, strict=True):
        left = list(parts)
        for _ in layer.units:
            states, last = read(step, row, true, left.pop(0))
            if layer.bidirectional:
                back, last_back = read(step, row[::-1], true[::-1], left.pop(0))
                states, last = np.concatenate([states, back[::-1]], 1) * true[:, None], np.append(last, last_back)
            row = states
        answers.append(states if layer.return_sequences else last)
    return np.array(answers)


@KIND
@EACH
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_output_is_that_of_numpy(cell, implementation, bidirectional, return_sequences, masked):
    x, mask = series(6, 11, 3), holes(6, 11) if masked else None
    options = {"bidirectional": bidirectional, "return_sequences": return_sequences, "implementation": implementation}
    layer = built(LSTMStack([4, 5], cell=cell, **options), 3)
    expected = reference(layer, x, mask)
    for training in (False, True):
        np.testing.assert_allclose(layer(x, mask=mask, training=training), expected, rtol=1e-5, atol=1e-5)


@KIND
@pytest.mark.parametrize("time", [1, 8, 9, 16, 23])
def test_every_length_is_read_to_its_end(cell, time):
    x = series(2, time, 3)
    for return_sequences in (False, True):
        layer = built(LSTMStack([4], cell=cell, return_sequences=return_sequences, implementation="loop"), 3)
        np.testing.assert_allclose(layer(x), reference(layer, x, None), rtol=1e-5, atol=1e-5)


@KIND
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_output_is_that_of_keras_with_the_same_weights(cell, bidirectional, return_sequences):
    x, mask = series(6, 11, 3), holes(6, 11)
    layer = built(LSTMStack([4], cell=cell, bidirectional=bidirectional, return_sequences=return_sequences), 3)
    other = KERAS[cell](4, return_sequences=return_sequences)
    other = keras.layers.Bidirectional(other) if bidirectional else other
    other.build((None, None, 3))
    other.set_weights(layer.get_weights())
    for training in (False, True):
        np.testing.assert_allclose(layer(x, mask=mask, training=training), other(x, mask=mask), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(layer(x, training=training), other(x), rtol=1e-5, atol=1e-5)


@KIND
@pytest.mark.parametrize("return_sequences", [False, True])
def test_padding_changes_nothing_whatever_it_holds(cell, return_sequences):
    x = series(3, 9, 2)
    layer = built(LSTMStack([4, 3], cell=cell, bidirectional=True, return_sequences=return_sequences), 2)
    mask = np.arange(9) < np.array([[6]] * 3)
    alone = np.asarray(layer(x[:, :6]))
    x[:, 6:] = np.nan
    said = np.asarray(layer(x, mask=mask))
    np.testing.assert_allclose(said[:, :6] if return_sequences else said, alone, rtol=1e-5, atol=1e-5)
    assert np.isfinite(said).all()
    masked = layer(keras.layers.Masking(-9.0)(np.where(np.isnan(x), np.float32(-9), x)))
    np.testing.assert_allclose(masked, said, rtol=1e-6, atol=1e-6)
    kept = getattr(masked, "_keras_mask", None)
    assert (kept is not None) == return_sequences
    if return_sequences:
        np.testing.assert_array_equal(kept, mask)


@KIND
def test_dropout_of_the_output_is_one_mask_for_all_steps(cell):
    x = series(40, 5, 3)
    layer = built(LSTMStack([50], cell=cell, dropout=0.4, return_sequences=True), 3)
    whole, some = np.asarray(layer(x)), np.asarray(layer(x, training=True))
    dropped = some == 0
    assert dropped.mean() == pytest.approx(0.4, abs=0.04)  # 2,000 draws: sigma 0.011
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 5, axis=1))
    np.testing.assert_allclose(some[~dropped], (whole / 0.6)[~dropped], rtol=1e-4, atol=1e-5)


@KIND
def test_dropout_of_the_recurrence_is_one_mask_for_all_steps(cell):
    """With one unit a row either keeps its state, twice as strong in the product, or never has one."""
    x = series(200, 6, 2)
    layer = built(LSTMStack([1], cell=cell, recurrent_dropout=0.5), 2)
    ((kernel, recurrent, bias),) = weights(layer)
    step, answers = {"lstm": lstm_step, "gru": gru_step}[cell], []
    for strength in (0.0, 2.0):
        part = (kernel, strength * recurrent, bias)
        answers.append(np.array([read(step, row, [True] * 6, part)[1] for row in x.astype("float64")]))
    said = np.asarray(layer(x, training=True))
    without, doubled = (np.isclose(said, answer, rtol=1e-4, atol=1e-5)[:, 0] for answer in answers)
    assert (without | doubled).all()
    assert without.mean() == pytest.approx(0.5, abs=0.15)  # 200 draws: sigma 0.035
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
def test_count_of_weights(cell, bidirectional, count):
    layer = LSTMStack([8, 5], cell=cell, bidirectional=bidirectional)
    layer.build((None, None, 3))
    assert layer.count_params() == count


def test_weights_begin_as_told():
    layer = LSTMStack([6], bidirectional=True)
    layer.build((None, None, 3))
    for _, recurrent, bias in weights(layer):
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-5)
        np.testing.assert_array_equal(bias, np.repeat([0.0, 1.0, 0.0, 0.0], 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": []}, r"`units` must name the width of at least one layer, each at least 1. Received: \[\]"),
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
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LSTMStack(**arguments)


@pytest.mark.parametrize(
    ("cell", "implementation"),
    [
        ("lstm", "auto"),
        pytest.param("lstm", "loop", marks=pytest.mark.slow),
        ("gru", "loop"),
    ],
)
def test_a_saved_model_says_the_same_of_any_batch_and_length(cell, implementation, tmp_path):
    tf = pytest.importorskip("tensorflow")
    inputs = keras.Input((None, 3))
    x = keras.layers.Masking()(inputs)
    layer = LSTMStack([4], cell=cell, bidirectional=True, recurrent_dropout=0.5, implementation=implementation)
    model = keras.Model(inputs, layer(x))
    model.export(str(tmp_path / "saved"), verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    for shape in ((1, 3, 3), (6, 11, 3)):
        x = series(*shape)
        x[:, shape[1] // 2 :] = 0
        np.testing.assert_allclose(saved.serve(x), model(x, training=False), rtol=1e-5, atol=1e-6)
