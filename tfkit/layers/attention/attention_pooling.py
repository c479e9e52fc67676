"""Pooling of a sequence to one vector by attention with learned queries."""

from typing import Any

import keras
from keras import ops

from tfkit.layers.attention.attention import check_arguments, head_size, softmax
from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import zero_masked


@keras.saving.register_keras_serializable(package="tfkit")
class AttentionPooling(Layer):
    """Pool a sequence to one vector by attention with learned queries.

    Head `h` has a learned query: `softmax_t(x_t . query_h / sqrt(dim))` are the weights with which it averages its
    slice of the last axis, `dim / num_heads` wide (similar to Lin et al. 2017, https://arxiv.org/abs/1703.03130, and
    Lee et al. 2019, https://arxiv.org/abs/1810.00825). Queries are initialized near 0, so that at first all steps have
    nearly the same weight and the layer computes the mean. Layers before and after can mix the slices, so the layer has
    no other matrix product.

    Number of weights: `dim * num_heads`.

    Args:
        num_heads: Number of queries, at least 1; it divides `dim`.

    Input shape:
        `(batch, time, dim)`; steps masked by a mask `(batch, time)` are ignored.

    Output shape:
        `(batch, dim)`, without a mask; zeros for a fully masked row.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.AttentionPooling(num_heads=2)
        >>> tuple(layer(np.zeros((3, 10, 8), "float32")).shape)
        (3, 8)
    """

    def __init__(self, num_heads: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_arguments(num_heads)
        self.num_heads, self.supports_masking = num_heads, True

    def build(self, input_shape):
        head_size(self.num_heads, input_shape)
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.query = self.add_weight(shape=(input_shape[-1], self.num_heads), initializer=initializer, name="query")

    def call(self, x, mask=None):
        x, dim, num_heads = zero_masked(x, mask), x.shape[-1], self.num_heads
        scores = ops.swapaxes(ops.matmul(x, self.query), 1, 2) * dim**-0.5
        weights = softmax(scores, None if mask is None else ops.cast(mask, "bool")[:, None], x.dtype)
        # every head averages the whole last axis, then only its slice is used: cheaper than a transpose by head
        y = ops.reshape(ops.matmul(weights, x), (-1, num_heads, num_heads, dim // num_heads))
        y = ops.sum(y * ops.eye(num_heads, dtype=y.dtype)[:, :, None], axis=1)
        return ops.reshape(y, (-1, dim))

    def compute_mask(self, inputs, previous_mask):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])
