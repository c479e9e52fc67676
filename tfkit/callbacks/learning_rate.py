"""Learning rates that change with how training goes."""

import math

import keras

from tfkit.metrics import direction


class LearningRateDecay(keras.callbacks.Callback):
    """Cut the learning rate when a metric has stopped improving (decay on a plateau).

    Args:
        monitor: Name of the metric in the logs.
        mode: `"min"` or `"max"`; None where the metric's direction is known to tfkit.
        factor: What the rate is multiplied by, in `(0, 1)`.
        patience: Epochs without improvement before a cut, at least 1.
        min_learning_rate: The rate is never cut below this, at least 0.

    Raises:
        ValueError: If the direction is not known, an argument is outside its range, the metric is not in the logs, or,
            when training begins, the optimizer has a schedule already.

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.LearningRateDecay("val_loss", factor=0.5, patience=3).factor
        0.5
    """

    def __init__(self, monitor="val_loss", *, mode=None, factor=0.3, patience=5, min_learning_rate=0.0):
        super().__init__()
        mode = mode or direction(monitor)
        if mode not in ("min", "max"):
            raise ValueError(
                f"`mode` must be 'min' or 'max' for a metric that is not known. Received: {mode=}, {monitor=}"
            )
        if not 0 < factor < 1 or patience < 1 or min_learning_rate < 0:
            raise ValueError(
                "`factor` must be in (0, 1), `patience` at least 1, `min_learning_rate` at least 0. "
                f"Received: {factor=}, {patience=}, {min_learning_rate=}"
            )
        self.monitor, self.mode, self.factor, self.patience = monitor, mode, factor, patience
        self.min_learning_rate, self.best, self.wait, self._resumed = min_learning_rate, None, 0, False

    def on_train_begin(self, logs=None):
        if not self._resumed:
            self.best, self.wait = None, 0
        self._resumed = False
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # that of half precision wraps another
        if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            raise ValueError(
                "Decay on a plateau needs an optimizer with a fixed learning rate, because a schedule "
                f"would overrule it. Received: {type(optimizer._learning_rate).__name__}"
            )

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ValueError(
                "`monitor` must be one of the metrics of this model. "
                f"Received: {self.monitor!r}; there are {', '.join(logs or {})}"
            )
        value = float(logs[self.monitor])
        loss = value if self.mode == "min" else -value
        if math.isfinite(loss) and (self.best is None or loss < self.best):
            self.best, self.wait = loss, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            self.model.optimizer.learning_rate = min(rate, max(rate * self.factor, self.min_learning_rate))
            self.wait = 0

    def state(self):
        """What must be saved so that a resumed training decides the same."""
        return {"best": self.best, "wait": self.wait}

    def set_state(self, state):
        """Go on from a saved state when training begins."""
        self.best, self.wait, self._resumed = state["best"], state["wait"], True
