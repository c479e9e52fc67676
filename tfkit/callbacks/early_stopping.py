"""Keep the best weights, and stop when there is nothing more to gain."""

import math

import keras

from tfkit.metrics import direction


class EarlyStopping(keras.callbacks.Callback):
    """Keep the weights of the best epoch, and stop when none has been better for a while.

    A value that is not finite counts as the worst there is (with Keras' own, one NaN in the first epoch makes every
    later epoch lose). The direction is required, or known for the metric; a metric that is not there stops training
    with a word after the first epoch instead of never. The kept weights are put back when training ends; random states
    are not, so that going on later is the same as never having stopped.

    Args:
        monitor: Name of the metric in the logs, such as `"val_loss"`.
        mode: `"min"` or `"max"`; None where the metric's direction is known to tfkit.
        patience: Epochs without improvement after which to stop, at least 1; None to run to the end.
        min_delta: The smallest change that counts as an improvement, at least 0.

    Raises:
        ValueError: If the direction is not known, an argument is outside its range, or the metric is not in the logs.

    Example:
        >>> import tfkit
        >>> callback = tfkit.callbacks.EarlyStopping("val_f1", patience=5)
        >>> callback.mode
        'max'
    """

    def __init__(self, monitor="val_loss", *, mode=None, patience=None, min_delta=0.0):
        super().__init__()
        mode = mode or direction(monitor)
        if mode not in ("min", "max"):
            raise ValueError("`mode` must be 'min' or 'max' for a metric that is not known. "
                             f"Received: {mode=}, {monitor=}")  # fmt: skip
        if (patience is not None and patience < 1) or min_delta < 0:
            raise ValueError(f"`patience` must be at least 1, or None, and `min_delta` at least 0. "
                             f"Received: {patience=}, {min_delta=}")  # fmt: skip
        self.monitor, self.mode, self.patience, self.min_delta = monitor, mode, patience, min_delta
        self.best, self.best_epoch, self.wait, self.weights = None, None, 0, None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ValueError("`monitor` must be one of the metrics of this model. "
                             f"Received: {self.monitor!r}; there are {', '.join(logs or {})}")  # fmt: skip
        value = float(logs[self.monitor])
        loss = value if self.mode == "min" else -value
        if math.isfinite(loss) and (self.best is None or loss < self._loss() - self.min_delta):
            self.best, self.best_epoch, self.wait = value, epoch, 0
            self.weights = [variable.numpy() for variable in self._variables()]
            return
        self.wait += 1
        if self.patience is not None and self.wait >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.weights is not None:
            for variable, value in zip(self._variables(), self.weights, strict=True):
                variable.assign(value)

    def state(self):
        """What must be saved so that a resumed training decides the same: plain values and arrays."""
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, "weights": self.weights}

    def set_state(self, state):
        """Go on from a saved state."""
        self.best, self.best_epoch, self.wait = state["best"], state["best_epoch"], state["wait"]
        self.weights = state["weights"]

    def _loss(self):
        return self.best if self.mode == "min" else -self.best

    def _variables(self):
        return [v for v in self.model.variables if "seed_generator_state" not in v.path]
