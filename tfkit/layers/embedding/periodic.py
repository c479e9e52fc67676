"""Periodic embedding of numeric columns."""

import math
from typing import Any

import keras
from keras import ops

from tfkit.layers.layer import Layer


@keras.saving.register_keras_serializable(package="tfkit")
class PeriodicEmbedding(Layer):
    """Embed numeric columns by learned sine and cosine features.

    `embedding = relu([sin(v), cos(v)] @ kernel + bias)` with `v = 2 pi * frequencies * x`, where every column has its
    own learned weights: "PLR" of Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556. It suits columns where the
    target rises and falls many times. It needs no bin edges; its resolution is set by its frequencies: `scale` is the
    hyperparameter to tune, between 0.01 and 10. If nothing is known about a column, `PiecewiseLinearEmbedding` is the
    safer choice.

    Number of weights: `columns * (num_frequencies + 2 * num_frequencies * dim + dim)`.

    Args:
        dim: Length of the vector of one column, at least 1.
        num_frequencies: Number of frequencies per column, at least 1.
        scale: Standard deviation of the initial frequencies, in periods per unit of the input; above 0.

    Input shape:
        `(batch, columns)`, finite; standardized, so that `scale` has the same meaning for every column.

    Output shape:
        `(batch, columns * dim)`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.PeriodicEmbedding(dim=4, num_frequencies=16, scale=0.5)
        >>> tuple(layer(np.zeros((3, 2), "float32")).shape)
        (3, 8)
    """

    def __init__(self, dim: int = 8, num_frequencies: int = 16, scale: float = 0.1, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if dim < 1 or num_frequencies < 1 or not scale > 0:
            raise ValueError(
                "`dim` and `num_frequencies` must be at least 1 and `scale` above 0. Received: "
                f"{dim=}, {num_frequencies=}, {scale=}"
            )
        self.dim, self.num_frequencies, self.scale = dim, num_frequencies, scale

    def build(self, input_shape):
        columns, waves = input_shape[-1], 2 * self.num_frequencies
        frequency_initializer = keras.initializers.RandomNormal(stddev=self.scale)
        self.frequencies = self.add_weight(
            shape=(columns, 1, self.num_frequencies), initializer=frequency_initializer, name="frequencies"
        )
        # sin^2 + cos^2 = 1, and relu halves the variance: an embedding with unit variance
        kernel_initializer = keras.initializers.RandomNormal(stddev=(2.0 / self.num_frequencies) ** 0.5)
        self.kernel = self.add_weight(shape=(columns, waves, self.dim), initializer=kernel_initializer, name="kernel")
        self.bias = self.add_weight(shape=(columns, 1, self.dim), initializer="zeros", name="bias")

    def call(self, x):
        x = ops.transpose(ops.cast(x, "float32"))[:, :, None]  # phases need float32 precision
        phase = 2.0 * math.pi * x * ops.cast(self.frequencies, "float32")
        waves = ops.cast(ops.concatenate([ops.sin(phase), ops.cos(phase)], axis=-1), self.compute_dtype)
        y = ops.matmul(waves, ops.cast(self.kernel, waves.dtype)) + ops.cast(self.bias, waves.dtype)
        return ops.reshape(ops.transpose(ops.relu(y), (1, 0, 2)), (-1, y.shape[0] * self.dim))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] * self.dim)
