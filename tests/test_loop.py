from itertools import chain

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit import loop
from tfkit.data.splits import Rows

ROWS, BATCH, STEPS = 53, 8, 7  # the last batch of an epoch has 5 rows
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] + X[:, 2]).astype("float32")
WEIGHT = RANDOM.uniform(0, 2, ROWS).astype("float32")
NAMED = {"left": X[:, :1], "right": X[:, 1:]}
BIT_FOR_BIT = {"rtol": 0, "atol": 0}


def mlp(metrics=False):
    """A small model with all that has a state of its own: batch statistics, random masks, Adam."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"] * metrics, weighted_metrics=["mse"] * metrics)
    model.optimizer.build(model.trainable_variables)  # halves the time that tracing takes
    return model


def line(metrics=False):
    """The smallest model, where the model does not matter."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"] * metrics, weighted_metrics=["mse"] * metrics)
    return model


def named():
    """The same of a dictionary of inputs."""
    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input(values.shape[1:], name=name) for name, values in NAMED.items()}
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(list(inputs.values()))))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


@pytest.fixture(scope="module")
def whole():
    """What two epochs make of `mlp`."""
    model = mlp()
    loop.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3)
    return state(model)


def state(model):
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


def assert_same(one, other, **tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, **tolerance or {"rtol": 1e-4, "atol": 1e-5})


def order(seed, epoch, rows=ROWS):
    return np.random.default_rng((seed, epoch)).permutation(rows)


def at_once(monkeypatch, steps):
    """Make a call of that many steps, whatever the clock says."""
    start = loop._Order.begin

    def begin(self, epoch):
        start(self, epoch)
        self.a_call = steps

    monkeypatch.setattr(loop._Order, "begin", begin)
    monkeypatch.setattr(loop._Order, "pace", lambda self, seconds: None)


class Raise(keras.callbacks.Callback):
    """Raise at a call, counted over all epochs."""

    def __init__(self, call):
        super().__init__()
        self.left = call

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise InterruptedError


class Seen:
    """Augmentation that changes nothing and notes the first input of each row of each step."""

    def __init__(self):
        self.steps = []

    def __call__(self, x, y, weight, random):
        def note(rows):
            self.steps.append(rows[:, 0].tolist())
            return rows

        seen = tf.numpy_function(note, [x], tf.float32)
        seen.set_shape(x.shape)
        return seen, y, weight

    @property
    def callback(self):
        """Forgets what was seen before training, when steps are timed."""
        return keras.callbacks.LambdaCallback(on_train_begin=lambda logs: self.steps.clear())


# Keras' own fit


@pytest.mark.parametrize(
    ("make", "x", "weight"), [(lambda: mlp(metrics=True), X, WEIGHT), (named, NAMED, None)], ids=["weights", "dict"]
)
def test_the_learning_curve_is_that_of_keras_fed_with_the_same_order(make, x, weight):
    whole = (x, Y) if weight is None else (x, Y, weight)
    epochs = [
        tf.data.Dataset.from_tensor_slices(keras.tree.map_structure(lambda a, e=e: a[order(5, e)], whole))
        for e in range(3)
    ]
    batches = epochs[0].batch(BATCH).concatenate(epochs[1].batch(BATCH)).concatenate(epochs[2].batch(BATCH))
    theirs, ours = make(), make()
    expected = theirs.fit(batches, epochs=3, steps_per_epoch=STEPS, shuffle=False, verbose=0).history
    found = loop.fit(ours, x, Y, sample_weight=weight, batch_size=BATCH, epochs=3, seed=5).history
    assert found.keys() == expected.keys()
    for name, curve in expected.items():
        np.testing.assert_allclose(found[name], curve, rtol=1e-4)
    assert found["loss"][2] != found["loss"][0]
    assert_same(state(ours), state(theirs))
    assert int(ours.optimizer.iterations) == 3 * STEPS


def test_validation_is_what_evaluate_says(monkeypatch):
    monkeypatch.setattr(loop, "_at_once", lambda x: 16)
    model, last = line(metrics=True), Rows(X[30:], Y[30:], WEIGHT[30:])
    found = loop.fit(model, Rows(X[:30], Y[:30]), epochs=2, validation_data=last).history
    expected = model.evaluate(X[30:], Y[30:], sample_weight=WEIGHT[30:], batch_size=7, verbose=0, return_dict=True)
    assert {f"val_{name}" for name in expected} < set(found)
    for name, value in expected.items():
        assert found[f"val_{name}"][-1] == pytest.approx(value, rel=1e-5)
    assert found["val_loss"][0] != found["val_loss"][1]


