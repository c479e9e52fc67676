"""What happened, epoch by epoch: for a file, and for the person who waits."""

import json
import sys
import time
from pathlib import Path

import keras


class Journal(keras.callbacks.Callback):
    """Write one JSON line an epoch: its metrics, the learning rate and the seconds.

    Args:
        path: File to append to, or None to keep the lines in memory alone (`lines`).

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.Journal().lines
        []
    """

    def __init__(self, path=None):
        super().__init__()
        self.path, self.lines, self._start = Path(path) if path else None, [], 0.0

    def on_train_begin(self, logs=None):
        if self.path:  # after a resume the file holds what was resumed from, and no more
            self.path.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        line = {"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        line["learning_rate"] = float(self.model.optimizer.learning_rate)
        line["seconds"] = round(time.perf_counter() - self._start, 3)
        self.lines.append(line)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def state(self):
        """The lines so far."""
        return {"lines": self.lines}

    def set_state(self, state):
        """Go on after these lines."""
        self.lines = state["lines"]


class Progress(keras.callbacks.Callback):
    """A bar with time left for a person at a terminal; one line for each tenth of the way elsewhere.

    Args:
        epochs: Epochs of the whole training, at least 1.
        monitor: The metric to show.
        calls: Calls of an epoch, where known, so that the bar moves within an epoch too.

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.Progress(epochs=10).epochs
        10
    """

    def __init__(self, epochs, monitor="val_loss"):
        super().__init__()
        self.epochs, self.monitor, self._bar, self._task, self._epoch, self._said = epochs, monitor, None, None, 0, 0

    def on_train_begin(self, logs=None):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(file=sys.stderr)
        if console.is_terminal:
            columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn()]
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("Training", total=self.epochs, said="")
            self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._bar and self.params.get("steps"):
            self._bar.update(self._task, completed=self._epoch + (batch + 1) / self.params["steps"])

    def on_epoch_end(self, epoch, logs=None):
        said = f"epoch {epoch + 1}/{self.epochs}  " + "  ".join(
            f"{name} {float(value):.4g}" for name, value in (logs or {}).items() if name in ("loss", self.monitor)
        )
        if self._bar:
            self._bar.update(self._task, completed=epoch + 1, said=said)
        elif (epoch + 1) * 10 // self.epochs > self._said:
            self._said = (epoch + 1) * 10 // self.epochs
            print(said, file=sys.stderr, flush=True)

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Take the bar away, whatever happened."""
        if self._bar:
            self._bar.stop()
            self._bar = None
