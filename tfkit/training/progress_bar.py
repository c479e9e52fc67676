"""Progress bar of a training, with the remaining time."""

import sys
from collections.abc import Callable
from typing import Any

import keras


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
        self._epoch, self._printed_tenths = 0, 0
        self._bar: Any = None
        self._task: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(file=sys.stderr)
        if console.is_terminal:
            columns = [
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[metrics]}"),
                TimeRemainingColumn(),
            ]
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("Training", total=self.epochs, metrics="")
            self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._bar:
            self._bar.update(self._task, completed=self._epoch + self.epoch_fraction())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        message = f"epoch {epoch + 1}/{self.epochs}  " + "  ".join(
            f"{name} {float(value):.4g}" for name, value in (logs or {}).items() if name in ("loss", self.monitor)
        )
        if self._bar:
            self._bar.update(self._task, completed=epoch + 1, metrics=message)
        elif (epoch + 1) * 10 // self.epochs > self._printed_tenths:
            self._printed_tenths = (epoch + 1) * 10 // self.epochs
            print(message, file=sys.stderr, flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self._bar:
            self._bar.stop()
            self._bar = None
