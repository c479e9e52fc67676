"""Tests of `check_callback`: a correct callback passes, and each check fails with a clear message."""

import math
import threading

import keras
import numpy as np
import pytest

from tfkit.testing import check_callback

VALUES = [3.0, 2.0, 2.5, 1.0, 1.5, 1.2, 1.1]
LOGS = [{"loss": 9.0, "val_loss": value} for value in VALUES]


class StopEarly(keras.callbacks.Callback):
    """A correct callback: stop after `patience` epochs without improvement and restore the best weights."""

    def __init__(self, patience=2, sign=1):
        super().__init__()
        self.patience, self.sign, self.best, self.wait, self.weights = patience, sign, None, 0, None

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" not in logs:
            raise ValueError("val_loss is not in the logs")
        if self.is_better(self.sign * logs["val_loss"]):
            self.best, self.wait, self.weights = self.sign * logs["val_loss"], 0, self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.act()

    def is_better(self, loss):
        return math.isfinite(loss) and (self.best is None or loss < self.best)

    def act(self):
        self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.weights is not None:
            self.model.set_weights(self.weights)

    def state(self):
        return {"best": self.best, "wait": self.wait, "weights": self.weights}

    def set_state(self, state):
        self.best, self.wait, self.weights = state["best"], state["wait"], state["weights"]


class HalveLearningRate(StopEarly):
    """Halve the learning rate instead, and reset the wait."""

    def act(self):
        self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)
        self.wait = 0


class SharesStateInClass(StopEarly):
    epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        if len(self.epochs) > 9:
            self.model.stop_training = True


class CreatesLockInConstructor(StopEarly):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class CopiesWrongly(StopEarly):
    def __deepcopy__(self, memo):
        return CopiesWrongly(patience=1)


class OmitsWaitFromState(StopEarly):
    def state(self):
        return {**super().state(), "wait": 0}


class ResetsStateOnTrainBegin(StopEarly):
    def on_train_begin(self, logs=None):
        self.best, self.wait = None, 0


class StateContainsSet(StopEarly):
    def state(self):
        return {**super().state(), "epochs": {1, 2}}


class StateHasIntegerKeys(StopEarly):
    def state(self):
        return {**super().state(), "epochs": {1: 2}}


class ReturnsListWithoutCopy(StopEarly):
    def __init__(self):
        super().__init__()
        self.lines = []

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.lines.append(epoch)

    def state(self):
        return {**super().state(), "lines": self.lines}


class IgnoresMissingMonitor(StopEarly):
    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            super().on_epoch_end(epoch, logs)


class TrustsNaN(StopEarly):
    """Compare as the callbacks of Keras do: no value is better than NaN."""

    def is_better(self, loss):
        return self.best is None or loss < self.best


class TrustsNaNForever(TrustsNaN):
    def __init__(self):
        super().__init__(patience=99)


class LowersLearningRateAfterNaN(HalveLearningRate):
    def is_better(self, loss):
        return self.best is None or loss < self.best


class LowersLearningRateEachEpoch(StopEarly):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.model.optimizer.learning_rate = 0.1 / (1 + epoch)


@pytest.mark.parametrize(
    "make", [StopEarly, HalveLearningRate, lambda: StopEarly(patience=1), lambda: StopEarly(patience=50)]
)
def test_correct_callback_passes(make):
    check_callback(make, LOGS, monitor="val_loss")


def test_correct_callback_with_mode_max_passes():
    logs = [{"loss": 9.0, "val_loss": -value} for value in VALUES]
    check_callback(lambda: StopEarly(sign=-1), logs, monitor="val_loss", mode="max")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            SharesStateInClass,
            "^SharesStateInClass: A second callback created in the same way decides differently. "
            "Store all state in `self`",
        ),
        (
            CreatesLockInConstructor,
            "It must be possible to copy it before it is used. Open files and create locks in `on_train_begin`",
        ),
        (CopiesWrongly, "A deep copy decides differently from the original"),
        (
            OmitsWaitFromState,
            "Interrupted after epoch 5 and resumed with `set_state`, it decides differently than without",
        ),
        (
            ResetsStateOnTrainBegin,
            "Interrupted after epoch . and resumed with `set_state`, it decides differently than without",
        ),
        (StateContainsSet, "`state` contains a set. Return plain values, lists, dictionaries and NumPy arrays"),
        (StateHasIntegerKeys, "`state` has keys that are not strings"),
        (ReturnsListWithoutCopy, "The value returned by `state` changes while training continues. Return copies"),
        (
            IgnoresMissingMonitor,
            "If the logs do not contain `val_loss`, `on_epoch_end` must raise a ValueError with this name",
        ),
        (
            lambda: StopEarly(sign=-1),
            "It stops training or lowers the learning rate although `val_loss` improves in each epoch",
        ),
        (
            LowersLearningRateEachEpoch,
            "It stops training or lowers the learning rate although `val_loss` improves in each epoch",
        ),
        (TrustsNaN, "After one nan in `val_loss`, it stops training or lowers the learning rate although the metric"),
        (TrustsNaNForever, "After one nan in `val_loss`, it does not keep the best weights, which are the last"),
        (LowersLearningRateAfterNaN, "After one nan in `val_loss`, it stops training or lowers the learning rate"),
    ],
)
def test_wrong_callback_fails_with_message(make, message):
    SharesStateInClass.epochs.clear()
    with pytest.raises(AssertionError, match=message):
        check_callback(make, LOGS, monitor="val_loss")


@pytest.mark.parametrize(
    ("callback_class", "options"),
    [
        (keras.callbacks.EarlyStopping, {"patience": 2}),
        (keras.callbacks.ReduceLROnPlateau, {"patience": 2, "factor": 0.5}),
    ],
)
def test_keras_callbacks_ignore_a_missing_metric(callback_class, options):
    with pytest.raises(AssertionError, match="If the logs do not contain `val_loss`"):
        check_callback(lambda: callback_class("val_loss", **options), LOGS, monitor="val_loss")
    check_callback(lambda: callback_class("val_loss", **options), LOGS)


def test_state_with_arrays_is_restored_unchanged():
    restored = []

    class HasNestedState(StopEarly):
        def state(self):
            return {**super().state(), "nested": {"array": np.arange(6).reshape(2, 3), "list": [None, True, "x", 0.5]}}

        def set_state(self, state):
            super().set_state(state)
            restored.append(state["nested"])

    check_callback(HasNestedState, LOGS, monitor="val_loss")
    assert restored[0]["list"] == [None, True, "x", 0.5]
    np.testing.assert_array_equal(restored[0]["array"], [[0, 1, 2], [3, 4, 5]])
