"""Preprocessing layers for columns of a table."""

from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import Any

import keras
import numpy as np
from keras import ops

from tfkit.layers.layer import Layer


@keras.saving.register_keras_serializable(package="tfkit")
class Center(Layer):
    """Subtract a precomputed center in float64, then cast to the dtype of the layer.

    For numbers whose level is large and whose spread is small, such as seconds since 1970: float32 has 24 bits, and
    rounds 1,700,000,001 to a multiple of 128. The difference to the center keeps the digits that vary. Pass the values
    as float64 tensors: `predict` and `fit` of Keras cast NumPy arrays to float32 first.

    Args:
        center: The value to subtract, such as the median of the training rows; or one for each position of the last
            axis.

    Input shape:
        Any, float64.

    Output shape:
        Same as the input, in the dtype of the layer.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.layers.Center(1.7e9)(np.array([1_700_000_001.0, 1_700_000_002.5])).numpy().tolist()
        [1.0, 2.5]
    """

    def __init__(self, center: float | Sequence[float], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.center = np.asarray(center, "float64").tolist()

    def call(self, x):
        center = ops.convert_to_tensor(self.center, "float64")  # `ops.cast` of a number starts with float32
        return ops.cast(ops.cast(x, "float64") - center, self.compute_dtype)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, self.compute_dtype)


@keras.saving.register_keras_serializable(package="tfkit")
class Imputer(Layer):
    """Replace missing (NaN) or infinite values by precomputed values.

    Args:
        values: One value for each position of the last axis, such as the medians of the training rows.

    Input shape:
        `(..., dim)`, NaN where missing.

    Output shape:
        Same as the input, all finite.

    Example:
        >>> import numpy as np, tfkit
        >>> np.asarray(tfkit.layers.Imputer([1.0, 2.0])(np.array([[np.nan, 5.0]], "float32"))).tolist()
        [[1.0, 5.0]]
    """

    def __init__(self, values: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values = list(values)

    def call(self, x):
        return ops.where(ops.isfinite(x), x, ops.cast(self.values, x.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class MissingIndicator(Layer):
    """Indicate missing values (NaN or infinite) of selected columns by 1.

    For columns where a missing value can be informative.

    Args:
        indices: Indices on the last axis, in the order of the output.

    Input shape:
        `(..., dim)`.

    Output shape:
        `(..., len(indices))`, 1 where missing, else 0.

    Example:
        >>> import numpy as np, tfkit
        >>> np.asarray(tfkit.layers.MissingIndicator([1])(np.array([[3.0, np.nan]], "float32"))).tolist()
        [[1.0]]
    """

    def __init__(self, indices: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.indices = list(indices)

    def call(self, x):
        return ops.cast(ops.logical_not(ops.isfinite(ops.take(x, self.indices, axis=-1))), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.indices))


@keras.saving.register_keras_serializable(package="tfkit")
class SmoothClip(Layer):
    """Smoothly clip values to [-bound, bound].

    `x / sqrt(1 + (x / bound)^2)` is close to x near 0 and never exceeds the bound: the squashing function of RealMLP
    (Holzmueller et al. 2024, https://arxiv.org/abs/2407.04491). It is strictly monotonic, so distinct values stay
    distinct, and a single outlier cannot dominate a layer.

    Args:
        bound: The largest absolute value of the output, above 0.

    Input shape:
        Any.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `bound` is not above 0.

    Example:
        >>> import numpy as np, tfkit
        >>> [round(float(v), 3) for v in tfkit.layers.SmoothClip(3.0)(np.array([0.1, 1e6], "float32"))]
        [0.1, 3.0]
    """

    def __init__(self, bound: float = 3.0, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if not bound > 0:
            raise ValueError(f"`bound` must be above 0. Received: {bound!r}")
        self.bound = bound

    def call(self, x):
        # in float32, and limited so that no square overflows: beyond 10,000 bounds the result is the bound to 8 digits
        x = ops.clip(ops.cast(x, "float32") / self.bound, -1e4, 1e4)
        return ops.cast(self.bound * x * ops.rsqrt(1.0 + ops.square(x)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class QuantileTransform(Layer):
    """Map values to their training quantile, scaled to [-1, 1].

    Piecewise linear between precomputed quantiles; -1 below the first and 1 above the last. The transform of
    scikit-learn's `QuantileTransformer(output_distribution="uniform")`, rescaled to [-1, 1].

    Args:
        quantiles: For each position of the last axis an ascending list of distinct values, at least two.
        shares: For each of these values the proportion of training values at or below it, ascending from 0 to 1.

    Input shape:
        `(batch, dim)`, finite.

    Output shape:
        Same as the input, in `[-1, 1]`.

    Raises:
        ValueError: If a list has fewer than two values or the lists do not match.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.QuantileTransform([[0.0, 10.0, 1000.0]], [[0.0, 0.5, 1.0]])
        >>> np.asarray(layer(np.array([[5.0], [1000.0]], "float32"))).ravel().tolist()
        [-0.5, 1.0]
    """

    def __init__(self, quantiles: Sequence[Sequence[float]], shares: Sequence[Sequence[float]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quantiles, self.shares = (
            [list(column) for column in quantiles],
            [list(column_shares) for column_shares in shares],
        )
        for values, column_shares in zip_longest(self.quantiles, self.shares):
            valid = values and column_shares and len(values) == len(column_shares) > 1
            if not valid or any(lower >= upper for lower, upper in pairwise(values)):
                raise ValueError(
                    "Each list of `quantiles` must be at least two ascending values, with as many "
                    f"`shares`. Received: {values!r} and {column_shares!r}"
                )

    def call(self, x):
        start, width, is_bin = padded_bins(self.quantiles, x.dtype)
        longest = max(map(len, self.shares)) - 1
        steps = [
            [upper - lower for lower, upper in pairwise(column_shares)] + [0.0] * (longest - len(column_shares) + 1)
            for column_shares in self.shares
        ]
        inside = ops.clip((x[..., None] - start) / width, 0.0, 1.0) * is_bin
        return 2.0 * ops.sum(inside * ops.cast(steps, x.dtype), axis=-1) - 1.0

    def compute_output_shape(self, input_shape):
        return input_shape


def padded_bins(edges, dtype):
    """Return start and width of every bin and whether it exists.

    `(columns, bins)` each, short columns padded.
    """
    longest = max(map(len, edges)) - 1
    start = [column[:-1] + [0.0] * (longest - len(column) + 1) for column in edges]
    width = [
        [upper - lower for lower, upper in pairwise(column)] + [1.0] * (longest - len(column) + 1) for column in edges
    ]
    is_bin = [[1.0] * (len(column) - 1) + [0.0] * (longest - len(column) + 1) for column in edges]
    return ops.cast(start, dtype), ops.cast(width, dtype), ops.cast(is_bin, dtype)
