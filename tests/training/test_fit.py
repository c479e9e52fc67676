"""`tfkit.fit` gives the results of Keras' own `fit`, and the same bits however its steps are divided."""

from itertools import chain

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.datasets.array import ArrayDataset
from tfkit.training import fit

ROWS, BATCH, STEPS = 53, 8, 7  # the last batch of an epoch has 5 rows
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] + X[:, 2]).astype("float32")
WEIGHT = RANDOM.uniform(0, 2, ROWS).astype("float32")
INPUTS = {"left": X[:, :1], "right": X[:, 1:]}
SAME_BITS = {"rtol": 0, "atol": 0}


def stateful_model(metrics=False):
    """A small model with every kind of state: batch statistics, random masks, Adam."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"] * metrics, weighted_metrics=["mse"] * metrics)
    model.optimizer.build(model.trainable_variables)  # halves the tracing time
    return model


def linear_model(metrics=False):
    """The smallest model, for tests in which the model does not matter."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"] * metrics, weighted_metrics=["mse"] * metrics)
    return model


def dictionary_model():
    """A linear model with a dictionary of inputs."""
    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input(values.shape[1:], name=name) for name, values in INPUTS.items()}
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(list(inputs.values()))))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


@pytest.fixture(scope="module")
def two_epochs():
    """State of `stateful_model` after two epochs."""
    model = stateful_model()
    fit.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3)
    return state(model)


def state(model):
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


def assert_same(arrays, expected, **tolerance):
    for array, expected_array in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, expected_array, **tolerance or {"rtol": 1e-4, "atol": 1e-5})


def epoch_permutation(seed, epoch, rows=ROWS):
    return np.random.default_rng((seed, epoch)).permutation(rows)


def set_steps_per_call(monkeypatch, steps):
    """Fix the number of steps per call, independent of the time they take."""
    original_begin = fit.EpochRunner.begin

    def begin(self, epoch):
        original_begin(self, epoch)
        self.steps_per_call = steps

    monkeypatch.setattr(fit.EpochRunner, "begin", begin)
    monkeypatch.setattr(fit.EpochRunner, "adapt_steps_per_call", lambda self, seconds: None)


class Raise(keras.callbacks.Callback):
    """Raise InterruptedError after a call, counted from 1 over all epochs."""

    def __init__(self, call):
        super().__init__()
        self.calls_left = call

    def on_train_batch_end(self, batch, logs=None):
        self.calls_left -= 1
        if self.calls_left == 0:
            raise InterruptedError


class RecordRows:
    """Augmentation that changes nothing and records the first input of each row of each step."""

    def __init__(self):
        self.steps = []

    def __call__(self, x, y, weight, random):
        def record(rows):
            self.steps.append(rows[:, 0].tolist())
            return rows

        recorded = tf.numpy_function(record, [x], tf.float32)
        recorded.set_shape(x.shape)
        return recorded, y, weight

    @property
    def callback(self):
        """Clears what was recorded before training starts."""
        return keras.callbacks.LambdaCallback(on_train_begin=lambda logs: self.steps.clear())


# compared with Keras' own fit


@pytest.mark.parametrize(
    ("make_model", "x", "weight"),
    [(lambda: stateful_model(metrics=True), X, WEIGHT), (dictionary_model, INPUTS, None)],
    ids=["weights", "dict"],
)
def test_the_learning_curve_is_that_of_keras_with_the_same_order_of_rows(make_model, x, weight):
    arrays = (x, Y) if weight is None else (x, Y, weight)
    epochs = [
        tf.data.Dataset.from_tensor_slices(keras.tree.map_structure(lambda a, e=e: a[epoch_permutation(5, e)], arrays))
        for e in range(3)
    ]
    batches = epochs[0].batch(BATCH).concatenate(epochs[1].batch(BATCH)).concatenate(epochs[2].batch(BATCH))
    keras_model, model = make_model(), make_model()
    expected = keras_model.fit(batches, epochs=3, steps_per_epoch=STEPS, shuffle=False, verbose=0).history
    history = fit.fit(model, x, Y, sample_weight=weight, batch_size=BATCH, epochs=3, seed=5).history
    assert history.keys() == expected.keys()
    for name, curve in expected.items():
        np.testing.assert_allclose(history[name], curve, rtol=1e-4)
    assert history["loss"][2] != history["loss"][0]
    assert_same(state(model), state(keras_model))
    assert int(model.optimizer.iterations) == 3 * STEPS


def test_validation_scores_are_those_of_evaluate(monkeypatch):
    monkeypatch.setattr(fit, "rows_per_call", lambda x: 16)
    model, validation = linear_model(metrics=True), ArrayDataset(X[30:], Y[30:], WEIGHT[30:])
    history = fit.fit(model, ArrayDataset(X[:30], Y[:30]), epochs=2, validation_data=validation).history
    expected = model.evaluate(X[30:], Y[30:], sample_weight=WEIGHT[30:], batch_size=7, verbose=0, return_dict=True)
    assert {f"val_{name}" for name in expected} < set(history)
    for name, value in expected.items():
        assert history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-5)
    assert history["val_loss"][0] != history["val_loss"][1]


