"""Attention: every step asks, and those that answer are averaged."""

import keras
from keras import ops

from tfkit.layers.dropout import Dropout
from tfkit.layers.positions import rotate


@keras.saving.register_keras_serializable(package="tfkit")
class SelfAttention(keras.layers.Layer):
    """Let every step of a sequence look at all others and take from them what it needs.

    `concat_h(softmax(q_h k_h' / sqrt(dim / num_heads)) v_h) @ W + b` with queries, keys and values from one product
    (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762). The same function as `keras.layers.MultiHeadAttention(
    num_heads, dim // num_heads)(x, x)`, faster in training, and with rotary positions, for which that one has no room.
    Where the backend has attention as one kernel (JAX, PyTorch) it is used, except in training with `dropout`.

    A mask hides steps from all others; a row that is hidden whole gives zeros before the last product. Softmax is in
    float32, whatever the precision.

    Count of weights: `4 * dim * dim + 4 * dim`.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        causal: Whether a step may look at itself and earlier steps only.
        positions: `"rotary"` to know distances (Su et al. 2021, https://arxiv.org/abs/2104.09864), or None.
        dropout: Share of the looks dropped in training, in `[0, 1)`.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)`; a mask `(batch, time)` is kept.

    Output shape:
        The same.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.SelfAttention(num_heads=2, positions="rotary")
        >>> tuple(layer(np.zeros((3, 10, 8), "float32")).shape)
        (3, 10, 8)
    """

    def __init__(self, num_heads=4, *, causal=False, positions=None, dropout=0.0, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        check(num_heads, positions, dropout, l1, l2)
        self.num_heads, self.causal, self.positions, self.supports_masking = num_heads, causal, positions, True
        self.l1, self.l2 = l1, l2
        self.drop = Dropout(dropout, name="drop", dtype=self.dtype_policy) if dropout else None

    def build(self, input_shape):
        size = head_size(self.num_heads, input_shape)
        if self.positions and size % 2:
            raise ValueError(
                "Rotary positions turn pairs of numbers, so heads must be of even size. "
                f"Received: num_heads={self.num_heads}, input_shape={tuple(input_shape)}"
            )
        dim = input_shape[-1]
        same = {"l1": self.l1, "l2": self.l2, "dtype": self.dtype_policy}
        self.project = dense(3 * dim, name="query_key_value", **same)
        self.output_dense = dense(dim, name="output", **same)
        self.project.build(input_shape)
        self.output_dense.build(input_shape)

    def call(self, x, training=False, mask=None):
        query, key, value = heads(self.project(x), 3, self.num_heads)
        if self.positions:
            query, key = rotate(query), rotate(key)
        return self.output_dense(attend(query, key, value, mask=mask, causal=self.causal, drop=training and self.drop))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class CrossAttention(keras.layers.Layer):
    """Let every step of one sequence look at all steps of another, the memory.

    As `SelfAttention`, with queries from the first input and keys and values from the second; the same function as
    `keras.layers.MultiHeadAttention(num_heads, dim // num_heads)(x, memory)`.

    Count of weights: `2 * dim * dim + 2 * memory_dim * dim + 4 * dim`.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        dropout: Share of the looks dropped in training, in `[0, 1)`.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)` and `(batch, memory_time, memory_dim)`; the mask of the first is kept, that of the second
        hides steps.

    Output shape:
        That of the first input.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the first
            input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.CrossAttention(num_heads=2)
        >>> tuple(layer(np.zeros((3, 5, 8), "float32"), np.zeros((3, 10, 6), "float32")).shape)
        (3, 5, 8)
    """

    def __init__(self, num_heads=4, *, dropout=0.0, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        check(num_heads, None, dropout, l1, l2)
        self.num_heads, self.supports_masking = num_heads, True
        self.l1, self.l2 = l1, l2
        self.drop = Dropout(dropout, name="drop", dtype=self.dtype_policy) if dropout else None

    def build(self, x_shape, memory_shape):
        head_size(self.num_heads, x_shape)
        dim = x_shape[-1]
        same = {"l1": self.l1, "l2": self.l2, "dtype": self.dtype_policy}
        self.query = dense(dim, name="query", **same)
        self.key_value = dense(2 * dim, name="key_value", **same)
        self.output_dense = dense(dim, name="output", **same)
        self.query.build(x_shape)
        self.key_value.build(memory_shape)
        self.output_dense.build(x_shape)

    def call(self, x, memory, training=False, memory_mask=None):
        (query,) = heads(self.query(x), 1, self.num_heads)
        key, value = heads(self.key_value(memory), 2, self.num_heads)
        return self.output_dense(attend(query, key, value, mask=memory_mask, drop=training and self.drop))

    def compute_output_shape(self, x_shape, memory_shape):
        return x_shape


def attend(query, key, value, *, mask=None, causal=False, drop=None):
    """The mean of the values at which each query looks.

    Args:
        query: `(batch, heads, time, size)`.
        key: `(batch, heads, memory_time, size)`.
        value: The same shape as `key`.
        mask: `(batch, memory_time)`, False where a step is hidden, or None.
        causal: Whether a query sees no later step than its own number.
        drop: A `Dropout` for the weights of the mean, or nothing.

    Returns:
        `(batch, time, heads * size)`.
    """
    num_heads, size = query.shape[1], query.shape[-1]
    seen = allowed(mask)
    if not drop and keras.config.backend() != "tensorflow":  # there it is one kernel
        query, key, value = (ops.swapaxes(t, 1, 2) for t in (query, key, value))
        y = ops.dot_product_attention(query, key, value, mask=seen, is_causal=causal)
    else:
        if causal:
            steps = ops.arange(ops.shape(query)[2])
            earlier = steps[:, None] >= steps
            seen = earlier if seen is None else ops.logical_and(seen, earlier)
        weights = softmax(ops.matmul(query * size**-0.5, ops.swapaxes(key, 2, 3)), seen, value.dtype)
        y = ops.swapaxes(ops.matmul(drop(weights, training=True) if drop else weights, value), 1, 2)
    y = ops.reshape(y, (-1, ops.shape(y)[1], num_heads * size))
    if mask is None:
        return y
    return y * ops.cast(ops.any(ops.cast(mask, "bool"), axis=1), y.dtype)[:, None, None]  # where nothing is, zeros


def allowed(mask):
    """The mask of the steps that are looked at, with axes for heads and queries."""
    return None if mask is None else ops.cast(mask, "bool")[:, None, None, :]


def softmax(scores, seen, dtype):
    """Weights that sum to 1 over the last axis, in float32 until they are made, nothing where `seen` is False."""
    scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
    if seen is not None:
        scores = scores + (ops.cast(seen, scores.dtype) - 1.0) * 1e9  # a sum is one pass, and none on the way back
    return ops.cast(ops.softmax(scores), dtype)


def heads(x, parts, num_heads):
    """Cut `(batch, time, parts * dim)` into parts of `(batch, heads, time, size)`, all in one transposition."""
    size = x.shape[-1] // (parts * num_heads)
    x = ops.reshape(x, (-1, ops.shape(x)[1], parts, num_heads, size))
    return ops.unstack(ops.transpose(x, (2, 0, 3, 1, 4)), parts, axis=0)


def dense(units, *, l1=0.0, l2=0.0, **kwargs):
    """A dense layer that begins by giving its output the variance of its input."""
    return keras.layers.Dense(
        units,
        kernel_initializer="lecun_normal",
        kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
        **kwargs,
    )


def head_size(num_heads, input_shape):
    """The width of one head."""
    if input_shape[-1] % num_heads:
        raise ValueError(
            "`num_heads` must divide the last axis of the input, so that heads are of equal size. "
            f"Received: num_heads={num_heads}, input_shape={tuple(input_shape)}"
        )
    return input_shape[-1] // num_heads


def check(num_heads, positions=None, dropout=0.0, l1=0.0, l2=0.0):
    """Refuse arguments outside their range."""
    if num_heads < 1:
        raise ValueError(f"`num_heads` must be at least 1. Received: {num_heads!r}")
    if positions not in ("rotary", None):
        raise ValueError(f"`positions` must be 'rotary' or None. Received: {positions!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
    if l1 < 0 or l2 < 0:
        raise ValueError(f"`l1` and `l2` must be at least 0. Received: {l1=}, {l2=}")
