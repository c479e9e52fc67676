"""A bar with the time that is left."""

import sys
from collections.abc import Callable
from typing import Any

import keras


class Progress(keras.callbacks.Callback):
    """A bar with time left for a person at a terminal; one line for each tenth of the way elsewhere.

    Args:
        epochs: Epochs of the whole training, at least 1.
        monitor: The metric to show.
        share: The share of the running epoch that is done, in `[0, 1]`; asked after every call.
    """

    def __init__(self, epochs: int, monitor: str = "val_loss", share: Callable[[], float] = lambda: 0.0):
        super().__init__()
        self.epochs, self.monitor, self.share, self._epoch, self._said = epochs, monitor, share, 0, 0
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
                TextColumn("{task.fields[said]}"),
                TimeRemainingColumn(),
            ]
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("Training", total=self.epochs, said="")
            self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._bar:
            self._bar.update(self._task, completed=self._epoch + self.share())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        said = f"epoch {epoch + 1}/{self.epochs}  " + "  ".join(
            f"{name} {float(value):.4g}" for name, value in (logs or {}).items() if name in ("loss", self.monitor)
        )
        if self._bar:
            self._bar.update(self._task, completed=epoch + 1, said=said)
        elif (epoch + 1) * 10 // self.epochs > self._said:
            self._said = (epoch + 1) * 10 // self.epochs
            print(said, file=sys.stderr, flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away, whatever happened."""
        if self._bar:
            self._bar.stop()
            self._bar = None
