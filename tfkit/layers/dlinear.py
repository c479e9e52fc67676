"""DLinear: a linear forecast of trend and remainder."""

from typing import Any

import keras

from tfkit.layers.forecasting import MovingAverage
from tfkit.layers.layer import Layer


@keras.saving.register_keras_serializable(package="tfkit")
class DLinear(Layer):
    """Map a series to a vector by one linear map of its trend and one of the remainder.

    The trend is a moving average. A strong baseline for forecasts of many steps (DLinear, Zeng et al. 2023,
    https://arxiv.org/abs/2205.13504). Kernels are zero at first, so that what the layer is added to is not changed
    before training.

    Args:
        units: Number of outputs, such as the steps of the forecast.
        kernel_size: Steps of the moving average, at least 1.
        l1, l2: Penalties of the kernels, 0 or more.

    Input shape:
        `(batch, time)`; `time` is fixed.

    Output shape:
        `(batch, units)`.

    Raises:
        ValueError: If `units` or `kernel_size` is below 1.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.layers.DLinear(12)(np.ones((2, 48))).shape
        TensorShape([2, 12])
    """

    def __init__(self, units: int, kernel_size: int = 25, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: {units!r}")
        self.units, self.kernel_size, self.l1, self.l2 = units, kernel_size, l1, l2
        self.trend = MovingAverage(kernel_size, name="trend", dtype=self.dtype_policy)
        options = {
            "use_bias": False,
            "kernel_initializer": "zeros",
            "kernel_regularizer": keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
            "dtype": self.dtype_policy,
        }
        self.trend_map = keras.layers.Dense(units, name="trend_map", **options)
        self.remainder_map = keras.layers.Dense(units, name="remainder_map", **options)

    def build(self, input_shape):
        self.trend_map.build(input_shape)
        self.remainder_map.build(input_shape)

    def call(self, x):
        trend = self.trend(x)
        return self.trend_map(trend) + self.remainder_map(x - trend)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)
