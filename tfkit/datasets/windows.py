"""Dataset of sliding windows over series, cut when they are taken."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CHUNK_WINDOWS = 4096  # windows whose targets are read at a time


class WindowDataset:
    """Dataset of sliding windows over series: past values and forecast targets.

    The series are stored once, even if windows overlap.

    A window is identified by the time step of its first target. Its raw inputs are a dictionary: `values`
    `(context_length,)`, and each covariate over past and horizon, `(context_length + horizon, dim)`; `preprocessor`
    converts them to the model inputs.

    Args:
        values: All series, concatenated, `(steps,)`, without missing values.
        forecast_starts: The time step of the first target of each window, `(windows,)`; past and horizon are within
            its series.
        context_length: Number of past time steps of the model input.
        horizon: Number of time steps to forecast.
        covariates: Covariates that are known for every step, name -> `(steps, dim)`, in the dtype
            that the preprocessor takes.
        preprocessor: Function from raw inputs to x; None for no preprocessing.
        is_observed: Mask of the values that are not imputed, `(steps,)`; imputed values have weight 0 as targets.
        series: The series code of each step, `(steps,)`.
        weight: Weight of the targets of each series in the loss, `(series,)`; None for equal weights.
        lookup_timestamps: Function from indices in `values` to a DataFrame with their series and time.
        dtype: Of the past values of raw inputs. With `"float64"`, for values whose steps float32 would round, the
            targets of `take` are relative to the last past value, which float32 holds.

    Raises:
        ValueError: If there are no windows, or a window exceeds the range of the values.

    Example:
        >>> import numpy as np, tfkit
        >>> windows = tfkit.WindowDataset(np.arange(10.0), [4, 5], context_length=3, horizon=2)
        >>> x, y, weight = windows.take(np.array([1]))
        >>> x["values"].numpy().tolist(), y.numpy().tolist()
        ([[2.0, 3.0, 4.0]], [[[5.0], [6.0]]])
    """

    def __init__(
        self,
        values: Any,
        forecast_starts: Any,
        *,
        context_length: int,
        horizon: int,
        covariates: Mapping[str, Any] | None = None,
        preprocessor: Callable[[dict[str, Any]], Any] | None = None,
        is_observed: Any = None,
        series: Any = None,
        weight: Any = None,
        lookup_timestamps: Callable[[np.ndarray], "pd.DataFrame"] | None = None,
        dtype: str = "float32",
    ):
        self.values, self.dtype = np.asarray(values, "float64"), dtype
        self.forecast_starts = np.asarray(forecast_starts, "int32")
        self.context_length, self.horizon, self.preprocessor = context_length, horizon, preprocessor
        steps = len(self.values)
        if not len(self.forecast_starts):
            raise ValueError("A split must have at least one window. Received: none")
        first, last = self.forecast_starts.min(), self.forecast_starts.max()
        if first < context_length or last + horizon > steps:
            raise ValueError(
                "Past and horizon of every window must lie within the values. Received: "
                f"context_length={context_length}, horizon={horizon}, {steps} values, starts from {first} to {last}"
            )
        self.covariates = {name: np.asarray(array) for name, array in (covariates or {}).items()}
        self.is_observed = np.ones(steps, bool) if is_observed is None else np.asarray(is_observed, bool)
        self.series = np.zeros(steps, "int32") if series is None else np.asarray(series, "int32")
        self.weight = None if weight is None else np.asarray(weight, "float32")
        self.lookup_timestamps = lookup_timestamps
        self._tensors: Any = None

    def __len__(self) -> int:
        return len(self.forecast_starts)

    def take(self, indices: Any) -> tuple[Any, Any, Any]:
        """Return windows as tensors.

        In a compiled function, `indices` may be a tensor: the series are on the device.

        Returns:
            x, targets `(windows, horizon, 1)` and weights `(windows, horizon)`.
        """
        import tensorflow as tf

        if self._tensors is None:
            step_weight = 1.0 if self.weight is None else self.weight[self.series]
            weights: np.ndarray = (self.is_observed * step_weight).astype("float32")
            with tf.init_scope():  # once, outside of any function being compiled
                values = self.values.astype(self.dtype)
                arrays = {"values": values, "weights": weights, "starts": self.forecast_starts, **self.covariates}
                self._tensors = {name: tf.convert_to_tensor(array) for name, array in arrays.items()}
        tensors = self._tensors
        starts = tf.gather(tensors["starts"], indices)[:, None]
        future, window = starts + tf.range(self.horizon), starts + tf.range(-self.context_length, self.horizon)
        raw = {"values": tf.gather(tensors["values"], starts + tf.range(-self.context_length, 0))}
        raw |= {name: tf.gather(tensors[name], window) for name in self.covariates}
        x = raw if self.preprocessor is None else self.preprocessor(raw)
        targets = tf.gather(tensors["values"], future)
        if self.dtype == "float64":
            targets = tf.cast(targets - raw["values"][:, -1:], "float32")
        return x, targets[..., None], tf.gather(tensors["weights"], future)

    def concatenate(self, dataset: "WindowDataset") -> "WindowDataset":
        """Return the windows of both datasets, which are windows over the same series.

        Example:
            >>> first, second = (WindowDataset(np.arange(10.0), [i], context_length=3, horizon=2) for i in (4, 7))
            >>> first.concatenate(second).forecast_starts.tolist()
            [4, 7]
        """
        combined = copy(self)
        combined.forecast_starts = np.concatenate([self.forecast_starts, dataset.forecast_starts])
        combined._tensors = None
        return combined

    def raw_inputs(self, indices: Any) -> dict[str, np.ndarray]:
        """Return the raw inputs of windows, as the saved model takes them."""
        starts = self.forecast_starts[np.asarray(indices)][:, None]
        window = starts + np.arange(-self.context_length, self.horizon)
        covariates = {name: array[window] for name, array in self.covariates.items()}
        return {"values": self.values[starts + np.arange(-self.context_length, 0)].astype(self.dtype), **covariates}

    def targets(self) -> np.ndarray:
        """Return series code and targets of each window, NaN if missing; see `allocate_window_targets`."""
        targets = allocate_window_targets(len(self), self.horizon)
        targets["series"] = self.series[self.forecast_starts]
        for start in range(0, len(self), CHUNK_WINDOWS):
            end = start + CHUNK_WINDOWS
            future = self.forecast_starts[start:end, None] + np.arange(self.horizon)
            targets["values"][start:end] = np.where(self.is_observed[future], self.values[future], np.nan)
        return targets

    def timestamps(self, indices: Any) -> "pd.DataFrame":
        """Return the series and the time of every target of windows."""
        if self.lookup_timestamps is None:
            raise ValueError("Timestamps need `lookup_timestamps`. Received: None")
        return self.lookup_timestamps((self.forecast_starts[indices][:, None] + np.arange(self.horizon)).ravel())

    def origins(self, indices: Any) -> "pd.DataFrame":
        """Return the series and the time of the last known step of windows."""
        if self.lookup_timestamps is None:
            raise ValueError("Timestamps need `lookup_timestamps`. Received: None")
        return self.lookup_timestamps(self.forecast_starts[indices] - 1)

    def non_overlapping(self) -> np.ndarray:
        """Return indices of windows whose targets do not overlap.

        These are every `horizon`-th window of each series.
        """
        codes = self.series[self.forecast_starts]
        first = np.full(codes.max() + 1, len(self.values))
        np.minimum.at(first, codes, self.forecast_starts)
        return np.flatnonzero((self.forecast_starts - first[codes]) % self.horizon == 0)

    def history(self, steps: int) -> np.ndarray:
        """Return the last values before the targets, `(windows, steps)`.

        Values before the start of the series are NaN.
        """
        indices = self.forecast_starts[:, None] + np.arange(-steps, 0)
        is_inside = (indices >= 0) & (self.series[indices] == self.series[self.forecast_starts][:, None])
        return np.where(is_inside, self.values[indices], np.nan)


def allocate_window_targets(windows: int, horizon: int) -> np.ndarray:
    """Allocate a structured array of window targets.

    Its fields are `series`, the series code, and `values` `(horizon,)`.
    """
    return np.zeros(windows, [("series", "int32"), ("values", "float64", (horizon,))])
