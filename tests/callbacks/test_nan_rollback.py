import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.callbacks.rollback_model import begin_training, make_model
from tfkit.callbacks import RollbackOnNaN
from tfkit.errors import NotFiniteError


def run_batches(callback, losses, name="loss"):
    """Feed the callback one loss per batch, three batches per epoch."""
    for batch, loss in enumerate(losses):
        if batch % 3 == 0:
            callback.on_epoch_begin(batch // 3)
        callback.on_train_batch_end(batch % 3, {"accuracy": float("nan"), name: loss})


@pytest.mark.parametrize("number_type", [float, np.float32, tf.constant])
def test_finite_losses_pass(number_type):
    run_batches(RollbackOnNaN(), [number_type(value) for value in (1.0, -3.0, 0.0, 1e30)])
    RollbackOnNaN().on_train_batch_end(0, None)


@pytest.mark.parametrize("number_type", [float, np.float32, tf.constant])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_first_nonfinite_loss_raises(number_type, bad):
    callback = RollbackOnNaN()
    run_batches(callback, [number_type(1.0)] * 4)
    with pytest.raises(ArithmeticError, match=rf"^The loss must stay finite; loss became {bad} in epoch 2\."):
        callback.on_train_batch_end(1, {"loss": number_type(bad)})


def test_losses_of_a_custom_train_step_are_checked():
    with pytest.raises(ArithmeticError, match="generator_loss became nan in epoch 1"):
        run_batches(RollbackOnNaN(), [float("nan")], name="generator_loss")


def test_error_class_is_configurable():
    with pytest.raises(NotFiniteError, match="must stay finite"):
        run_batches(RollbackOnNaN(NotFiniteError), [float("nan")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RollbackOnNaN(retries=-1), r"`retries` must be at least 0 and `factor` in \(0, 1\). .* retries=-1"),
        (lambda: RollbackOnNaN(factor=1.0), r"`factor` in \(0, 1\). Received: retries=0, factor=1.0"),
        (lambda: RollbackOnNaN(factor=0.0), "factor=0.0"),
        (
            lambda: begin_training(
                RollbackOnNaN(retries=1), make_model(keras.optimizers.schedules.CosineDecay(0.1, 9))
            ),
            r"ScaledSchedule\(schedule\). Received: CosineDecay",
        ),
        (
            lambda: begin_training(RollbackOnNaN(retries=1), keras.Sequential([keras.layers.Dense(1)], name="unbuilt")),
            "`retries` needs a model that is built and compiled .* Received: unbuilt",
        ),
        (
            lambda: begin_training(RollbackOnNaN(retries=1), keras.Sequential([keras.Input((1,))], name="bare")),
            "`retries` needs a model that is built and compiled .* Received: bare",
        ),
    ],
)
def test_invalid_arguments_or_models_raise_before_training(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_invalid_clip_norm_raises():
    with pytest.raises(ValueError, match=r"`clip_norm` must be above 0, or None. Received: clip_norm=0"):
        RollbackOnNaN(clip_norm=0)
