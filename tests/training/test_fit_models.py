"""`tfkit.fit` and `predict` with special models: custom steps, strings, half precision, XLA, second calls."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.test_fit import (
    BATCH,
    ROWS,
    STEPS,
    Raise,
    X,
    Y,
    epoch_permutation,
    linear_model,
    set_steps_per_call,
    stateful_model,
)
from tfkit.datasets import batch_predict
from tfkit.training import fit


class CustomStep(keras.Model):
    """A model with a custom `train_step` and metric, which computes the gradient of `scale` by hand."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="zeros", name="scale")
        self.error = keras.metrics.Mean(name="error")

    def call(self, x):
        return self.scale * x[:, 0]

    def train_step(self, data):
        x, y, _ = data
        gradient = tf.reduce_mean((self(x) - y) * x[:, 0])
        self.scale.assign_sub(0.1 * gradient)
        self.error.update_state(tf.abs(gradient))
        return self.get_metrics_result()


def test_a_custom_train_step_is_used():
    model = CustomStep()
    model.compile()
    history = fit.fit(model, X, Y, batch_size=BATCH, epochs=2, seed=3).history
    scale, gradients = np.float32(0), []
    for epoch in range(2):
        indices = epoch_permutation(3, epoch)
        for start in range(0, ROWS, BATCH):
            x, y = X[indices[start : start + BATCH], 0], Y[indices[start : start + BATCH]]
            gradients.append(((scale * x - y) * x).mean())
            scale -= 0.1 * gradients[-1]
    assert float(model.scale) == pytest.approx(scale, rel=1e-4)
    curve = [np.abs(gradients[:STEPS]).mean(), np.abs(gradients[STEPS:]).mean()]
    np.testing.assert_allclose(history["error"], curve, rtol=1e-4)


def test_a_model_without_targets_can_be_trained():
    model = CustomStep()
    model.compile()
    model.train_step = lambda data: {"sum": model.scale.assign_add(tf.reduce_sum(data[:, 0]))}
    fit.fit(model, X, batch_size=BATCH)
    assert float(model.scale) == pytest.approx(X[:, 0].sum(), rel=1e-4)


# predict


def test_predict_accepts_strings_and_numbers_and_keeps_the_order_of_rows():
    inputs = {"text": keras.Input((1,), dtype="string", name="text"), "number": keras.Input((1,), name="number")}
    code = keras.layers.StringLookup(vocabulary=["a", "b"])(inputs["text"])
    model = keras.Model(inputs, {"sum": keras.ops.cast(code, "float32") + inputs["number"], "code": code})
    texts = np.array([["a"], ["b"], ["c"], [""], ["b"]])
    x = {"text": texts.astype(object), "number": np.arange(5, dtype="float32")[:, None]}
    for size in (2, 5, 4096):
        outputs = batch_predict.predict(model, x, batch_size=size)
        np.testing.assert_array_equal(outputs["code"].ravel(), [1, 2, 0, 0, 2])
        np.testing.assert_array_equal(outputs["sum"].ravel(), [1.0, 3.0, 2.0, 3.0, 6.0])
    assert isinstance(outputs["sum"], np.ndarray)


def test_predict_equals_keras_predict_and_has_no_dropout():
    model = stateful_model()
    np.testing.assert_allclose(batch_predict.predict(model, X, batch_size=10), model.predict(X, verbose=0), rtol=1e-5)


# regressions


def test_steps_per_execution_skips_no_row(monkeypatch):
    set_steps_per_call(monkeypatch, 1)
    model = linear_model()
    model.compile("sgd", "mse", steps_per_execution=4)
    fit.fit(model, X, Y, batch_size=BATCH)
    assert int(model.optimizer.iterations) == STEPS


def test_after_an_interruption_keras_can_fit_the_model():
    model = linear_model()
    with pytest.raises(InterruptedError):
        fit.fit(model, X, Y, batch_size=BATCH, callbacks=[Raise(1)])
    steps = int(model.optimizer.iterations)
    model.fit(X, Y, batch_size=ROWS, epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == steps + 1


class TwoOptimizers(CustomStep):
    """A model with an optimizer that `compile` does not know, as a GAN has."""

    def __init__(self):
        super().__init__()
        self.second = keras.optimizers.SGD(0.1, momentum=0.9)

    def train_step(self, data):
        self.second.apply([tf.reduce_mean(data[0][:, 0])], [self.scale])
        return {"second_loss": tf.reduce_mean(data[1])}


def test_timing_does_not_change_the_optimizers_of_a_custom_step():
    model = TwoOptimizers()
    model.compile()
    fit.fit(model, X, Y, batch_size=BATCH)
    assert int(model.second.iterations) == STEPS


def test_the_logs_are_what_train_step_returns():
    model = TwoOptimizers()
    model.compile()
    assert "second_loss" in fit.fit(model, X, Y, batch_size=BATCH).history


def test_a_batch_size_of_zero_raises():
    with pytest.raises(ValueError, match="batch_size"):
        fit.fit(linear_model(), X, Y, batch_size=0)


def test_a_model_that_is_not_compiled_raises():
    with pytest.raises(ValueError, match="must be compiled first"):
        fit.fit(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]), X, Y)


