"""Multi-head self-attention and cross-attention layers."""

from typing import Any, Literal

import keras
from keras import ops

from tfkit.layers.attention.positions import rotate
from tfkit.layers.dropout import FastDropout
from tfkit.layers.layer import Layer


@keras.saving.register_keras_serializable(package="tfkit")
class SelfAttention(Layer):
    """Multi-head self-attention with optional causal mask and rotary positions.

    `concat_h(softmax(q_h k_h' / sqrt(dim / num_heads)) v_h) @ W + b`, where one matrix product computes queries, keys
    and values (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762). The layer computes the same function as
    `keras.layers.MultiHeadAttention(num_heads, dim // num_heads)(x, x)`, trains faster, and also supports rotary
    positions, which the Keras layer does not. On JAX and PyTorch the fused attention kernel of the backend is used,
    except in training with `dropout`.

    Masked steps are ignored by all other steps; in a fully masked row the attention output before the last product is
    zero. The softmax is computed in float32 for every precision policy.

    Number of weights: `4 * dim * dim + 4 * dim`.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        causal: Whether a step may attend to itself and earlier steps only.
        positions: `"rotary"` for relative positions (Su et al. 2021, https://arxiv.org/abs/2104.09864), or None.
        dropout: Fraction of the attention weights dropped in training, in `[0, 1)`.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)`; a mask `(batch, time)` is passed on.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.SelfAttention(num_heads=2, positions="rotary")
        >>> tuple(layer(np.zeros((3, 10, 8), "float32")).shape)
        (3, 10, 8)
    """

    def __init__(
        self,
        num_heads: int = 4,
        *,
        causal: bool = False,
        positions: Literal["rotary"] | None = None,
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_arguments(num_heads, positions, dropout, l1, l2)
        self.num_heads, self.causal, self.positions, self.supports_masking = num_heads, causal, positions, True
        self.l1, self.l2 = l1, l2
        self.drop = FastDropout(dropout, name="drop", dtype=self.dtype_policy) if dropout else None

    def build(self, input_shape):
        size = head_size(self.num_heads, input_shape)
        if self.positions and size % 2:
            raise ValueError(
                "Rotary positions rotate pairs of numbers, so the size of a head must be even. "
                f"Received: num_heads={self.num_heads}, input_shape={tuple(input_shape)}"
            )
        dim = input_shape[-1]
        options = {"l1": self.l1, "l2": self.l2, "dtype": self.dtype_policy}
        self.project = variance_preserving_dense(3 * dim, name="query_key_value", **options)
        self.output_dense = variance_preserving_dense(dim, name="output", **options)
        self.project.build(input_shape)
        self.output_dense.build(input_shape)

    def call(self, x, training=False, mask=None):
        query, key, value = split_heads(self.project(x), 3, self.num_heads)
        if self.positions:
            query, key = rotate(query), rotate(key)
        return self.output_dense(attend(query, key, value, mask=mask, causal=self.causal, drop=training and self.drop))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class CrossAttention(Layer):
    """Multi-head attention from one sequence to a second sequence, the memory.

    As `SelfAttention`, with queries from the first input and keys and values from the second. The layer computes the
    same function as `keras.layers.MultiHeadAttention(num_heads, dim // num_heads)(x, memory)`.

    Number of weights: `2 * dim * dim + 2 * memory_dim * dim + 4 * dim`.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        dropout: Fraction of the attention weights dropped in training, in `[0, 1)`.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)` and `(batch, memory_time, memory_dim)`; the mask of the first input is passed on,
        the mask of the second input excludes memory steps.

    Output shape:
        Same as the first input.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the first
            input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.CrossAttention(num_heads=2)
        >>> tuple(layer(np.zeros((3, 5, 8), "float32"), np.zeros((3, 10, 6), "float32")).shape)
        (3, 5, 8)
    """

    def __init__(
        self, num_heads: int = 4, *, dropout: float = 0.0, l1: float = 0.0, l2: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_arguments(num_heads, None, dropout, l1, l2)
        self.num_heads, self.supports_masking = num_heads, True
        self.l1, self.l2 = l1, l2
        self.drop = FastDropout(dropout, name="drop", dtype=self.dtype_policy) if dropout else None

    def build(self, x_shape, memory_shape):
        head_size(self.num_heads, x_shape)
        dim = x_shape[-1]
        options = {"l1": self.l1, "l2": self.l2, "dtype": self.dtype_policy}
        self.query = variance_preserving_dense(dim, name="query", **options)
        self.key_value = variance_preserving_dense(2 * dim, name="key_value", **options)
        self.output_dense = variance_preserving_dense(dim, name="output", **options)
        self.query.build(x_shape)
        self.key_value.build(memory_shape)
        self.output_dense.build(x_shape)

    def call(self, x, memory, training=False, memory_mask=None):
        (query,) = split_heads(self.query(x), 1, self.num_heads)
        key, value = split_heads(self.key_value(memory), 2, self.num_heads)
        return self.output_dense(attend(query, key, value, mask=memory_mask, drop=training and self.drop))

    def compute_output_shape(self, x_shape, memory_shape):
        return x_shape


def attend(query, key, value, *, mask=None, causal=False, drop=None):
    """Compute the attention-weighted mean of the values for each query.

    Args:
        query: `(batch, heads, time, size)`.
        key: `(batch, heads, memory_time, size)`.
        value: The same shape as `key`.
        mask: `(batch, memory_time)`, False where a step is masked, or None.
        causal: Whether a query attends only to steps at or before its own index.
        drop: A `Dropout` layer for the attention weights, or None.

    Returns:
        `(batch, time, heads * size)`.
    """
    num_heads, size = query.shape[1], query.shape[-1]
    visible = broadcast_mask(mask)
    if not drop and keras.config.backend() != "tensorflow":  # JAX and PyTorch have a fused attention kernel
        query, key, value = (ops.swapaxes(tensor, 1, 2) for tensor in (query, key, value))
        outputs = ops.dot_product_attention(query, key, value, mask=visible, is_causal=causal)
    else:
        if causal:
            positions_in_time = ops.arange(ops.shape(query)[2])
            causal_mask = positions_in_time[:, None] >= positions_in_time
            visible = causal_mask if visible is None else ops.logical_and(visible, causal_mask)
        weights = softmax(ops.matmul(query * size**-0.5, ops.swapaxes(key, 2, 3)), visible, value.dtype)
        outputs = ops.swapaxes(ops.matmul(drop(weights, training=True) if drop else weights, value), 1, 2)
    outputs = ops.reshape(outputs, (-1, ops.shape(outputs)[1], num_heads * size))
    if mask is None:
        return outputs
    return (
        outputs * ops.cast(ops.any(ops.cast(mask, "bool"), axis=1), outputs.dtype)[:, None, None]
    )  # zeros in fully masked rows


def broadcast_mask(mask):
    """Reshape a padding mask to broadcast over heads and queries."""
    return None if mask is None else ops.cast(mask, "bool")[:, None, None, :]


def softmax(scores, visible, dtype):
    """Compute masked softmax weights over the last axis in float32, then cast."""
    scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
    if visible is not None:
        scores = (
            scores + (ops.cast(visible, scores.dtype) - 1.0) * 1e9
        )  # addition: one pass forward, no gradient to compute
    return ops.cast(ops.softmax(scores), dtype)


def split_heads(x, num_projections, num_heads):
    """Split the projected input into tensors with one axis for the heads.

    `(batch, time, num_projections * dim)` becomes `num_projections` tensors `(batch, heads, time, size)`, with a single
    transpose.
    """
    size = x.shape[-1] // (num_projections * num_heads)
    x = ops.reshape(x, (-1, ops.shape(x)[1], num_projections, num_heads, size))
    return ops.unstack(ops.transpose(x, (2, 0, 3, 1, 4)), num_projections, axis=0)


def variance_preserving_dense(units, *, l1=0.0, l2=0.0, **kwargs):
    """Create a dense layer that preserves the input variance at initialization."""
    return keras.layers.Dense(
        units,
        kernel_initializer="lecun_normal",
        kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
        **kwargs,
    )


def head_size(num_heads, input_shape):
    """Return the size of one attention head."""
    if input_shape[-1] % num_heads:
        raise ValueError(
            "`num_heads` must divide the last axis of the input, so that all heads have the same size. "
            f"Received: num_heads={num_heads}, input_shape={tuple(input_shape)}"
        )
    return input_shape[-1] // num_heads


def check_arguments(num_heads, positions=None, dropout=0.0, l1=0.0, l2=0.0):
    """Validate the arguments of an attention layer."""
    if num_heads < 1:
        raise ValueError(f"`num_heads` must be at least 1. Received: {num_heads!r}")
    if positions not in ("rotary", None):
        raise ValueError(f"`positions` must be 'rotary' or None. Received: {positions!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
    if l1 < 0 or l2 < 0:
        raise ValueError(f"`l1` and `l2` must be at least 0. Received: {l1=}, {l2=}")
