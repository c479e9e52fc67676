"""What happened, epoch by epoch, kept in a file."""

import json
import math
import time
from pathlib import Path

import keras
import numpy as np


class Journal(keras.callbacks.Callback):
    """Write one JSON line an epoch: its metrics (null where not finite), the learning rate and the seconds.

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
            self.path.write_text("".join(map(_written, self.lines)), encoding="utf-8")

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        # not float(value): a metric may be a list, such as F1 of each class
        line = {"epoch": epoch + 1, **{name: np.asarray(v, "float64").tolist() for name, v in (logs or {}).items()}}
        line["learning_rate"] = float(self.model.optimizer.learning_rate)
        line["seconds"] = round(time.perf_counter() - self._start, 3)
        self.lines.append(line)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_written(line))

    def state(self):
        """The lines so far."""
        return {"lines": self.lines}

    def set_state(self, state):
        """Go on after these lines."""
        self.lines = state["lines"]


def _written(line):
    """A line of JSON, which has no word for NaN and infinity: null stands for them."""

    def plain(value):
        if isinstance(value, list):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps({name: plain(value) for name, value in line.items()}) + "\n"
