"""Windows cut out of long series as they are taken: a past, and the values that come after it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

BLOCK = 4096  # windows of which the truth is looked up at a time


class Windows:
    """A split whose rows are windows of series; the series lie in memory once, however much their windows overlap.

    A window is named by where its targets begin. What it is of, `raw`, is a dictionary: `values` `(past,)`, and each
    covariate over past and horizon, `(past + horizon, dim)`; `prepare` makes of it what the model takes.

    Args:
        values: All series one after another, `(steps,)`, none missing.
        origins: For each window the step of its first target, `(windows,)`; past and horizon lie within its series.
        past: Steps that the model sees.
        horizon: Steps that it is to foretell.
        covariates: What is known of every step, name -> `(steps, dim)`.
        prepare: Raw windows -> x; None takes them as they are.
        present: Which values were there and not filled in, `(steps,)`; the others count nothing as targets.
        series: The number of each step's series, `(steps,)`.
        weight: What a target of each series counts in the loss, `(series,)`; None for 1 each.
        stamp: From steps of `values` to a DataFrame that says what they are of: series and time.

    Raises:
        ValueError: If there are no windows, or one reaches beyond the values.

    Example:
        >>> import numpy as np, tfkit
        >>> windows = tfkit.Windows(np.arange(10.0), [4, 5], past=3, horizon=2)
        >>> x, y, weight = windows.take(np.array([1]))
        >>> x["values"].numpy().tolist(), y.numpy().tolist()
        ([[2.0, 3.0, 4.0]], [[[5.0], [6.0]]])
    """

    def __init__(
        self,
        values: Any,
        origins: Any,
        *,
        past: int,
        horizon: int,
        covariates: Mapping[str, Any] | None = None,
        prepare: Any = None,
        present: Any = None,
        series: Any = None,
        weight: Any = None,
        stamp: Any = None,
    ):
        self.values = np.asarray(values, "float32")
        self.origins = np.asarray(origins, "int32")
        self.past, self.horizon, self.prepare = past, horizon, prepare
        steps = len(self.values)
        if not len(self.origins):
            raise ValueError("A split must have at least one window. Received: none")
        if self.origins.min() < past or self.origins.max() + horizon > steps:
            raise ValueError(
                f"Past and horizon of every window must lie within the values. Received: past={past}, "
                f"horizon={horizon}, {steps} values, origins from {self.origins.min()} to "
                f"{self.origins.max()}"
            )
        self.covariates = {name: np.asarray(array, "float32") for name, array in (covariates or {}).items()}
        self.present = np.ones(steps, bool) if present is None else np.asarray(present, bool)
        self.series = np.zeros(steps, "int32") if series is None else np.asarray(series, "int32")
        self.weight = None if weight is None else np.asarray(weight, "float32")
        self.stamp = stamp
        self._tensors: Any = None

    def __len__(self) -> int:
        return len(self.origins)

    def take(self, numbers: Any) -> tuple[Any, Any, Any]:
        """The windows of these numbers as tensors: x, targets `(windows, horizon, 1)`, weights `(windows, horizon)`.

        Works inside a compiled function, with a tensor of numbers, too: the series lie on the device.
        """
        import tensorflow as tf

        if self._tensors is None:
            each = 1.0 if self.weight is None else self.weight[self.series]
            counts: np.ndarray = (self.present * each).astype("float32")
            with tf.init_scope():  # once, outside of any function being compiled
                tables = {"values": self.values, "counts": counts, "origins": self.origins, **self.covariates}
                self._tensors = {name: tf.convert_to_tensor(table) for name, table in tables.items()}
        told = self._tensors
        at = tf.gather(told["origins"], numbers)[:, None]
        ahead, around = at + tf.range(self.horizon), at + tf.range(-self.past, self.horizon)
        raw = {"values": tf.gather(told["values"], at + tf.range(-self.past, 0))}
        raw |= {name: tf.gather(told[name], around) for name in self.covariates}
        x = raw if self.prepare is None else self.prepare(raw)
        return x, tf.gather(told["values"], ahead)[..., None], tf.gather(told["counts"], ahead)

    def raw(self, numbers: Any) -> dict[str, np.ndarray]:
        """The same windows as the model file takes them."""
        at = self.origins[np.asarray(numbers)][:, None]
        around = at + np.arange(-self.past, self.horizon)
        covariates = {name: table[around] for name, table in self.covariates.items()}
        return {"values": self.values[at + np.arange(-self.past, 0)], **covariates}

    def truth(self) -> np.ndarray:
        """Of each window the number of its series and its targets, NaN where missing; see `truths`."""
        found = truths(len(self), self.horizon)
        found["series"] = self.series[self.origins]
        for start in range(0, len(self), BLOCK):
            ahead = self.origins[start : start + BLOCK, None] + np.arange(self.horizon)
            found["values"][start : start + BLOCK] = np.where(self.present[ahead], self.values[ahead], np.nan)
        return found

    def stamps(self, numbers: Any) -> Any:
        """Of every target of these windows its series and its time, a DataFrame."""
        return self.stamp((self.origins[numbers][:, None] + np.arange(self.horizon)).ravel())

    def apart(self) -> np.ndarray:
        """The numbers of windows whose targets do not overlap: every `horizon`-th of each series."""
        codes = self.series[self.origins]
        first = np.full(codes.max() + 1, len(self.values))
        np.minimum.at(first, codes, self.origins)
        return np.flatnonzero((self.origins - first[codes]) % self.horizon == 0)

    def before(self, steps: int) -> np.ndarray:
        """The values just before the targets `(windows, steps)`, NaN where the series had not begun."""
        at = self.origins[:, None] + np.arange(-steps, 0)
        inside = (at >= 0) & (self.series[at] == self.series[self.origins][:, None])
        return np.where(inside, self.values[at], np.nan)


def truths(windows: int, horizon: int) -> np.ndarray:
    """Room for what is true of windows: `series`, the number of each one's series, and `values`, `(horizon,)` each."""
    return np.zeros(windows, [("series", "int32"), ("values", "float64", (horizon,))])
