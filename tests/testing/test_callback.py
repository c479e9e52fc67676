"""Each check of `check_callback` can fail, and says what to do."""

import math
import threading

import keras
import numpy as np
import pytest

from tfkit.testing import check_callback

VALUES = [3.0, 2.0, 2.5, 1.0, 1.5, 1.2, 1.1]
LOGS = [{"loss": 9.0, "val_loss": value} for value in VALUES]


class Stop(keras.callbacks.Callback):
    """Stops after `patience` epochs that are no better and puts the best weights back, as it should be written."""

    def __init__(self, patience=2, sign=1):
        super().__init__()
        self.patience, self.sign, self.best, self.wait, self.weights = patience, sign, None, 0, None

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" not in logs:
            raise ValueError("there is no val_loss")
        if self.better(self.sign * logs["val_loss"]):
            self.best, self.wait, self.weights = self.sign * logs["val_loss"], 0, self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.act()

    def better(self, loss):
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


class Cut(Stop):
    """Halves the rate instead, and begins to wait again."""

    def act(self):
        self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)
        self.wait = 0


class Shares(Stop):
    seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)
        if len(self.seen) > 9:
            self.model.stop_training = True


class Locks(Stop):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class CopiesWrongly(Stop):
    def __deepcopy__(self, memo):
        return CopiesWrongly(patience=1)


class ForgetsToWait(Stop):
    def state(self):
        return {**super().state(), "wait": 0}


class BeginsAnew(Stop):
    def on_train_begin(self, logs=None):
        self.best, self.wait = None, 0


class KeepsASet(Stop):
    def state(self):
        return {**super().state(), "epochs": {1, 2}}


class KeepsNumbersAsNames(Stop):
    def state(self):
        return {**super().state(), "epochs": {1: 2}}


class HandsOutItsList(Stop):
    def __init__(self):
        super().__init__()
        self.lines = []

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.lines.append(epoch)

    def state(self):
        return {**super().state(), "lines": self.lines}


class IgnoresWhatIsNotThere(Stop):
    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            super().on_epoch_end(epoch, logs)


class TrustsNaN(Stop):
    """Compares as Keras' own do: nothing is better than NaN."""

    def better(self, loss):
        return self.best is None or loss < self.best


class TrustsNaNForever(TrustsNaN):
    def __init__(self):
        super().__init__(patience=99)


class CutsAfterNaN(Cut):
    def better(self, loss):
        return self.best is None or loss < self.best


class CutsAtOnce(Stop):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.model.optimizer.learning_rate = 0.1 / (1 + epoch)


@pytest.mark.parametrize("make", [Stop, Cut, lambda: Stop(patience=1), lambda: Stop(patience=50)])
def test_what_is_right_passes(make):
    check_callback(make, LOGS, monitor="val_loss")


def test_a_metric_that_should_rise_passes():
    logs = [{"loss": 9.0, "val_loss": -value} for value in VALUES]
    check_callback(lambda: Stop(sign=-1), logs, monitor="val_loss", mode="max")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Shares, "^Shares: A second one, made alike, decides otherwise. Keep in `self` what it learns"),
        (Locks, "It must be possible to copy it before it is used. Open files and take locks in `on_train_begin`"),
        (CopiesWrongly, "A deep copy decides otherwise than what it was made from"),
        (ForgetsToWait, "Broken off after epoch 5 and taken up with `set_state`, it decides otherwise than straight"),
        (BeginsAnew, "Broken off after epoch . and taken up with `set_state`, it decides otherwise than straight"),
        (KeepsASet, "`state` holds a set. Return plain values, lists, dictionaries and NumPy arrays"),
        (KeepsNumbersAsNames, "`state` has names that are no strings"),
        (HandsOutItsList, "What `state` returned changes as training goes on. Return copies"),
        (
            IgnoresWhatIsNotThere,
            "Where the logs have no `val_loss`, `on_epoch_end` must raise a ValueError with this name",
        ),
        (lambda: Stop(sign=-1), "It stops or cuts the rate although `val_loss` gets better each epoch"),
        (CutsAtOnce, "It stops or cuts the rate although `val_loss` gets better each epoch"),
        (TrustsNaN, "After one nan in `val_loss` it stops or cuts the rate although the metric gets better"),
        (TrustsNaNForever, "After one nan in `val_loss` it does not keep the best weights: the last"),
        (CutsAfterNaN, "After one nan in `val_loss` it stops or cuts the rate"),
    ],
)
def test_what_is_wrong_is_said(make, message):
    Shares.seen.clear()
    with pytest.raises(AssertionError, match=message):
        check_callback(make, LOGS, monitor="val_loss")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (keras.callbacks.EarlyStopping, {"patience": 2}),
        (keras.callbacks.ReduceLROnPlateau, {"patience": 2, "factor": 0.5}),
    ],
)
def test_the_callbacks_of_keras_do_not_notice_a_metric_that_is_not_there(kind, options):
    with pytest.raises(AssertionError, match="Where the logs have no `val_loss`"):
        check_callback(lambda: kind("val_loss", **options), LOGS, monitor="val_loss")
    check_callback(lambda: kind("val_loss", **options), LOGS)


def test_a_state_of_arrays_comes_back_as_it_was():
    given = []

    class Keeps(Stop):
        def state(self):
            return {**super().state(), "more": {"whole": np.arange(6).reshape(2, 3), "none": [None, True, "x", 0.5]}}

        def set_state(self, state):
            super().set_state(state)
            given.append(state["more"])

    check_callback(Keeps, LOGS, monitor="val_loss")
    assert given[0]["none"] == [None, True, "x", 0.5]
    np.testing.assert_array_equal(given[0]["whole"], [[0, 1, 2], [3, 4, 5]])
