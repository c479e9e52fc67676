"""Embeddings of numeric and categorical features."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
from keras import ops

from tfkit.layers.layer import Layer
from tfkit.layers.preprocessing.tabular import padded_bins


@keras.saving.register_keras_serializable(package="tfkit")
class PiecewiseLinearEmbedding(Layer):
    """Embed numeric columns by a learned piecewise-linear function per column.

    Piecewise-linear encoding (Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556) with precomputed bin edges,
    followed by one linear map per column: `embedding = sum_b kernel[b] * clip((x - edge[b]) / (edge[b+1] - edge[b]), 0,
    1)`. So each column has its own function, with a free slope between any two edges, where a plain dense layer has a
    straight line; for networks on tables this embedding gives the largest gain. Below the first edge the position in
    the first bin can decrease to -1, above the last edge the position in the last bin can increase to 2, so that new
    extremes are distinguished.

    Number of weights: `dim` times the number of bins of all columns, plus padding to the longest column.

    Args:
        edges: For each column an ascending list of distinct edges, at least two: quantiles of the training rows, or
            all distinct values if there are few. In the same scale as the input.
        dim: Length of the vector of one column, at least 1.

    Input shape:
        `(batch, columns)`, finite.

    Output shape:
        `(batch, columns * dim)`.

    Raises:
        ValueError: If a column has fewer than two edges, or they do not ascend, or `dim` is below 1.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.PiecewiseLinearEmbedding([[0.0, 1.0, 2.0], [0.0, 5.0]], dim=4)
        >>> tuple(layer(np.zeros((3, 2), "float32")).shape)
        (3, 8)
    """

    def __init__(self, edges: Sequence[Sequence[float]], dim: int = 8, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if dim < 1:
            raise ValueError(f"`dim` must be at least 1. Received: {dim!r}")
        for column in edges:
            if len(column) < 2 or any(lower >= upper for lower, upper in pairwise(column)):
                raise ValueError(f"Each list of `edges` must be at least two ascending values. Received: {column!r}")
        self.edges, self.dim = [list(column) for column in edges], dim

    def build(self, input_shape):
        if input_shape[-1] != len(self.edges):
            raise ValueError(
                "`edges` must contain one list for each column of the input. "
                f"Received: {len(self.edges)} lists, input_shape={tuple(input_shape)}"
            )
        bins = max(map(len, self.edges)) - 1
        # about half of the bins of a value are 1, so this makes an embedding with unit variance
        start = keras.initializers.RandomNormal(stddev=(2.0 / bins) ** 0.5)
        self.kernel = self.add_weight(shape=(len(self.edges), bins, self.dim), initializer=start, name="kernel")

    def call(self, x):
        x = ops.cast(x, "float32")  # positions need float32 precision, whatever the precision of the product
        start, width, is_bin = padded_bins(self.edges, x.dtype)
        bins = start.shape[1]
        low = ops.cast([[-1.0] + [0.0] * (bins - 1)] * len(self.edges), x.dtype)
        high = ops.cast(
            [[2.0 if bin_index == len(column) - 2 else 1.0 for bin_index in range(bins)] for column in self.edges],
            x.dtype,
        )
        # columns first: one batched product for all columns, without products with zeros
        x = ops.transpose(x)[:, :, None]
        position = ops.clip((x - start[:, None]) / width[:, None], low[:, None], high[:, None]) * is_bin[:, None]
        kernel = ops.cast(self.kernel, self.compute_dtype)
        y = ops.transpose(ops.matmul(ops.cast(position, kernel.dtype), kernel), (1, 0, 2))
        return ops.reshape(y, (-1, len(self.edges) * self.dim))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self.edges) * self.dim)


@keras.saving.register_keras_serializable(package="tfkit")
class CategoricalEmbedding(Layer):
    """Encode categories: one-hot for few categories, learned embedding for many.

    Args:
        sizes: Number of codes of each column, each at least 1; codes of a column run from 0 to its size - 1.
        dim: Length of the learned vector of a column with more than `one_hot` codes, at least 1.
        one_hot: The largest number of codes that is encoded as one-hot, at least 0.

    Input shape:
        `(batch, columns)`, integers.

    Output shape:
        `(batch, width)`: the one-hot columns first, `size` wide each, then `dim` for each embedded column.

    Raises:
        ValueError: If `sizes` is empty, or an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.CategoricalEmbedding([3, 1000], dim=8, one_hot=64)
        >>> tuple(layer(np.array([[0, 17], [2, 999]])).shape)
        (2, 11)
    """

    def __init__(self, sizes: Sequence[int], dim: int = 8, one_hot: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not sizes or min(sizes) < 1 or dim < 1 or one_hot < 0:
            raise ValueError(
                "`sizes` must contain numbers of codes, each at least 1, `dim` must be at least 1 and `one_hot` "
                f"at least 0. Received: sizes={sizes!r}, dim={dim!r}, one_hot={one_hot!r}"
            )
        self.sizes, self.dim, self.one_hot = list(sizes), dim, one_hot
        self.one_hot_columns = [i for i, size in enumerate(sizes) if size <= one_hot]
        self.embedded_columns = [i for i, size in enumerate(sizes) if size > one_hot]

    def build(self, input_shape):
        if input_shape[-1] != len(self.sizes):
            raise ValueError(
                "`sizes` must contain one number for each column of the input. "
                f"Received: {len(self.sizes)} numbers, input_shape={tuple(input_shape)}"
            )
        if self.embedded_columns:  # one table for all columns: one gather operation instead of several
            shape = (sum(self.sizes[i] for i in self.embedded_columns), self.dim)
            self.table = self.add_weight(
                shape=shape, initializer=keras.initializers.RandomNormal(stddev=0.3), name="table"
            )

    def call(self, codes):
        codes, encodings = ops.cast(codes, "int32"), []
        if self.one_hot_columns:
            offsets, total = _offsets([self.sizes[i] for i in self.one_hot_columns])
            indices = ops.take(codes, self.one_hot_columns, axis=1) + ops.cast(offsets, "int32")
            encodings.append(ops.sum(ops.one_hot(indices, total, dtype=self.compute_dtype), axis=1))
        if self.embedded_columns:
            offsets, _ = _offsets([self.sizes[i] for i in self.embedded_columns])
            indices = ops.take(codes, self.embedded_columns, axis=1) + ops.cast(offsets, "int32")
            vectors = ops.take(ops.cast(self.table, self.compute_dtype), indices, axis=0)
            encodings.append(ops.reshape(vectors, (-1, len(self.embedded_columns) * self.dim)))
        return ops.concatenate(encodings, axis=-1) if len(encodings) > 1 else encodings[0]

    def compute_output_shape(self, input_shape):
        return (
            input_shape[0],
            sum(self.sizes[i] for i in self.one_hot_columns) + len(self.embedded_columns) * self.dim,
        )


def _offsets(sizes):
    """Return the first code of each column in one joint numbering, and its length."""
    offsets = [sum(sizes[:i]) for i in range(len(sizes))]
    return offsets, sum(sizes)
