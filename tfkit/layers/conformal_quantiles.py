"""Layer that calibrates the quantiles of a forecast."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfkit.layers.layer import Layer

UNITS = ("std", "level")


@keras.saving.register_keras_serializable(package="tfkit")
class ConformalQuantiles(Layer):
    """Sort quantiles and widen the prediction intervals by precomputed margins, in units of the window.

    Sorting never makes quantiles worse (Chernozhukov et al. 2010, https://arxiv.org/abs/0704.3649). The margins are
    computed on validation data so that each interval reaches its nominal coverage (Romano et al. 2019,
    https://arxiv.org/abs/1905.03222). They are added to both ends of an interval: a network whose intervals are far too
    narrow gets the width of its errors. Each interval contains the next narrower one, whatever the margins are.

    Args:
        margins: For each interval, the widest first, what is added to its two ends, in units of the window; a negative
            margin makes it narrower.
        unit: `"std"` for the standard deviation of the past values, `"level"` for their mean absolute value.
        minimum: A bound of the data, such as 0 for counts: windows without smaller values have no smaller quantiles;
            None for no bound.

    Input shape:
        Quantiles `(batch, time, 2 * len(margins) + 1)`, the median in the middle, and the past values of each window
        `(batch, past)`.

    Output shape:
        Same as the quantiles.

    Raises:
        ValueError: If `unit` has another value, or the last axis has another length.

    Example:
        >>> import numpy as np, tfkit
        >>> quantiles, past = np.array([[[3.0, 1.0, 2.0]]]), np.array([[0.0, 4.0]])
        >>> tfkit.layers.ConformalQuantiles([1.5])(quantiles, past).numpy().tolist()
        [[[-2.0, 2.0, 6.0]]]
        >>> tfkit.layers.ConformalQuantiles([1.5], minimum=0.0)(quantiles, past).numpy().tolist()
        [[[0.0, 2.0, 6.0]]]
    """

    def __init__(
        self,
        margins: Sequence[float],
        *,
        unit: str = "std",
        minimum: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if unit not in UNITS:
            raise ValueError(f"`unit` must be 'std' or 'level'. Received: {unit!r}")
        self.margins, self.unit, self.minimum = [float(margin) for margin in margins], unit, minimum

    def build(self, quantiles_shape, past_shape):
        if quantiles_shape[-1] != 2 * len(self.margins) + 1:
            raise ValueError(
                "The last axis of the input must contain the median and two ends for each interval. Received: "
                f"margins={self.margins}, input_shape={tuple(quantiles_shape)}"
            )

    def call(self, quantiles, past):
        x, half = ops.sort(quantiles, axis=-1), len(self.margins)
        past = ops.cast(past, x.dtype)
        if self.unit == "std":
            mean = ops.mean(past, axis=1, keepdims=True)
            scale = ops.sqrt(ops.mean(ops.square(past - mean), axis=1, keepdims=True))[..., None]
        else:
            scale = ops.mean(ops.abs(past), axis=1, keepdims=True)[..., None]
        ends = [x[..., half : half + 1]]
        for i in reversed(range(half)):  # the narrowest interval first; each contains the one before it
            low, high = x[..., i : i + 1], x[..., 2 * half - i : 2 * half - i + 1]
            margin = self.margins[i] * scale
            ends = [ops.minimum(low - margin, ends[0]), *ends, ops.maximum(high + margin, ends[-1])]
        x = ops.concatenate(ends, axis=-1)
        if self.minimum is None:
            return x
        num_below = ops.sum(ops.cast(past < self.minimum, x.dtype), axis=1, keepdims=True)[..., None]
        return ops.where(num_below == 0, ops.maximum(x, self.minimum), x)

    def compute_output_shape(self, quantiles_shape, past_shape=None):
        return quantiles_shape
