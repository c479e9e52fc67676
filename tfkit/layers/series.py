"""Series as they come have gaps; layers want numbers."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class FillGaps(keras.layers.Layer):
    """Fill what is missing inside a series, along the straight line between the values around it.

    Before the first known value stands the first, after the last the last; where a channel has none, zeros. What is
    missing is NaN or infinite, or hidden by a mask. No weights.

    Input shape:
        `(batch, time, channels)`, NaN where missing; a mask `(batch, time)` is kept.

    Output shape:
        The same, all finite; known values as they were.

    Example:
        >>> import numpy as np, tfkit
        >>> series = np.array([np.nan, 1, np.nan, np.nan, 4, np.nan], "float32").reshape(1, 6, 1)
        >>> np.asarray(tfkit.layers.FillGaps()(series)).ravel().tolist()
        [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        known = ops.isfinite(x)
        if mask is not None:
            known = ops.logical_and(known, ops.cast(mask, "bool")[..., None])
        time, steps = ops.shape(x)[1], ops.arange(ops.shape(x)[1], dtype="int32")[None, :, None]
        # the known steps in front, in their order: how many are known up to a step says which are next to it
        places = ops.argsort(ops.where(known, steps, steps + time), axis=1)
        count = ops.cumsum(ops.cast(known, "int32"), axis=1)
        total = count[:, -1:]
        before = ops.take_along_axis(places, ops.maximum(count - 1, 0), axis=1)
        after = ops.take_along_axis(places, ops.minimum(count, ops.maximum(total - 1, 0)), axis=1)
        start, end = (ops.take_along_axis(x, place, axis=1) for place in (before, after))
        share = ops.cast(steps - before, x.dtype) / ops.cast(ops.maximum(after - before, 1), x.dtype)
        filled = start + (end - start) * ops.clip(share, 0.0, 1.0)
        return ops.where(known, x, ops.where(total > 0, filled, ops.zeros_like(x)))

    def compute_output_shape(self, input_shape):
        return input_shape
