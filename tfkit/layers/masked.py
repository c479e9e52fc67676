"""What a mask hides counts nowhere: the pieces that convolutions over series of unequal length share."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class GlobalPooling(keras.layers.Layer):
    """Keep one number a channel, its mean or its maximum over all true steps of a series or a picture.

    Where a mask hides steps they count in neither: `mean = sum(x[true]) / count(true)`. Keras masks the mean of a
    series only. A row without any true step gives zeros. No weights.

    Args:
        kind: `"mean"` or `"max"`.

    Input shape:
        `(batch, time, channels)` or `(batch, height, width, channels)`; a mask has the shape without channels.

    Output shape:
        `(batch, channels)`, without a mask.

    Raises:
        ValueError: If `kind` is another word.

    Example:
        >>> import numpy as np, tfkit
        >>> x = np.array([[[1.0], [5.0], [9.0]]], "float32")
        >>> np.asarray(tfkit.layers.GlobalPooling("mean")(x, mask=np.array([[True, True, False]]))).tolist()
        [[3.0]]
    """

    def __init__(self, kind="mean", **kwargs):
        super().__init__(**kwargs)
        if kind not in ("mean", "max"):
            raise ValueError(f"`kind` must be 'mean' or 'max'. Received: {kind!r}")
        self.kind, self.supports_masking = kind, True

    def call(self, x, mask=None):
        axes, lowest = tuple(range(1, len(x.shape) - 1)), -float("inf")
        if mask is None:
            return ops.mean(x, axes) if self.kind == "mean" else ops.max(x, axes, initial=lowest)
        mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        if self.kind == "max":
            y = ops.max(ops.where(mask, x, ops.cast(lowest, x.dtype)), axes, initial=lowest)
            return ops.where(ops.any(mask, axes), y, ops.zeros_like(y))
        # in float32, because a sum over all steps may be beyond what half precision can hold
        total = ops.sum(ops.where(mask, ops.cast(x, "float32"), 0.0), axes)
        return ops.cast(total / ops.maximum(ops.sum(ops.cast(mask, "float32"), axes), 1.0), x.dtype)

    def compute_mask(self, inputs, previous_mask):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


@keras.saving.register_keras_serializable(package="tfkit")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own to 1e-6, in which sums are products with a row of ones, or of zeros for what a mask hides.

    A training step of a masked convolution takes a seventh less time, others a thirtieth (`tests/bench/layers.py`).
    """

    def _moments(self, x, mask):
        if self.synchronized:
            return super()._moments(x, mask)
        x = ops.reshape(x, (-1, x.shape[-1]))
        real = ops.ones(ops.shape(x)[0], x.dtype) if mask is None else ops.cast(mask, x.dtype)
        real = ops.reshape(real, (1, -1))
        share = real / ops.maximum(ops.sum(real), 1.0)
        mean = ops.matmul(share, x)[0]
        # the slope by way of the mean is 0, since deviations from it add up to 0
        return mean, ops.matmul(share, ops.square(x - ops.stop_gradient(mean)))[0]


@keras.saving.register_keras_serializable(package="tfkit")
class GroupNormalization(keras.layers.GroupNormalization):
    """Keras' own, in which what a mask hides counts in no statistics."""

    def call(self, x, mask=None):
        if mask is None:
            return super().call(x)
        axes, shape = tuple(range(1, len(x.shape) - 1)), ops.shape(x)
        shares = (*shape[:-1], self.groups, shape[-1] // self.groups)
        y = ops.reshape(ops.cast(x, "float32"), shares)
        real = ops.cast(mask, "float32")[..., None, None]
        axes = (*axes, -1)
        count = ops.maximum(ops.sum(real, axes, keepdims=True) * shares[-1], 1.0)
        y = y - ops.sum(y * real, axes, keepdims=True) / count
        variance = ops.sum(ops.square(y) * real, axes, keepdims=True) / count
        y = ops.reshape(y * ops.rsqrt(variance + self.epsilon), shape)
        return ops.cast(y * self.gamma + self.beta, self.compute_dtype)


def hide(x, mask):
    """The same, zero wherever the mask is false, whatever stood there."""
    return x if mask is None else ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), x, ops.zeros((), x.dtype))
