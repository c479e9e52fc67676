"""Callback that writes the metrics of each epoch as a JSON line."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkit.atomic_files import write_text
from tfkit.callbacks.gradient_norm import gradient_norm


class JSONLogger(keras.callbacks.Callback):
    """Write metrics, learning rate and seconds of each epoch as a JSON line.

    Values that are not finite are written as null. `seconds` is the time of the epoch including validation;
    `rows_per_second` is the throughput of training alone.

    Args:
        path: File to append to, or None to store the lines in memory only (`lines`).
        rows: Number of rows of an epoch, at least 1; the line then has `rows_per_second`, which is null for the first
            epoch after a resume, because training may resume inside an epoch.
        sample: Rows in the form that `fit` takes, `(x, y)` or `(x, y, weight)`; the line then has `gradient_norm`,
            computed on these rows with the weights at the end of the epoch (see `gradient_norm` for its cost). The
            rows are the same in every epoch, so that epochs can be compared; it is no average over the steps.

    Raises:
        ValueError: If `rows` is below 1.

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.JSONLogger().lines
        []
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, rows: int | None = None, sample: Any = None
    ) -> None:
        super().__init__()
        if rows is not None and rows < 1:
            raise ValueError(f"`rows` must be at least 1, or None. Received: {rows!r}")
        self.path, self.rows, self.sample = Path(path) if path else None, rows, sample
        self.lines: list[dict[str, Any]] = []
        self._epoch_start, self._last_batch_end, self._is_complete_epoch = 0.0, 0.0, True

    def on_train_begin(self, logs=None):
        if self.path:  # after a resume: drop the lines written after the checkpoint
            write_text(self.path, "".join(map(_to_json_line, self.lines)))

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_start = self._last_batch_end = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._last_batch_end = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        # not float(value): a metric may be a list, such as F1 per class
        metrics = {name: np.asarray(value, "float64").tolist() for name, value in (logs or {}).items()}
        line = {"epoch": epoch + 1, **metrics}
        line["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if self.sample is not None:
            line["gradient_norm"] = gradient_norm(self.model, self.sample)
        line["seconds"] = round(time.perf_counter() - self._epoch_start, 3)
        if self.rows is not None:
            seconds = self._last_batch_end - self._epoch_start
            line["rows_per_second"] = round(self.rows / seconds) if self._is_complete_epoch and seconds else None
        self._is_complete_epoch = True
        self.lines.append(line)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_to_json_line(line))

    def state(self):
        """Return the lines written so far."""
        return {"lines": list(self.lines)}

    def set_state(self, state):
        """Restore the lines of a saved state."""
        self.lines, self._is_complete_epoch = list(state["lines"]), False


def _to_json_line(line):
    """Format a dictionary as a line of JSON; NaN and infinity become null."""

    def replace_nonfinite(value):
        if isinstance(value, list):
            return [replace_nonfinite(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps({name: replace_nonfinite(value) for name, value in line.items()}) + "\n"
