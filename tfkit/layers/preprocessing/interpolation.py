"""Interpolation of missing values in series."""

from typing import Any

import keras
from keras import ops

from tfkit.layers.layer import Layer


@keras.saving.register_keras_serializable(package="tfkit")
class InterpolateMissing(Layer):
    """Fill missing values of a series by linear interpolation.

    Values before the first known value are set to the first, values after the last to the last; a channel without known
    values gives zeros. A value is missing if it is NaN, infinite or masked. No weights.

    Input shape:
        `(batch, time, channels)`, NaN where missing; a mask `(batch, time)` is passed on.

    Output shape:
        Same as the input, all finite; known values are unchanged.

    Example:
        >>> import numpy as np, tfkit
        >>> series = np.array([np.nan, 1, np.nan, np.nan, 4, np.nan], "float32").reshape(1, 6, 1)
        >>> np.asarray(tfkit.layers.InterpolateMissing()(series)).ravel().tolist()
        [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        observed = ops.isfinite(x)
        if mask is not None:
            observed = ops.logical_and(observed, ops.cast(mask, "bool")[..., None])
        time, steps = ops.shape(x)[1], ops.arange(ops.shape(x)[1], dtype="int32")[None, :, None]
        # observed steps first, in order: the count of observed steps up to a step gives its neighbors
        observed_steps = ops.argsort(ops.where(observed, steps, steps + time), axis=1)
        count = ops.cumsum(ops.cast(observed, "int32"), axis=1)
        total = count[:, -1:]
        before = ops.take_along_axis(observed_steps, ops.maximum(count - 1, 0), axis=1)
        after = ops.take_along_axis(observed_steps, ops.minimum(count, ops.maximum(total - 1, 0)), axis=1)
        start, end = (ops.take_along_axis(x, index, axis=1) for index in (before, after))
        fraction = ops.cast(steps - before, x.dtype) / ops.cast(ops.maximum(after - before, 1), x.dtype)
        filled = start + (end - start) * ops.clip(fraction, 0.0, 1.0)
        return ops.where(observed, x, ops.where(total > 0, filled, ops.zeros_like(x)))

    def compute_output_shape(self, input_shape):
        return input_shape
