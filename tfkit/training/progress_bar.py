"""Callback that shows the progress of a training."""

import sys
from collections.abc import Callable
from typing import Any

import keras

from tfkit.console import ProgressBar


class Progress(keras.callbacks.Callback):
    """Show a progress bar on a terminal, elsewhere a line per tenth of the training.

    Args:
        epochs: Epochs of the whole training, at least 1.
        monitor: The metric to show.
        epoch_fraction: Returns the finished fraction of the current epoch, in `[0, 1]`; called after every batch
            callback.
    """

    def __init__(self, epochs: int, monitor: str = "val_loss", epoch_fraction: Callable[[], float] = lambda: 0.0):
        super().__init__()
        self.epochs, self.monitor, self.epoch_fraction = epochs, monitor, epoch_fraction
        self.bar: ProgressBar | None = None
        self._epoch, self._printed_tenths = 0, 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.bar = ProgressBar("Training")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.bar is not None:
            self.bar.update((self._epoch + self.epoch_fraction()) / self.epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        message = f"epoch {epoch + 1}/{self.epochs}  " + "  ".join(
            f"{name} {float(value):.4g}" for name, value in (logs or {}).items() if name in ("loss", self.monitor)
        )
        if self.bar is not None:
            self.bar.update((epoch + 1) / self.epochs, message)
        if self.bar is None or not self.bar.is_shown:
            self._print_tenth(epoch, message)

    def _print_tenth(self, epoch: int, message: str) -> None:
        """Print the message of the first epoch that ends in a tenth of the training."""
        tenths = (epoch + 1) * 10 // self.epochs
        if tenths > self._printed_tenths:
            self._printed_tenths = tenths
            print(message, file=sys.stderr, flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self.bar is not None:
            self.bar.close()
