import json
import logging

import keras
import numpy as np
import pytest

from tests.callbacks.rollback_model import (
    NAN,
    X,
    Y,
    begin_training,
    change_variables,
    make_model,
    random_states,
    restorable_values,
    run_epoch,
)
from tfkit.callbacks import RollbackOnNaN
from tfkit.optimizers import make_optimizer
from tfkit.training import checkpoint as training_checkpoint
from tfkit.training import fit as training_fit


@pytest.mark.parametrize("rate", [0.5, "cosine"])
@pytest.mark.parametrize(
    "wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer], ids=["float32", "float16"]
)
def test_rollback_restores_the_last_good_epoch_and_lowers_the_rate(wrap, rate):
    rate = make_optimizer("sgd", learning_rate=0.5, decay=rate, steps=100)._learning_rate if rate == "cosine" else rate
    callback = begin_training(RollbackOnNaN(retries=2, factor=0.5), model := make_model(rate, wrap))
    inner_optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    run_epoch(callback, 0, [1.0, 0.9])
    good_values, initial_rate = restorable_values(model), float(inner_optimizer.learning_rate)
    seeds = random_states(model)
    callback.on_epoch_begin(1)
    change_variables(model, 1)
    callback.on_train_batch_end(0, {"loss": 0.8})
    change_variables(model, NAN)
    callback.on_train_batch_end(1, {"loss": NAN})
    for path, value in restorable_values(model).items():
        np.testing.assert_array_equal(value, good_values[path])
    callback.on_epoch_end(1, {"loss": NAN})
    assert float(inner_optimizer.learning_rate) == pytest.approx(initial_rate / 2)
    assert callback.num_rollbacks == 1
    assert (np.array(seeds) != random_states(model)).any()
    run_epoch(callback, 2, [0.8, NAN])
    assert float(inner_optimizer.learning_rate) == pytest.approx(initial_rate / 4)
    with pytest.raises(ArithmeticError, match=r"nan in epoch 4\. .* Rolled back 2 times, last to the end of epoch 1\."):
        run_epoch(callback, 3, [NAN])
    np.testing.assert_array_equal(model.layers[0].kernel, good_values["net/hidden/kernel"])


@pytest.mark.parametrize(
    ("epochs", "good_epochs"),
    [
        ([[1.0, 0.9], [0.8, 0.7]], 2),
        ([[1.0, 0.9], [5.0, 2.1]], 1),  # the loss has started to diverge
        ([[1.0, 0.9], [5.0, 1.9]], 2),
        ([[1.0, 50.0]], 0),
        ([[-1.0, -3.0], [-1.0, 0.1]], 1),  # a negative loss
        ([[NAN, NAN], [9.0, 8.0]], 2),  # the first finite step counts as the first step
        ([[1.0, NAN]], 0),  # the loss of the epoch is not finite
        ([[1.0, 0.9], [0.9, NAN], [0.8, 0.7]], 3),
    ],
)
def test_last_good_epoch(epochs, good_epochs):
    callback = begin_training(RollbackOnNaN(retries=9), model := make_model())
    snapshots = [restorable_values(model)]
    for epoch, losses in enumerate(epochs):
        run_epoch(callback, epoch, losses)
        snapshots.append(restorable_values(model))
    assert callback.good_epochs == good_epochs
    run_epoch(callback, len(epochs), [NAN], epoch_loss=NAN)
    for path, value in restorable_values(model).items():
        np.testing.assert_array_equal(value, snapshots[good_epochs][path])


def test_nonfinite_weights_at_the_end_of_an_epoch_trigger_a_rollback():
    callback = begin_training(RollbackOnNaN(retries=1), model := make_model())
    initial_values = restorable_values(model)
    for variable, bad in ((model.layers[1].moving_variance, np.inf), (model.optimizer.variables[-1], NAN)):
        callback.num_rollbacks = 0
        callback.on_epoch_begin(0)
        variable.assign(np.full(variable.shape, bad))
        callback.on_train_batch_end(0, {"loss": 1.0})
        callback.on_epoch_end(0, {"loss": 1.0})
        assert callback.num_rollbacks == 1
        for path, value in restorable_values(model).items():
            np.testing.assert_array_equal(value, initial_values[path])


