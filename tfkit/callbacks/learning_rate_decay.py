"""Callback that reduces the learning rate on a plateau."""

import math
from typing import Literal

import keras

from tfkit.metrics import direction, similar_metric


class LearningRateDecay(keras.callbacks.Callback):
    """Reduce the learning rate when a metric stops improving (plateau decay).

    Args:
        monitor: Name of the metric in the logs.
        mode: `"min"` or `"max"`; None if tfkit knows the direction of the metric.
        factor: Factor by which the learning rate is multiplied, in `(0, 1)`.
        patience: Epochs without improvement before a reduction, at least 1.
        min_learning_rate: Lower bound of the reduced learning rate, at least 0.

    Raises:
        ValueError: If the direction is unknown, an argument is outside its range, the metric is not in the logs, or the
            optimizer already has a schedule when training begins.

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.LearningRateDecay("val_loss", factor=0.5, patience=3).factor
        0.5
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        mode: Literal["min", "max"] | None = None,
        factor: float = 0.3,
        patience: int = 5,
        min_learning_rate: float = 0.0,
    ) -> None:
        super().__init__()
        mode = mode or direction(monitor)
        if mode not in ("min", "max"):
            raise ValueError(
                f"`mode` must be 'min' or 'max' for a metric that tfkit does not know.{similar_metric(monitor)} "
                f"Received: {mode=}, {monitor=}"
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
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # unwrap a LossScaleOptimizer (half precision)
        if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            raise ValueError(
                "Plateau decay needs an optimizer with a fixed learning rate, because a schedule "
                f"would override it. Received: {type(optimizer._learning_rate).__name__}"
            )

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ValueError(
                "`monitor` must be one of the metrics of this model. "
                f"Received: {self.monitor!r}; available: {', '.join(logs or {})}"
            )
        value = float(logs[self.monitor])
        loss = value if self.mode == "min" else -value
        if math.isfinite(loss) and (self.best is None or loss < self.best):
            self.best, self.wait = loss, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            reduced = max(learning_rate * self.factor, self.min_learning_rate)
            self.model.optimizer.learning_rate = min(learning_rate, reduced)
            self.wait = 0

    def state(self):
        """Return the state that a resumed training needs to make the same decisions."""
        return {"best": self.best, "wait": self.wait}

    def set_state(self, state):
        """Continue from a saved state when training begins."""
        self.best, self.wait, self._resumed = state["best"], state["wait"], True
