import numpy as np
import pytest
import tensorflow as tf

from tfkit.callbacks import StopOnNonFinite
from tfkit.errors import NotFiniteError


def drive(callback, losses, name="loss"):
    """Feed it the losses of calls, three to an epoch."""
    for call, loss in enumerate(losses):
        if call % 3 == 0:
            callback.on_epoch_begin(call // 3)
        callback.on_train_batch_end(call % 3, {"accuracy": float("nan"), name: loss})


@pytest.mark.parametrize("kind", [float, np.float32, tf.constant])
def test_finite_losses_pass(kind):
    drive(StopOnNonFinite(), [kind(v) for v in (1.0, -3.0, 0.0, 1e30)])
    StopOnNonFinite().on_train_batch_end(0, None)


@pytest.mark.parametrize("kind", [float, np.float32, tf.constant])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_the_first_loss_that_is_not_finite_ends_training_with_a_word(kind, bad):
    callback = StopOnNonFinite()
    drive(callback, [kind(1.0)] * 4)
    with pytest.raises(ArithmeticError, match=rf"^The loss must stay finite; loss became {bad} in epoch 2\."):
        callback.on_train_batch_end(1, {"loss": kind(bad)})


def test_losses_of_a_train_step_of_ones_own_are_watched():
    with pytest.raises(ArithmeticError, match="generator_loss became nan in epoch 1"):
        drive(StopOnNonFinite(), [float("nan")], name="generator_loss")


def test_the_error_may_be_ones_own():
    with pytest.raises(NotFiniteError, match="must stay finite"):
        drive(StopOnNonFinite(NotFiniteError), [float("nan")])
