"""Layers for forecasting: window scaling, trend, seasonal naive, calendar features."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from tfkit.layers.layer import Layer

LEVELS = ("last", "mean")


@keras.saving.register_keras_serializable(package="tfkit")
class WindowStatistics(Layer):
    """Compute level and standard deviation of each window of a series.

    With `WindowScaling`, a network sees every window in units of the window itself. No statistics of other rows are
    used, so nothing can leak, and a level never seen in training is no problem for the network (Kim et al. 2022,
    https://openreview.net/forum?id=cGDAkQo1C0p; subtracting the last value: NLinear, Zeng et al. 2023,
    https://arxiv.org/abs/2205.13504).

    Args:
        level: `"last"` for the last value, `"mean"` for the mean.

    Input shape:
        `(batch, time)`.

    Output shape:
        `(batch, 2)`: level and standard deviation, in the units of the input.

    Raises:
        ValueError: If `level` has another value.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.layers.WindowStatistics("mean")(np.array([[1.0, 3.0, 1.0, 3.0]])).numpy().tolist()
        [[2.0, 1.0]]
    """

    def __init__(self, level: Literal["last", "mean"] = "last", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if level not in LEVELS:
            raise ValueError(f"`level` must be 'last' or 'mean'. Received: {level!r}")
        self.level = level

    def call(self, x):
        x = ops.cast(x, "float32")
        mean = ops.mean(x, axis=1, keepdims=True)
        std = ops.sqrt(ops.mean(ops.square(x - mean), axis=1, keepdims=True))
        statistics = ops.concatenate([x[:, -1:] if self.level == "last" else mean, std], axis=1)
        return ops.cast(statistics, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)


@keras.saving.register_keras_serializable(package="tfkit")
class WindowScaling(Layer):
    """Standardize values by the statistics of their window, or invert the scaling.

    Computes `(x - level) / std`. For a constant window the standard deviation is 0: it is replaced by 1 in scaling, so
    that nothing is divided by 0, and used as 0 in the inverse, so that the output equals the level.

    Args:
        inverse: Whether to invert the scaling: `x * std + level`.

    Input shape:
        `x` `(batch, ...)` and `statistics` `(batch, 2)`, as returned by `WindowStatistics`.

    Output shape:
        Same as `x`.

    Raises:
        ValueError: If the last axis of `statistics` is not 2.

    Example:
        >>> import numpy as np, tfkit
        >>> statistics = np.array([[10.0, 2.0]])
        >>> tfkit.layers.WindowScaling()(np.array([[12.0, 8.0]]), statistics).numpy().tolist()
        [[1.0, -1.0]]
        >>> tfkit.layers.WindowScaling(inverse=True)(np.array([[1.0, -1.0]]), statistics).numpy().tolist()
        [[12.0, 8.0]]
    """

    def __init__(self, *, inverse: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inverse = inverse

    def build(self, x_shape, statistics_shape):
        if statistics_shape[-1] != 2:
            raise ValueError(
                "`statistics` must contain level and standard deviation of each row, as returned by WindowStatistics. "
                f"Received: statistics of shape {tuple(statistics_shape)}"
            )

    def call(self, x, statistics):
        shape = (-1, *[1] * (len(x.shape) - 1))
        level, std = (ops.reshape(statistics[:, index], shape) for index in range(2))
        if self.inverse:
            return x * std + level
        return (x - level) / ops.where(std > 0, std, ops.ones_like(std))

    def compute_output_shape(self, x_shape, statistics_shape=None):
        return x_shape


@keras.saving.register_keras_serializable(package="tfkit")
class MovingAverage(Layer):
    """Compute the centered moving average of a series, its trend.

    The series minus the trend is the seasonal and random component. At both ends the series is padded with its first
    and last value (DLinear, Zeng et al. 2023, https://arxiv.org/abs/2205.13504), so that the trend is as long as the
    series.

    Args:
        kernel_size: Number of steps in each mean, at least 1; if even, the window has one more step after the center
            than before it.

    Input shape:
        `(batch, time)`.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `kernel_size` is below 1.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.layers.MovingAverage(3)(np.array([[1.0, 1.0, 4.0, 1.0]])).numpy().tolist()
        [[1.0, 2.0, 2.0, 2.0]]
    """

    def __init__(self, kernel_size: int = 25, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kernel_size < 1:
            raise ValueError(f"`kernel_size` must be at least 1. Received: {kernel_size!r}")
        self.kernel_size = kernel_size

    def call(self, x):
        num_before = (self.kernel_size - 1) // 2
        first, last = (
            ops.repeat(edge_value, count, axis=1)
            for edge_value, count in ((x[:, :1], num_before), (x[:, -1:], self.kernel_size - 1 - num_before))
        )
        padded = ops.concatenate([first, x, last], axis=1)
        return ops.average_pool(padded[..., None], self.kernel_size, 1, "valid", "channels_last")[..., 0]

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class SeasonalNaive(Layer):
    """Seasonal naive forecast: repeat the last season over the horizon.

    A network can use it as a starting point and add corrections to it.

    Args:
        season: Length of a season in steps, at least 1; 1 repeats the last value.
        horizon: Steps to forecast, at least 1.

    Input shape:
        `(batch, time)`, with `time` at least `season`.

    Output shape:
        `(batch, horizon)`.

    Raises:
        ValueError: If an argument is below 1.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.layers.SeasonalNaive(2, 3)(np.array([[1.0, 2.0, 3.0, 4.0]])).numpy().tolist()
        [[3.0, 4.0, 3.0]]
    """

    def __init__(self, season: int, horizon: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if season < 1 or horizon < 1:
            raise ValueError(f"`season` and `horizon` must be at least 1. Received: {season=}, {horizon=}")
        self.season, self.horizon = season, horizon

    def call(self, x):
        return ops.tile(x[:, -self.season :], (1, -(-self.horizon // self.season)))[:, : self.horizon]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.horizon)


@keras.saving.register_keras_serializable(package="tfkit")
class CyclicEncoding(Layer):
    """Encode periodic numbers, such as calendar features, as sine and cosine.

    Hour 23 is then as near to hour 0 as hour 1 is.

    Args:
        periods: The period of each feature on the last axis, each above 0, such as `[24, 7]` for hour and weekday.

    Input shape:
        `(batch, ..., len(periods))`.

    Output shape:
        `(batch, ..., 2 * len(periods))`: all sines, then all cosines.

    Raises:
        ValueError: If a period is not above 0, or the last axis has another length.

    Example:
        >>> import numpy as np, tfkit
        >>> encoded = tfkit.layers.CyclicEncoding([24])(np.array([[0.0], [6.0]]))
        >>> [[abs(round(float(value), 3)) for value in step] for step in encoded]
        [[0.0, 1.0], [1.0, 0.0]]
    """

    def __init__(self, periods: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not periods or not all(period > 0 for period in periods):
            raise ValueError(f"`periods` must name at least one period, each above 0. Received: {periods!r}")
        self.periods = list(periods)

    def build(self, input_shape):
        if input_shape[-1] != len(self.periods):
            raise ValueError(
                "The last axis of the input must contain one number for each period. Received: "
                f"periods={self.periods}, input_shape={tuple(input_shape)}"
            )

    def call(self, x):
        angles = ops.cast(x, "float32") * ops.cast([2 * math.pi / period for period in self.periods], "float32")
        return ops.cast(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * len(self.periods))