def test_predict_traces_a_model_once_per_input_type():
    traces = []

    class CountTraces(keras.layers.Layer):
        def call(self, x):
            traces.append(None)
            return x

    model = keras.Sequential([keras.Input((4,)), CountTraces(), keras.layers.Dense(1)])
    traces.clear()
    first = batch_predict.predict(model, X)
    model.layers[-1].bias.assign([1.0])
    np.testing.assert_allclose(batch_predict.predict(model, X[:5]), first[:5] + 1, rtol=1e-5)
    assert len(traces) == 1
    batch_predict.predict(model, X.astype("float64"))
    assert len(traces) == 2


def test_predict_of_no_rows_is_an_empty_array():
    assert batch_predict.predict(linear_model(), X[:0]).shape == (0, 1)


def test_an_unbuilt_model_can_be_trained():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fit.fit(model, X, Y, batch_size=BATCH)
    assert int(model.optimizer.iterations) == STEPS


def test_resuming_in_half_precision_keeps_the_loss_scale():
    model = linear_model()
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05)), "mse")
    model.optimizer.build(model.trainable_variables)  # as `Checkpoint.restore` or an earlier fit does
    model.optimizer.dynamic_scale.assign(1024.0)
    count = len(model.optimizer.variables)
    fit.fit(model, X, Y, batch_size=BATCH)
    assert len(model.optimizer.variables) == count
    assert float(model.optimizer.dynamic_scale) == 1024


def test_the_steps_per_call_are_bounded_in_many_short_epochs():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = fit.fit(model, np.zeros((4, 1), "float32"), np.zeros(4, "float32"), epochs=400)
    assert len(history.epoch) == 400


def test_jit_compile_compiles_the_steps_with_xla():
    """On a GPU it is Keras' default. The last batch has another shape."""

    def loss_curves(xla):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        model._jit_compile = xla  # `compile` rejects it if an earlier test has made TensorFlow deterministic
        history = fit.fit(model, X, Y, batch_size=BATCH, epochs=2, validation_data=(X, Y)).history
        return [*history["loss"], *history["val_loss"]]

    np.testing.assert_allclose(loss_curves(xla=True), loss_curves(xla=False), rtol=1e-5)


def test_operations_that_xla_cannot_compile_raise_as_in_keras():
    class StringOperation(keras.layers.Layer):
        def call(self, x):
            return x * tf.cast(tf.size(tf.strings.as_string(x)), "float32")

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1), StringOperation()])
    model.compile("sgd", "mse")
    model._jit_compile = True
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.UnimplementedError), match="AsString"):
        fit.fit(model, X, Y, batch_size=BATCH)


def test_a_second_fit_reuses_the_traced_steps():
    """Also on other arrays of the same types; after `compile` the steps are traced again."""
    traces = []

    class CountTraces(keras.layers.Layer):
        def call(self, x):
            traces.append(None)
            return x

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), CountTraces(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    fit.fit(model, X, Y, batch_size=BATCH, validation_data=(X, Y))
    first = len(traces)
    fit.fit(model, X[:20], Y[:20] + 1, batch_size=BATCH, validation_data=(X[:9], Y[:9]))
    assert len(traces) == first
    loss = float(model.evaluate(X, Y + 1, verbose=0)[0])
    traces.clear()
    fit.fit(model, X, Y + 1, batch_size=BATCH, epochs=3)  # must train on these arrays, not on those of the first fit
    assert not traces
    assert float(model.evaluate(X, Y + 1, verbose=0)[0]) < loss
    traces.clear()
    model.compile("adam", "mae")
    fit.fit(model, X, Y, batch_size=BATCH)
    assert traces


def test_cached_steps_are_not_saved_and_do_not_keep_the_model_alive(tmp_path):
    import gc
    import weakref

    model = linear_model()
    fit.fit(model, X, Y, batch_size=BATCH)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert "_tfkit_steps" not in loaded.__dict__
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None
