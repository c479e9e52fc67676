"""From a sequence to one vector, by learnt questions."""

import keras
from keras import ops

from tfkit.layers.attention import check, head_size, softmax
from tfkit.layers.masked import hide


@keras.saving.register_keras_serializable(package="tfkit")
class AttentionPooling(keras.layers.Layer):
    """Make one vector of a sequence: a mean in which learnt questions say how much each step counts.

    Head `h` has a learnt query: `softmax_t(x_t . query_h / sqrt(dim))` are the weights with which it averages its part
    of the last axis, `dim / num_heads` numbers wide (in the manner of Lin et al. 2017,
    https://arxiv.org/abs/1703.03130, and Lee et al. 2019, https://arxiv.org/abs/1810.00825). Queries begin small, so
    that all steps count nearly alike: a mean that learns where to look. The layers before and after can mix the parts,
    so there is no other product.

    Count of weights: `dim * num_heads`.

    Args:
        num_heads: Number of queries, at least 1; it divides `dim`.

    Input shape:
        `(batch, time, dim)`; steps that a mask `(batch, time)` hides count nothing.

    Output shape:
        `(batch, dim)`, without a mask; zeros for a row that is hidden whole.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.AttentionPooling(num_heads=2)
        >>> tuple(layer(np.zeros((3, 10, 8), "float32")).shape)
        (3, 8)
    """

    def __init__(self, num_heads=1, **kwargs):
        super().__init__(**kwargs)
        check(num_heads)
        self.num_heads, self.supports_masking = num_heads, True

    def build(self, input_shape):
        head_size(self.num_heads, input_shape)
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.query = self.add_weight(shape=(input_shape[-1], self.num_heads), initializer=start, name="query")

    def call(self, x, mask=None):
        x, dim, num = hide(x, mask), x.shape[-1], self.num_heads
        scores = ops.swapaxes(ops.matmul(x, self.query), 1, 2) * dim**-0.5
        weights = softmax(scores, None if mask is None else ops.cast(mask, "bool")[:, None], x.dtype)
        # every head averages all parts and keeps its own: less work than to lay the parts out by head
        y = ops.reshape(ops.matmul(weights, x), (-1, num, num, dim // num))
        y = ops.sum(y * ops.eye(num, dtype=y.dtype)[:, :, None], axis=1)
        return ops.reshape(y, (-1, dim))

    def compute_mask(self, inputs, previous_mask):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])