def test_a_model_can_be_fitted_again_by_us_and_by_keras(whole):
    model = mlp()
    loop.fit(model, X, Y, batch_size=BATCH, epochs=1, seed=3, validation_data=(X[:9], Y[:9]))
    second = loop.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3, initial_epoch=1, validation_data=(X, Y))
    assert second.epoch == [1]
    assert_same(state(model), whole, **BIT_FOR_BIT)
    before = model.evaluate(X, Y, verbose=0)
    assert second.history["val_loss"][-1] == pytest.approx(before, rel=1e-5)
    model.fit(X, 2 * Y, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 2 * STEPS + 2 * 2  # of 32 rows
    assert model.evaluate(X, Y, verbose=0) != before


# what must not change a bit


@pytest.mark.parametrize(("steps", "calls"), [(1, 7), (3, 3)])
def test_the_steps_of_a_call_change_no_bit(steps, calls, whole, monkeypatch):
    at_once(monkeypatch, steps)
    model, counted = mlp(), []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: counted.append(batch))
    loop.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3, callbacks=[count])
    assert len(counted) == 2 * calls
    assert_same(state(model), whole, **BIT_FOR_BIT)


def test_another_seed_gives_other_bits(whole):
    model = mlp()
    loop.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=4)
    assert max(np.abs(a - b).max() for a, b in zip(state(model), whole, strict=True)) > 1e-3


def test_batch_callbacks_are_told_the_first_and_the_last_step_of_a_call(monkeypatch):
    at_once(monkeypatch, 3)
    told = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: told.append(batch),
        on_train_batch_end=lambda batch, logs: told.append((batch, note.params["steps"])),
    )
    loop.fit(line(), X, Y, batch_size=BATCH, epochs=2, callbacks=[note])
    assert told == 2 * [0, (2, STEPS), 3, (5, STEPS), 6, (6, STEPS)]


def test_the_progress_bar_of_keras_comes_to_its_end(monkeypatch, capsys):
    at_once(monkeypatch, 3)
    loop.fit(line(), X, Y, batch_size=BATCH, verbose=1)
    assert "7/7" in capsys.readouterr().out


def test_the_clock_decides_how_many_steps_a_call_has(monkeypatch):
    counted = []
    for seconds in (0, 1e9):
        monkeypatch.setattr(loop, "SECONDS_A_CALL", seconds)
        count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: counted.append(batch))
        loop.fit(line(), X, Y, batch_size=BATCH, callbacks=[count])
    assert counted == [0, 1, 2, 3, 4, 5, 6, 0, 6]  # the first call is one step, whatever the clock says


def test_the_seed_draws_another_order_for_every_epoch():
    seen = Seen()
    loop.fit(line(), X, Y, batch_size=BATCH, epochs=2, seed=3, augment=seen, callbacks=[seen.callback])
    assert list(map(len, seen.steps)) == [8, 8, 8, 8, 8, 8, 5] * 2
    first, second = (list(chain(*seen.steps[e * STEPS : (e + 1) * STEPS])) for e in (0, 1))
    assert first == X[order(3, 0), 0].tolist()
    assert second == X[order(3, 1), 0].tolist()
    assert sorted(first) == sorted(second) == sorted(X[:, 0].tolist())
    assert first != second


