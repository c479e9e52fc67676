"""Layers for the columns of a table: told what they need, they turn numbers and codes into something to learn from."""

from itertools import pairwise, zip_longest

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class Impute(keras.layers.Layer):
    """Put a told value wherever a number is missing (NaN) or infinite.

    Args:
        values: One value for each position of the last axis, such as the medians of the training rows.

    Input shape:
        `(..., dim)`, NaN where missing.

    Output shape:
        The same, all finite.

    Example:
        >>> import numpy as np, tfkit
        >>> np.asarray(tfkit.layers.Impute([1.0, 2.0])(np.array([[np.nan, 5.0]], "float32"))).tolist()
        [[1.0, 5.0]]
    """

    def __init__(self, values, **kwargs):
        super().__init__(**kwargs)
        self.values = list(values)

    def call(self, x):
        return ops.where(ops.isfinite(x), x, ops.cast(self.values, x.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class MissingIndicator(keras.layers.Layer):
    """Say with a 1 that a number is missing (NaN or infinite), for the columns where that may mean something.

    Args:
        indices: Positions of the last axis to look at, in the order wanted.

    Input shape:
        `(..., dim)`.

    Output shape:
        `(..., len(indices))`, 1 where missing, else 0.

    Example:
        >>> import numpy as np, tfkit
        >>> np.asarray(tfkit.layers.MissingIndicator([1])(np.array([[3.0, np.nan]], "float32"))).tolist()
        [[1.0]]
    """

    def __init__(self, indices, **kwargs):
        super().__init__(**kwargs)
        self.indices = list(indices)

    def call(self, x):
        return ops.cast(ops.logical_not(ops.isfinite(ops.take(x, self.indices, axis=-1))), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.indices))


@keras.saving.register_keras_serializable(package="tfkit")
class Clip(keras.layers.Layer):
    """Draw outliers in smoothly: `x / sqrt(1 + (x / bound)^2)` is nearly x near 0 and never beyond the bound.

    The squashing of RealMLP (Holzmueller et al. 2024, https://arxiv.org/abs/2407.04491): order is kept, so no two
    values become one, and a single wild value cannot rule a layer.

    Args:
        bound: The largest absolute value that can come out, above 0.

    Input shape:
        Any.

    Output shape:
        The same.

    Raises:
        ValueError: If `bound` is not above 0.

    Example:
        >>> import numpy as np, tfkit
        >>> [round(float(v), 3) for v in tfkit.layers.Clip(3.0)(np.array([0.1, 1e6], "float32"))]
        [0.1, 3.0]
    """

    def __init__(self, bound=3.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not bound > 0:
            raise ValueError(f"`bound` must be above 0. Received: {bound!r}")
        self.bound = bound

    def call(self, x):
        # float32 throughout, and nothing whose square would overflow: beyond 10,000 bounds it is the bound to 8 digits
        x = ops.clip(ops.cast(x, "float32") / self.bound, -1e4, 1e4)
        return ops.cast(self.bound * x * ops.rsqrt(1.0 + ops.square(x)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class QuantileScale(keras.layers.Layer):
    """Say of a number which share of the training values lies below it, as a value in [-1, 1].

    Piecewise linear between told quantiles; beyond the first and the last it stays at -1 and 1. The transform of
    scikit-learn's `QuantileTransformer(output_distribution="uniform")`, stretched to [-1, 1].

    Args:
        quantiles: For each position of the last axis an ascending list of distinct values, at least two.
        shares: For each of these values the share of the training values at or below it, ascending from 0 to 1.

    Input shape:
        `(batch, dim)`, finite.

    Output shape:
        The same, in `[-1, 1]`.

    Raises:
        ValueError: If a list has fewer than two values or the lists do not match.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.QuantileScale([[0.0, 10.0, 1000.0]], [[0.0, 0.5, 1.0]])
        >>> np.asarray(layer(np.array([[5.0], [1000.0]], "float32"))).ravel().tolist()
        [-0.5, 1.0]
    """

    def __init__(self, quantiles, shares, **kwargs):
        super().__init__(**kwargs)
        self.quantiles, self.shares = [list(q) for q in quantiles], [list(s) for s in shares]
        for values, parts in zip_longest(self.quantiles, self.shares):
            some = values and parts and len(values) == len(parts) > 1
            if not some or any(a >= b for a, b in pairwise(values)):
                raise ValueError(
                    "Each list of `quantiles` must be at least two ascending values, with as many "
                    f"`shares`. Received: {values!r} and {parts!r}"
                )

    def call(self, x):
        start, width, real = _bins(self.quantiles, x.dtype)
        longest = max(map(len, self.shares)) - 1
        steps = [[b - a for a, b in pairwise(s)] + [0.0] * (longest - len(s) + 1) for s in self.shares]
        inside = ops.clip((x[..., None] - start) / width, 0.0, 1.0) * real
        return 2.0 * ops.sum(inside * ops.cast(steps, x.dtype), axis=-1) - 1.0

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class NumberEmbedding(keras.layers.Layer):
    """Turn each number into a learnt vector, by where it lies among told edges: the largest gain there is on tables.

    Piecewise-linear encoding (Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556) followed by one linear map a
    column: `embedding = sum_b kernel[b] * clip((x - edge[b]) / (edge[b+1] - edge[b]), 0, 1)`. So each column has a
    function of its own, free between any two edges, where a plain dense layer has a straight line. Below the first edge
    a value may go down to -1 in the first bin, above the last up to 2 in the last bin, so that new extremes are not
    lost. Count of weights: `dim` times the number of bins of all columns, plus padding to the longest column.

    Args:
        edges: For each column an ascending list of distinct edges, at least two: quantiles of the training rows, or
            every value where there are few. In the same scale as the input.
        dim: Length of the vector of one column, at least 1.

    Input shape:
        `(batch, columns)`, finite.

    Output shape:
        `(batch, columns * dim)`.

    Raises:
        ValueError: If a column has fewer than two edges, or they do not ascend, or `dim` is below 1.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.NumberEmbedding([[0.0, 1.0, 2.0], [0.0, 5.0]], dim=4)
        >>> tuple(layer(np.zeros((3, 2), "float32")).shape)
        (3, 8)
    """

    def __init__(self, edges, dim=8, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if dim < 1:
            raise ValueError(f"`dim` must be at least 1. Received: {dim!r}")
        for column in edges:
            if len(column) < 2 or any(a >= b for a, b in pairwise(column)):
                raise ValueError(f"Each list of `edges` must be at least two ascending values. Received: {column!r}")
        self.edges, self.dim = [list(column) for column in edges], dim

    def build(self, input_shape):
        if input_shape[-1] != len(self.edges):
            raise ValueError(
                "`edges` must have one list for each column of the input. "
                f"Received: {len(self.edges)} lists, input_shape={tuple(input_shape)}"
            )
        bins = max(map(len, self.edges)) - 1
        # about half of the bins of a value are full, so this makes an embedding of unit size
        start = keras.initializers.RandomNormal(stddev=(2.0 / bins) ** 0.5)
        self.kernel = self.add_weight(shape=(len(self.edges), bins, self.dim), initializer=start, name="kernel")

    def call(self, x):
        x = ops.cast(x, "float32")  # places need all their digits, whatever the arithmetic of the product
        start, width, real = _bins(self.edges, x.dtype)
        bins = start.shape[1]
        low = ops.cast([[-1.0] + [0.0] * (bins - 1)] * len(self.edges), x.dtype)
        high = ops.cast([[2.0 if b == len(e) - 2 else 1.0 for b in range(bins)] for e in self.edges], x.dtype)
        # columns first: then one batched product does all columns, and no weight is multiplied in vain
        x = ops.transpose(x)[:, :, None]
        position = ops.clip((x - start[:, None]) / width[:, None], low[:, None], high[:, None]) * real[:, None]
        kernel = ops.cast(self.kernel, self.compute_dtype)
        y = ops.transpose(ops.matmul(ops.cast(position, kernel.dtype), kernel), (1, 0, 2))
        return ops.reshape(y, (-1, len(self.edges) * self.dim))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self.edges) * self.dim)


@keras.saving.register_keras_serializable(package="tfkit")
class CategoryEmbedding(keras.layers.Layer):
    """Turn codes of categories into numbers: one-hot where there are few, a learnt vector where there are many.

    Args:
        sizes: Number of codes of each column, each at least 1; codes of a column run from 0 to its size - 1.
        dim: Length of the learnt vector of a column with more than `one_hot` codes, at least 1.
        one_hot: The largest number of codes that is still written as one-hot, at least 0.

    Input shape:
        `(batch, columns)`, integers.

    Output shape:
        `(batch, width)`: the one-hot columns first, `size` wide each, then `dim` for each of the others.

    Raises:
        ValueError: If `sizes` is empty, or an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.CategoryEmbedding([3, 1000], dim=8, one_hot=64)
        >>> tuple(layer(np.array([[0, 17], [2, 999]])).shape)
        (2, 11)
    """

    def __init__(self, sizes, dim=8, one_hot=64, **kwargs):
        super().__init__(**kwargs)
        if not sizes or min(sizes) < 1 or dim < 1 or one_hot < 0:
            raise ValueError(
                "`sizes` must hold numbers of codes, each at least 1, `dim` be at least 1 and `one_hot` "
                f"at least 0. Received: sizes={sizes!r}, dim={dim!r}, one_hot={one_hot!r}"
            )
        self.sizes, self.dim, self.one_hot = list(sizes), dim, one_hot
        self.few = [i for i, size in enumerate(sizes) if size <= one_hot]
        self.many = [i for i, size in enumerate(sizes) if size > one_hot]

    def build(self, input_shape):
        if input_shape[-1] != len(self.sizes):
            raise ValueError(
                "`sizes` must have one number for each column of the input. "
                f"Received: {len(self.sizes)} numbers, input_shape={tuple(input_shape)}"
            )
        if self.many:  # one table for all columns: one gather instead of many
            shape = (sum(self.sizes[i] for i in self.many), self.dim)
            self.table = self.add_weight(
                shape=shape, initializer=keras.initializers.RandomNormal(stddev=0.3), name="table"
            )

    def call(self, codes):
        codes, parts = ops.cast(codes, "int32"), []
        if self.few:
            starts, total = _starts([self.sizes[i] for i in self.few])
            places = ops.take(codes, self.few, axis=1) + ops.cast(starts, "int32")
            parts.append(ops.sum(ops.one_hot(places, total, dtype=self.compute_dtype), axis=1))
        if self.many:
            starts, _ = _starts([self.sizes[i] for i in self.many])
            places = ops.take(codes, self.many, axis=1) + ops.cast(starts, "int32")
            vectors = ops.take(ops.cast(self.table, self.compute_dtype), places, axis=0)
            parts.append(ops.reshape(vectors, (-1, len(self.many) * self.dim)))
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], sum(self.sizes[i] for i in self.few) + len(self.many) * self.dim)


def _bins(edges, dtype):
    """Start and width of every bin and whether it is real, `(columns, bins)` each, short columns padded."""
    longest = max(map(len, edges)) - 1
    start = [e[:-1] + [0.0] * (longest - len(e) + 1) for e in edges]
    width = [[b - a for a, b in pairwise(e)] + [1.0] * (longest - len(e) + 1) for e in edges]
    real = [[1.0] * (len(e) - 1) + [0.0] * (longest - len(e) + 1) for e in edges]
    return ops.cast(start, dtype), ops.cast(width, dtype), ops.cast(real, dtype)


def _starts(sizes):
    """Where each column's codes begin when all columns share one numbering, and the length of that numbering."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return starts, sum(sizes)
