"""What happened, epoch by epoch, kept in a file."""

import json
import math
import time
from pathlib import Path

import keras
import numpy as np

from tfkit.callbacks.gradient_norm import gradient_norm


class Journal(keras.callbacks.Callback):
    """Write one JSON line an epoch: its metrics, learning rate and seconds; what is not finite is null.

    `seconds` are those of the epoch with its validation, `rows_per_second` those of training alone.

    Args:
        path: File to append to, or None to keep the lines in memory alone (`lines`).
        rows: Rows of an epoch, at least 1; the line then has `rows_per_second`, which is null where training was
            resumed, maybe in the midst of the epoch.
        sample: Rows as the model is fitted with, `(x, y)` or `(x, y, weight)`; the line then has `gradient_norm`, that
            of these rows with the weights at the epoch's end (see `gradient_norm` for its cost). It is the same rows
            each time, so that epochs can be compared, and no average over the steps.

    Raises:
        ValueError: If `rows` is below 1.

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.Journal().lines
        []
    """

    def __init__(self, path=None, *, rows=None, sample=None):
        super().__init__()
        if rows is not None and rows < 1:
            raise ValueError(f"`rows` must be at least 1, or None. Received: {rows!r}")
        self.path, self.rows, self.sample, self.lines = Path(path) if path else None, rows, sample, []
        self._start, self._trained, self._whole = 0.0, 0.0, True

    def on_train_begin(self, logs=None):
        if self.path:  # after a resume the file holds what was resumed from, and no more
            self.path.write_text("".join(map(_written, self.lines)), encoding="utf-8")

    def on_epoch_begin(self, epoch, logs=None):
        self._start = self._trained = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        # not float(value): a metric may be a list, such as F1 of each class
        line = {"epoch": epoch + 1, **{name: np.asarray(v, "float64").tolist() for name, v in (logs or {}).items()}}
        line["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if self.sample is not None:
            line["gradient_norm"] = gradient_norm(self.model, self.sample)
        line["seconds"] = round(time.perf_counter() - self._start, 3)
        if self.rows is not None:
            training = self._trained - self._start
            line["rows_per_second"] = round(self.rows / training) if self._whole and training else None
        self._whole = True
        self.lines.append(line)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_written(line))

    def state(self):
        """The lines so far."""
        return {"lines": list(self.lines)}

    def set_state(self, state):
        """Go on after these lines."""
        self.lines, self._whole = list(state["lines"]), False


def _written(line):
    """A line of JSON, which has no word for NaN and infinity: null stands for them."""

    def plain(value):
        if isinstance(value, list):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps({name: plain(value) for name, value in line.items()}) + "\n"
