"""Dataset of sliding windows over series, cut when they are taken."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CHUNK_WINDOWS = 4096  # windows whose targets are read at a time


class WindowDataset:
    """Dataset of sliding windows over series: past values and forecast targets.

    The series are stored once, even if windows overlap.

    A window is identified by the time step of its first target. Its raw inputs are a dictionary: `values` `(past,)`,
    and each covariate over past and horizon, `(past + horizon, dim)`; `prepare` converts them to the model inputs.

    Args:
        values: All series, concatenated, `(steps,)`, without missing values.
        origins: The time step of the first target of each window, `(windows,)`; past and horizon are within its series.
        past: Number of time steps of the model input.
        horizon: Number of time steps to forecast.
        covariates: Covariates that are known for every step, name -> `(steps, dim)`.
        prepare: Function from raw inputs to x; None for no preprocessing.
        present: Mask of the values that are not imputed, `(steps,)`; imputed values have weight 0 as targets.
        series: The series code of each step, `(steps,)`.
        weight: Weight of the targets of each series in the loss, `(series,)`; None for equal weights.
        stamp: Function from indices in `values` to a DataFrame with their series and time.

    Raises:
        ValueError: If there are no windows, or a window exceeds the range of the values.

    Example:
        >>> import numpy as np, tfkit
        >>> windows = tfkit.WindowDataset(np.arange(10.0), [4, 5], past=3, horizon=2)
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
        prepare: Callable[[dict[str, Any]], Any] | None = None,
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
                f"Past and horizon of every window must lie within the values. Received: context_length={past}, "
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

    def take(self, indices: Any) -> tuple[Any, Any, Any]:
        """Return windows as tensors.

        In a compiled function, `indices` may be a tensor: the series are on the device.

        Returns:
            x, targets `(windows, horizon, 1)` and weights `(windows, horizon)`.
        """
        import tensorflow as tf

        if self._tensors is None:
            step_weight = 1.0 if self.weight is None else self.weight[self.series]
            weights: np.ndarray = (self.present * step_weight).astype("float32")
            with tf.init_scope():  # once, outside of any function being compiled
                arrays = {"values": self.values, "counts": weights, "origins": self.origins, **self.covariates}
                self._tensors = {name: tf.convert_to_tensor(array) for name, array in arrays.items()}
        tensors = self._tensors
        origins = tf.gather(tensors["origins"], indices)[:, None]
        future, window = origins + tf.range(self.horizon), origins + tf.range(-self.past, self.horizon)
        raw = {"values": tf.gather(tensors["values"], origins + tf.range(-self.past, 0))}
        raw |= {name: tf.gather(tensors[name], window) for name in self.covariates}
        x = raw if self.prepare is None else self.prepare(raw)
        return x, tf.gather(tensors["values"], future)[..., None], tf.gather(tensors["counts"], future)

    def raw(self, indices: Any) -> dict[str, np.ndarray]:
        """Return the raw inputs of windows, as the saved model takes them."""
        origins = self.origins[np.asarray(indices)][:, None]
        window = origins + np.arange(-self.past, self.horizon)
        covariates = {name: array[window] for name, array in self.covariates.items()}
        return {"values": self.values[origins + np.arange(-self.past, 0)], **covariates}

    def truth(self) -> np.ndarray:
        """Return series code and targets of each window, NaN if missing; see `truths`."""
        targets = truths(len(self), self.horizon)
        targets["series"] = self.series[self.origins]
        for start in range(0, len(self), CHUNK_WINDOWS):
            end = start + CHUNK_WINDOWS
            future = self.origins[start:end, None] + np.arange(self.horizon)
            targets["values"][start:end] = np.where(self.present[future], self.values[future], np.nan)
        return targets

    def stamps(self, indices: Any) -> "pd.DataFrame":
        """Return the series and the time of every target of windows."""
        return self.stamp((self.origins[indices][:, None] + np.arange(self.horizon)).ravel())

    def apart(self) -> np.ndarray:
        """Return indices of windows whose targets do not overlap.

        These are every `horizon`-th window of each series.
        """
        codes = self.series[self.origins]
        first = np.full(codes.max() + 1, len(self.values))
        np.minimum.at(first, codes, self.origins)
        return np.flatnonzero((self.origins - first[codes]) % self.horizon == 0)

    def before(self, steps: int) -> np.ndarray:
        """Return the last values before the targets, `(windows, steps)`.

        Values before the start of the series are NaN.
        """
        indices = self.origins[:, None] + np.arange(-steps, 0)
        is_inside = (indices >= 0) & (self.series[indices] == self.series[self.origins][:, None])
        return np.where(is_inside, self.values[indices], np.nan)


def truths(windows: int, horizon: int) -> np.ndarray:
    """Allocate a structured array of window targets.

    Its fields are `series`, the series code, and `values` `(horizon,)`.
    """
    return np.zeros(windows, [("series", "int32"), ("values", "float64", (horizon,))])