@pytest.mark.parametrize("call", [4, 7, 10])
def test_going_on_in_the_middle_of_an_epoch_changes_no_bit(call, whole, monkeypatch):
    first, second, place = mlp(), mlp(), loop.Place()
    with monkeypatch.context() as patch:
        at_once(patch, 1)
        with pytest.raises(InterruptedError):
            loop.fit(first, X, Y, batch_size=BATCH, epochs=2, seed=3, callbacks=[Raise(call)], place=place)
    assert (place.epoch, place.done) == ((call - 1) // STEPS, min(ROWS, BATCH * ((call - 1) % STEPS + 1)))
    for variable, value in zip([*second.variables, *second.optimizer.variables], state(first), strict=True):
        variable.assign(value)
    at_once(monkeypatch, 2)
    loop.fit(second, X, Y, batch_size=BATCH, epochs=2, seed=3, initial_epoch=place.epoch, place=place)
    assert_same(state(second), whole, **BIT_FOR_BIT)
    assert (place.epoch, place.done) == (1, ROWS)


# what may be given


def test_more_rows_a_step_than_there_are_are_all_rows():
    model = line()
    loop.fit(model, X, Y, batch_size=1000, epochs=3)
    assert int(model.optimizer.iterations) == 3


@pytest.mark.parametrize(("moment", "last"), [("on_epoch_end", 1), ("on_train_batch_end", 3)])
def test_a_callback_can_stop(moment, last, monkeypatch):
    at_once(monkeypatch, 2)
    model = line()
    stop = keras.callbacks.LambdaCallback(
        **{moment: lambda number, logs: setattr(model, "stop_training", number == last)}
    )
    history = loop.fit(model, X, Y, batch_size=BATCH, epochs=5, callbacks=[stop])
    assert len(history.history["loss"]) == (2 if moment == "on_epoch_end" else 1)
    assert int(model.optimizer.iterations) == (2 * STEPS if moment == "on_epoch_end" else 4)


def test_augmentation_is_for_training_alone():
    model, seen = line(), Seen()
    loop.fit(model, X[:30], Y[:30], augment=seen, callbacks=[seen.callback], epochs=2, validation_data=(X[30:], Y[30:]))
    assert sorted(chain(*seen.steps)) == sorted(X[:30, 0].tolist() * 2)


def test_augmentation_changes_what_is_learnt():
    ours, theirs = line(), line()
    loop.fit(ours, X, Y, batch_size=BATCH, seed=3, augment=lambda x, y, weight, random: (2 * x, y - 1, weight))
    loop.fit(theirs, 2 * X, Y - 1, batch_size=BATCH, seed=3)
    assert_same(state(ours), state(theirs))


class Own(keras.Model):
    """A model with a `train_step` and a metric of its own: it learns `scale` by hand."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="zeros", name="scale")
        self.error = keras.metrics.Mean(name="error")

    def call(self, x):
        return self.scale * x[:, 0]

    def train_step(self, data):
        x, y, _ = data
        slope = tf.reduce_mean((self(x) - y) * x[:, 0])
        self.scale.assign_sub(0.1 * slope)
        self.error.update_state(tf.abs(slope))
        return self.get_metrics_result()


def test_a_model_with_a_train_step_of_its_own_is_trained_by_it():
    model = Own()
    model.compile()
    found = loop.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3).history
    scale, slopes = np.float32(0), []
    for epoch in range(2):
        numbers = order(3, epoch)
        for start in range(0, ROWS, BATCH):
            x, y = X[numbers[start : start + BATCH], 0], Y[numbers[start : start + BATCH]]
            slopes.append(((scale * x - y) * x).mean())
            scale -= 0.1 * slopes[-1]
    assert float(model.scale) == pytest.approx(scale, rel=1e-4)
    curve = [np.abs(slopes[:STEPS]).mean(), np.abs(slopes[STEPS:]).mean()]
    np.testing.assert_allclose(found["error"], curve, rtol=1e-4)


def test_a_model_without_targets_is_trained():
    model = Own()
    model.compile()
    model.train_step = lambda data: {"sum": model.scale.assign_add(tf.reduce_sum(data[0][:, 0]))}
    loop.fit(model, X, batch_size=BATCH)
    assert float(model.scale) == pytest.approx(X[:, 0].sum(), rel=1e-4)


# predict


def test_predict_takes_strings_and_numbers_and_gives_back_all_rows_in_order():
    inputs = {"word": keras.Input((1,), dtype="string", name="word"), "number": keras.Input((1,), name="number")}
    code = keras.layers.StringLookup(vocabulary=["a", "b"])(inputs["word"])
    model = keras.Model(inputs, {"sum": keras.ops.cast(code, "float32") + inputs["number"], "code": code})
    words = np.array([["a"], ["b"], ["c"], [""], ["b"]])
    given = {"word": words.astype(object), "number": np.arange(5, dtype="float32")[:, None]}
    for size in (2, 5, 4096):
        said = loop.predict(model, given, batch_size=size)
        np.testing.assert_array_equal(said["code"].ravel(), [1, 2, 0, 0, 2])
        np.testing.assert_array_equal(said["sum"].ravel(), [1.0, 3.0, 2.0, 3.0, 6.0])
    assert isinstance(said["sum"], np.ndarray)


def test_predict_is_that_of_keras_without_dropout():
    model = mlp()
    np.testing.assert_allclose(loop.predict(model, X, batch_size=10), model.predict(X, verbose=0), rtol=1e-5)


# what once went wrong


def test_steps_per_execution_leaves_no_row_out(monkeypatch):
    at_once(monkeypatch, 1)
    model = line()
    model.compile("sgd", "mse", steps_per_execution=4)
    loop.fit(model, X, Y, batch_size=BATCH)
    assert int(model.optimizer.iterations) == STEPS


def test_after_an_interruption_keras_fits_what_it_is_given():
    model = line()
    with pytest.raises(InterruptedError):
        loop.fit(model, X, Y, batch_size=BATCH, callbacks=[Raise(1)])
    before = int(model.optimizer.iterations)
    model.fit(X, Y, batch_size=ROWS, epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == before + 1


class TwoOptimizers(Own):
    """As a GAN has: neither is the one of `compile`."""

    def __init__(self):
        super().__init__()
        self.second = keras.optimizers.SGD(0.1, momentum=0.9)

    def train_step(self, data):
        self.second.apply([tf.reduce_mean(data[0][:, 0])], [self.scale])
        return {"second_loss": tf.reduce_mean(data[1])}


def test_timing_leaves_no_trace_in_optimizers_of_a_models_own():
    model = TwoOptimizers()
    model.compile()
    loop.fit(model, X, Y, batch_size=BATCH)
    assert int(model.second.iterations) == STEPS


def test_the_logs_are_what_train_step_returns():
    model = TwoOptimizers()
    model.compile()
    assert "second_loss" in loop.fit(model, X, Y, batch_size=BATCH).history


def test_a_step_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="batch_size"):
        loop.fit(line(), X, Y, batch_size=0)


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="must be compiled first"):
        loop.fit(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]), X, Y)


def test_predict_traces_a_model_once_for_each_kind_of_rows():
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            traced.append(None)
            return x

    model = keras.Sequential([keras.Input((4,)), Counted(), keras.layers.Dense(1)])
    traced.clear()
    first = loop.predict(model, X)
    model.layers[-1].bias.assign([1.0])
    np.testing.assert_allclose(loop.predict(model, X[:5]), first[:5] + 1, rtol=1e-5)
    assert len(traced) == 1
    loop.predict(model, X.astype("float64"))
    assert len(traced) == 2


def test_predict_says_nothing_of_no_rows():
    assert loop.predict(line(), X[:0]).shape == (0, 1)


def test_a_model_that_is_not_built_yet_is_trained():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    loop.fit(model, X, Y, batch_size=BATCH)
    assert int(model.optimizer.iterations) == STEPS


def test_going_on_in_half_precision_keeps_the_loss_scale():
    model = line()
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05)), "mse")
    model.optimizer.build(model.trainable_variables)  # as `Checkpoint.restore` does, or an earlier fit
    model.optimizer.dynamic_scale.assign(1024.0)
    count = len(model.optimizer.variables)
    loop.fit(model, X, Y, batch_size=BATCH)
    assert len(model.optimizer.variables) == count
    assert float(model.optimizer.dynamic_scale) == 1024


def test_many_short_epochs_do_not_let_the_steps_of_a_call_grow_without_end():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = loop.fit(model, np.zeros((4, 1), "float32"), np.zeros(4, "float32"), epochs=400)
    assert len(history.epoch) == 400


def test_xla_compiles_the_steps_where_the_model_was_compiled_so():
    """Keras chooses so on a GPU; the last batch is a shape of its own."""

    def fitted(xla):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        model._jit_compile = xla  # Keras refuses it where an earlier test has made TensorFlow deterministic
        history = loop.fit(model, X, Y, batch_size=BATCH, epochs=2, validation_data=(X, Y)).history
        return [*history["loss"], *history["val_loss"]]

    np.testing.assert_allclose(fitted(xla=True), fitted(xla=False), rtol=1e-5)


def test_what_xla_cannot_compile_is_refused_as_by_keras():
    class Distinct(keras.layers.Layer):
        def call(self, x):
            return x * tf.cast(tf.size(tf.strings.as_string(x)), "float32")

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1), Distinct()])
    model.compile("sgd", "mse")
    model._jit_compile = True
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.UnimplementedError), match="AsString"):
        loop.fit(model, X, Y, batch_size=BATCH)


def test_a_second_fit_of_the_model_traces_nothing_again():
    """Nor does one on other arrays of the kind; after `compile` all is traced anew."""
    traced = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            traced.append(None)
            return x

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), Counted(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    loop.fit(model, X, Y, batch_size=BATCH, validation_data=(X, Y))
    first = len(traced)
    loop.fit(model, X[:20], Y[:20] + 1, batch_size=BATCH, validation_data=(X[:9], Y[:9]))
    assert len(traced) == first
    before = float(model.evaluate(X, Y + 1, verbose=0)[0])
    traced.clear()
    loop.fit(model, X, Y + 1, batch_size=BATCH, epochs=3)  # other rows are trained on, not those of the first
    assert not traced
    assert float(model.evaluate(X, Y + 1, verbose=0)[0]) < before
    traced.clear()
    model.compile("adam", "mae")
    loop.fit(model, X, Y, batch_size=BATCH)
    assert traced


def test_what_is_kept_of_a_fit_is_not_saved_and_does_not_outlive_the_model(tmp_path):
    import gc
    import weakref

    model = line()
    loop.fit(model, X, Y, batch_size=BATCH)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert "_tfkit_steps" not in again.__dict__
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