def test_weights_are_checked_after_a_rollback_in_the_same_epoch():
    """The running loss of that epoch stays non-finite until its end."""
    callback = begin_training(RollbackOnNaN(retries=2), model := make_model())
    callback.on_epoch_begin(0)
    change_variables(model, NAN)
    callback.on_train_batch_end(0, {"loss": NAN})
    callback.on_train_batch_end(1, {"loss": NAN})
    assert callback.num_rollbacks == 1
    change_variables(model, NAN)
    callback.on_train_batch_end(2, {"loss": NAN})
    assert callback.num_rollbacks == 2
    change_variables(model, NAN)
    with pytest.raises(
        ArithmeticError,
        match=r"a weight became nan or infinite in epoch 1\. First non-finite value: the "
        r"weight net/hidden/kernel\. Rolled back 2 times",
    ):
        callback.on_epoch_end(0, {"loss": NAN})


def test_a_new_training_resets_the_number_of_rollbacks():
    callback = begin_training(RollbackOnNaN(retries=1), make_model())
    run_epoch(callback, 0, [NAN])
    begin_training(callback, model := make_model())
    initial_values = restorable_values(model)
    run_epoch(callback, 0, [NAN], epoch_loss=NAN)
    np.testing.assert_array_equal(model.layers[0].kernel, initial_values["net/hidden/kernel"])


def test_rollbacks_are_logged(caplog):
    callback = begin_training(RollbackOnNaN(retries=3), make_model())
    with caplog.at_level(logging.WARNING, "tfkit"):
        run_epoch(callback, 0, [NAN])
        run_epoch(callback, 1, [1.0])
        run_epoch(callback, 2, [float("inf")])
    assert [record.getMessage().partition("; ")[2] for record in caplog.records] == [
        "loss became nan in epoch 1: rolled back to the start of training, with 0.3 times the learning rate and "
        "clipped gradients (1 of 3)",
        "loss became inf in epoch 3: rolled back to the end of epoch 2, with 0.3 times the learning rate and "
        "clipped gradients (2 of 3)",
    ]


@pytest.mark.parametrize(("fit", "decay"), [("keras", "linear"), ("tfkit", "linear"), ("tfkit", "none")])
def test_rollbacks_lower_a_rate_that_is_too_high_until_training_succeeds(fit, decay):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(make_optimizer("sgd", learning_rate=1e9, decay=decay, steps=70), "mse")
    callback = RollbackOnNaN(retries=5, factor=0.01)
    fit_model = model.fit if fit == "keras" else lambda *data, **options: training_fit.fit(model, *data, **options)
    history = fit_model(X, Y, batch_size=8, epochs=10, validation_data=(X, Y), callbacks=[callback], verbose=0).history
    assert 1 <= callback.num_rollbacks <= 5
    assert history["val_loss"][-1] < 1 < float(np.mean(Y**2))


class Killed(Exception):
    """Simulates the end of the process."""


class Kill(keras.callbacks.Callback):
    def __init__(self, call):
        super().__init__()
        self.remaining_calls = call

    def on_train_batch_end(self, batch, logs=None):
        self.remaining_calls -= 1
        if self.remaining_calls == 0:
            raise Killed


@pytest.fixture
def two_steps_per_call(monkeypatch):
    original_begin = training_fit.EpochRunner.begin

    def begin(self, epoch):
        original_begin(self, epoch)
        self.steps_per_call = 2

    monkeypatch.setattr(training_fit.EpochRunner, "begin", begin)
    monkeypatch.setattr(training_fit.EpochRunner, "adapt_steps_per_call", lambda self, seconds: None)
    monkeypatch.setattr(training_checkpoint, "EPOCH_END_INTERVAL_SECONDS", -1.0)
    monkeypatch.setattr(training_checkpoint, "MID_EPOCH_INTERVAL_MINUTES", -1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("decay", "kills"), [("none", [2]), ("cosine", [1, 5])])
