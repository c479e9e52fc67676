"""Steps that XLA has fused: the same training to rounding, in the same order, and only where it pays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfkit
from tfkit import fused, loop
from tfkit.data.stored import Stored

ROWS, BATCH = 77, 8  # 9 batches and 5 rows
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] > X[:, 2]).astype("float32")
WEIGHT = RANDOM.uniform(0, 2, ROWS).astype("float32")


@pytest.fixture
def always(monkeypatch):
    """Every training is long enough."""
    monkeypatch.setattr(fused, "TRAINING", 0)


@pytest.fixture
def counted(monkeypatch):
    """How many blocks were computed by XLA."""
    calls = []
    block = fused.Fused._block
    monkeypatch.setattr(fused.Fused, "_block", lambda self, numbers: calls.append(len(numbers)) or block(self, numbers))
    return calls


def normalised():
    """All that has a state of its own: batch statistics, and the masks of every kind of dropout."""
    return keras.Sequential(
        [
            keras.layers.Dense(8, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            tfkit.layers.Dropout(0.25),
        ]
    )


def dense(body=normalised, optimizer="adam"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), body(), keras.layers.Dense(1, "sigmoid")])
    model.compile(optimizer, "binary_crossentropy", weighted_metrics=["accuracy"])
    return model


def fitted(model, x=X, y=Y, **told):
    told = {"batch_size": BATCH, "epochs": 3, "seed": 5} | told
    history = loop.fit(model, x, y, **told).history
    return history, [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


def assert_same(one, other, **tolerance):
    assert one[0].keys() == other[0].keys()
    for name, curve in one[0].items():
        np.testing.assert_allclose(other[0][name], curve, **tolerance)
    for a, b in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(b, a, **tolerance)


BITS = {"rtol": 0, "atol": 0}
NEARLY = {"rtol": 2e-4, "atol": 2e-5}


@pytest.mark.parametrize(
    "optimizer", ["adam", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sgd", "adamw", "rmsprop"))]
)
def test_the_training_is_the_same_random_masks_and_all(counted, monkeypatch, optimizer):
    plain = fitted(dense(optimizer=optimizer), sample_weight=WEIGHT, validation_data=(X, Y))
    assert not counted
    monkeypatch.setattr(fused, "TRAINING", 0)
    found = fitted(dense(optimizer=optimizer), sample_weight=WEIGHT, validation_data=(X, Y))
    assert sum(counted) == 3 * 72
    assert_same(plain, found, **NEARLY)
    assert plain[0]["loss"][2] != plain[0]["loss"][0]


@pytest.mark.slow
def test_the_schedule_and_the_clipping_are_the_same(counted, monkeypatch):
    def optimizer():
        return tfkit.optimizer("adamw", learning_rate=0.01, decay="cosine", steps=30, clip_norm=0.1)

    plain = fitted(dense(optimizer=optimizer()))
    monkeypatch.setattr(fused, "TRAINING", 0)
    assert_same(plain, fitted(dense(optimizer=optimizer())), **NEARLY)
    assert counted


def test_dictionaries_and_several_outputs_are_the_same(counted, monkeypatch):
    def model():
        keras.utils.set_random_seed(1)
        inputs = {"a": keras.Input((1,), name="a"), "b": keras.Input((3,), name="b")}
        joined = tfkit.layers.MLP([8], dropout=0.1)(keras.layers.Concatenate()(list(inputs.values())))
        outputs = {name: keras.layers.Dense(1, name=name)(joined) for name in ("one", "two")}
        made = keras.Model(inputs, outputs)
        made.compile("adam", {"one": "mse", "two": "mae"})
        return made

    x, y = {"a": X[:, :1], "b": X[:, 1:]}, {"one": Y, "two": X[:, 3]}
    plain = fitted(model(), x, y)
    monkeypatch.setattr(fused, "TRAINING", 0)
    assert_same(plain, fitted(model(), x, y), **NEARLY)
    assert counted


def test_the_size_of_a_call_and_of_a_block_change_no_bit(always, monkeypatch):
    expected = fitted(dense())
    monkeypatch.setattr(loop._Order, "pace", lambda self, seconds: setattr(self, "a_call", 4))
    monkeypatch.setattr(fused, "BLOCK", 2 * BATCH + 1)
    assert_same(expected, fitted(dense()), **BITS)


def test_a_training_that_stopped_inside_an_epoch_goes_on_to_the_same_bits(always, monkeypatch):
    expected = fitted(dense())
    monkeypatch.setattr(loop._Order, "pace", lambda self, seconds: None)  # one step a call

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                raise InterruptedError

    model, place = dense(), loop.Place()
    with pytest.raises(InterruptedError):
        fitted(model, place=place, callbacks=[Stop()])
    assert place.done == 5 * BATCH
    history, state = fitted(model, place=place)
    assert history["loss"][1:] == expected[0]["loss"][1:]
    assert_same(({}, expected[1]), ({}, state), **BITS)


def test_rows_on_disk_train_to_the_bits_of_rows_in_memory(always, counted):
    expected = fitted(dense())
    counted.clear()
    assert_same(expected, fitted(dense(), Stored(X, np.arange(ROWS), Y), None), **BITS)
    assert counted


def test_a_second_fit_traces_nothing_again(always):
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            traced.append(None)
            return x

    model = dense(Counted)
    fitted(model)
    traced.clear()
    fitted(model, X[:40], Y[:40])  # a last batch that is whole, of other arrays
    assert not traced
    model.compile("sgd", "mse")
    fitted(model)
    assert traced


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.GaussianNoise(0.1),  # of which XLA would draw others
        lambda: keras.Sequential([keras.layers.Reshape((4, 1)), keras.layers.Conv1D(2, 2), keras.layers.Flatten()]),
        lambda: keras.Sequential([keras.layers.Reshape((4, 1)), keras.layers.LSTM(2)]),
        lambda: keras.layers.Dropout(0.5, dtype="mixed_float16"),
    ],
    ids=["noise", "convolution", "lstm", "half"],
)
def test_what_xla_is_no_better_at_is_left_as_it_was(always, counted, monkeypatch, layer):
    found = fitted(dense(layer))
    assert not counted
    monkeypatch.setattr(fused, "TRAINING", 10**9)
    assert_same(found, fitted(dense(layer)), **BITS)


def test_a_step_of_ones_own_augmentation_and_a_short_training_are_left_as_they_were(always, counted, monkeypatch):
    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    model = Own([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fitted(model)
    fitted(dense(), augment=lambda x, y, weight, random: (x, y, weight))
    monkeypatch.setattr(fused, "TRAINING", 3 * ROWS + 1)
    fitted(dense())
    assert not counted
    monkeypatch.setattr(fused, "TRAINING", 3 * ROWS)
    fitted(dense())
    assert counted


@pytest.mark.slow
def test_compile_may_ask_for_it(counted):
    """Keras' own way to ask for XLA, with which its dropout would take a hundred times as long and draw other masks."""
    plain = fitted(dense())
    model = dense()
    model._jit_compile = True  # Keras refuses it where an earlier test has made TensorFlow deterministic
    assert_same(plain, fitted(model), **NEARLY)
    assert counted


@pytest.mark.slow
def test_fewer_rows_than_a_batch_are_one_batch(always):
    history, _ = fitted(dense(), X[:5], Y[:5], batch_size=32)
    assert np.isfinite(history["loss"]).all()


def test_a_block_holds_whole_batches_and_is_bounded():
    narrow, wide = ({"x": tf.TensorSpec((width,), tf.float32)} for width in (20, 10**6))
    assert fused._steps(narrow, 256) == fused.BLOCK // 256
    assert fused._steps(narrow, 10**6) == 1
    assert fused._steps(wide, 2) == 2