def test_a_model_can_be_fitted_again_by_tfkit_and_by_keras(two_epochs):
    model = stateful_model()
    fit.fit(model, X, Y, batch_size=BATCH, epochs=1, seed=3, validation_data=(X[:9], Y[:9]))
    second = fit.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3, initial_epoch=1, validation_data=(X, Y))
    assert second.epoch == [1]
    assert_same(state(model), two_epochs, **SAME_BITS)
    loss = model.evaluate(X, Y, verbose=0)
    assert second.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    model.fit(X, 2 * Y, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 2 * STEPS + 2 * 2  # Keras' default batch has 32 rows
    assert model.evaluate(X, Y, verbose=0) != loss


# what must not change any bit


@pytest.mark.parametrize(("steps", "calls"), [(1, 7), (3, 3)])
def test_the_number_of_steps_per_call_changes_no_bit(steps, calls, two_epochs, monkeypatch):
    set_steps_per_call(monkeypatch, steps)
    model, batches = stateful_model(), []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    fit.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3, callbacks=[count])
    assert len(batches) == 2 * calls
    assert_same(state(model), two_epochs, **SAME_BITS)


def test_another_seed_gives_other_weights(two_epochs):
    model = stateful_model()
    fit.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=4)
    assert max(np.abs(a - b).max() for a, b in zip(state(model), two_epochs, strict=True)) > 1e-3


def test_batch_callbacks_get_the_first_and_the_last_step_of_a_call(monkeypatch):
    set_steps_per_call(monkeypatch, 3)
    events = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: events.append(batch),
        on_train_batch_end=lambda batch, logs: events.append((batch, record.params["steps"])),
    )
    fit.fit(linear_model(), X, Y, batch_size=BATCH, epochs=2, callbacks=[record])
    assert events == 2 * [0, (2, STEPS), 3, (5, STEPS), 6, (6, STEPS)]


def test_the_progress_bar_of_keras_reaches_its_end(monkeypatch, capsys):
    set_steps_per_call(monkeypatch, 3)
    fit.fit(linear_model(), X, Y, batch_size=BATCH, verbose=1)
    assert "7/7" in capsys.readouterr().out


def test_the_time_of_a_call_decides_how_many_steps_the_next_has(monkeypatch):
    batches = []
    for seconds in (0, 1e9):
        monkeypatch.setattr(fit, "SECONDS_PER_CALL", seconds)
        count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
        fit.fit(linear_model(), X, Y, batch_size=BATCH, callbacks=[count])
    assert batches == [0, 1, 2, 3, 4, 5, 6, 0, 6]  # the first call always has one step


def test_every_epoch_has_another_order_of_rows_from_the_seed():
    record = RecordRows()
    fit.fit(linear_model(), X, Y, batch_size=BATCH, epochs=2, seed=3, augment=record, callbacks=[record.callback])
    assert list(map(len, record.steps)) == [8, 8, 8, 8, 8, 8, 5] * 2
    first, second = (list(chain(*record.steps[e * STEPS : (e + 1) * STEPS])) for e in (0, 1))
    assert first == X[epoch_permutation(3, 0), 0].tolist()
    assert second == X[epoch_permutation(3, 1), 0].tolist()
    assert sorted(first) == sorted(second) == sorted(X[:, 0].tolist())
    assert first != second


@pytest.mark.parametrize("call", [4, 7, 10])
def test_resuming_inside_an_epoch_changes_no_bit(call, two_epochs, monkeypatch):
    first, second, position = stateful_model(), stateful_model(), fit.EpochPosition()
    with monkeypatch.context() as patch:
        set_steps_per_call(patch, 1)
        with pytest.raises(InterruptedError):
            fit.fit(first, X, Y, batch_size=BATCH, epochs=2, seed=3, callbacks=[Raise(call)], position=position)
    assert (position.epoch, position.rows_done) == ((call - 1) // STEPS, min(ROWS, BATCH * ((call - 1) % STEPS + 1)))
    for variable, value in zip([*second.variables, *second.optimizer.variables], state(first), strict=True):
        variable.assign(value)
    set_steps_per_call(monkeypatch, 2)
    fit.fit(second, X, Y, batch_size=BATCH, epochs=2, seed=3, initial_epoch=position.epoch, position=position)
    assert_same(state(second), two_epochs, **SAME_BITS)
    assert (position.epoch, position.rows_done) == (1, ROWS)


# arguments


def test_a_batch_size_above_the_number_of_rows_uses_all_rows():
    model = linear_model()
    fit.fit(model, X, Y, batch_size=1000, epochs=3)
    assert int(model.optimizer.iterations) == 3


@pytest.mark.parametrize(("event", "last"), [("on_epoch_end", 1), ("on_train_batch_end", 3)])
def test_a_callback_can_stop_training(event, last, monkeypatch):
    set_steps_per_call(monkeypatch, 2)
    model = linear_model()
    stop = keras.callbacks.LambdaCallback(
        **{event: lambda number, logs: setattr(model, "stop_training", number == last)}
    )
    history = fit.fit(model, X, Y, batch_size=BATCH, epochs=5, callbacks=[stop])
    assert len(history.history["loss"]) == (2 if event == "on_epoch_end" else 1)
    assert int(model.optimizer.iterations) == (2 * STEPS if event == "on_epoch_end" else 4)


def test_augmentation_is_not_applied_to_validation_rows():
    model, record = linear_model(), RecordRows()
    fit.fit(
        model, X[:30], Y[:30], augment=record, callbacks=[record.callback], epochs=2, validation_data=(X[30:], Y[30:])
    )
    assert sorted(chain(*record.steps)) == sorted(X[:30, 0].tolist() * 2)


def test_augmentation_changes_the_training_rows():
    augmented, expected = linear_model(), linear_model()
    fit.fit(augmented, X, Y, batch_size=BATCH, seed=3, augment=lambda x, y, weight, random: (2 * x, y - 1, weight))
    fit.fit(expected, 2 * X, Y - 1, batch_size=BATCH, seed=3)
    assert_same(state(augmented), state(expected))