def test_rollbacks_after_a_resume_equal_uninterrupted_training(decay, kills, tmp_path, two_steps_per_call):
    def train(directory, kill=None):
        rate = make_optimizer("sgd", learning_rate=0.05, decay=decay, steps=28)._learning_rate
        model, position = make_model(0.05 if decay == "none" else rate), training_fit.EpochPosition()
        callback = RollbackOnNaN(retries=4, factor=0.5)
        checkpoint = training_checkpoint.Checkpoint(directory, position, [callback])

        def set_nan(batch, logs):
            if (position.epoch, position.rows_done) in ((0, 16), (1, 16), (1, 48), (2, 32)):
                change_variables(model, NAN)
                logs["loss"] = NAN

        checkpoint.restore(model)
        callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=set_nan), callback]
        callbacks += [checkpoint, *([Kill(kill)] if kill else [])]
        history = training_fit.fit(
            model,
            X,
            Y,
            batch_size=8,
            epochs=4,
            callbacks=callbacks,
            position=position,
            seed=2,
            initial_epoch=position.epoch,
        )
        return callback, restorable_values(model), float(model.optimizer.learning_rate), history.history["loss"][-1]

    uninterrupted, expected, *expected_metrics = train(tmp_path / "uninterrupted")
    assert uninterrupted.num_rollbacks == 4
    for kill in kills:
        with pytest.raises(Killed):
            train(tmp_path / "killed", kill)
    resumed, values, *metrics = train(tmp_path / "killed")
    for name in ("num_rollbacks", "good_epochs", "first_loss"):
        assert getattr(resumed, name) == getattr(uninterrupted, name)
    assert metrics == expected_metrics
    for path, value in values.items():
        np.testing.assert_array_equal(value, expected[path])


def test_state_contains_plain_values_and_arrays():
    callback = begin_training(RollbackOnNaN(retries=2), make_model())
    run_epoch(callback, 0, [1.0, 0.5])
    assert callback.state()["weights"] is None  # equal to the weights of the model
    callback.on_train_batch_end(0, {"loss": 0.5})
    state = callback.state()
    assert all(isinstance(value, np.ndarray) for value in map(np.asarray, state.pop("weights")))
    assert json.loads(json.dumps(state)) == state


def test_rollback_clips_gradients_unless_the_optimizer_clips_otherwise():
    callback = begin_training(RollbackOnNaN(retries=3, factor=0.5), model := make_model())
    assert model.optimizer.global_clipnorm is None
    run_epoch(callback, 0, [NAN])
    assert model.optimizer.global_clipnorm == 1.0
    run_epoch(callback, 1, [NAN])
    assert model.optimizer.global_clipnorm == 0.5
    for clipping, name in (({"clipnorm": 3.0}, "clipnorm"), ({"clipvalue": 3.0}, "clipvalue")):
        model = make_model(
            wrap=lambda optimizer, clipping=clipping: keras.optimizers.Adam(0.1, name="adam", **clipping)
        )
        run_epoch(begin_training(RollbackOnNaN(retries=1), model), 0, [NAN])
        assert (getattr(model.optimizer, name), model.optimizer.global_clipnorm) == (3.0, None)
    model = make_model(wrap=lambda optimizer: keras.optimizers.Adam(0.1, name="adam", global_clipnorm=0.1))
    run_epoch(begin_training(RollbackOnNaN(retries=1, factor=0.5), model), 0, [NAN])
    assert model.optimizer.global_clipnorm == 0.05
    run_epoch(begin_training(RollbackOnNaN(retries=1, clip_norm=None), model := make_model()), 0, [NAN])
    assert model.optimizer.global_clipnorm is None


def test_compiled_step_applies_a_changed_clip_norm():
    """With learning rate 1 and a gradient norm clipped to 1e-6, weights change by at most 1e-6."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    epoch_weights = []

    class Clip(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            epoch_weights.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
            model.optimizer.global_clipnorm = 1e-6 if epoch == 1 else None

        def on_train_end(self, logs=None):
            self.on_epoch_begin(9)

    training_fit.fit(model, X, Y, batch_size=53, epochs=2, callbacks=[Clip()])
    initial, after_epoch_1, after_epoch_2 = epoch_weights
    assert np.linalg.norm(after_epoch_1 - initial) > 0.1
    assert np.linalg.norm(after_epoch_2 - after_epoch_1) == pytest.approx(1e-6, rel=0.2)
