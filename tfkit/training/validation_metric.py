"""A metric of the validation rows after each epoch, beside those of the loss."""

from collections.abc import Callable
from typing import Any

import keras


class ValidationMetric(keras.callbacks.Callback):
    """Add a score to the logs of each epoch, for the callbacks after this one.

    Args:
        name: Name of the score in the logs, such as `val_f1`.
        compute: Function without arguments that returns the score of the current weights.
    """

    def __init__(self, name: str, compute: Callable[[], float]) -> None:
        super().__init__()
        self.name, self.compute = name, compute

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compute the score."""
        if logs is not None:
            logs[self.name] = self.compute()
