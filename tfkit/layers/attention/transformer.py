"""Transformer encoder and decoder."""

from collections.abc import Callable
from typing import Any, Literal

import keras

from tfkit.layers.attention.transformer_block import make_blocks
from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import zero_masked


@keras.saving.register_keras_serializable(package="tfkit")
class TransformerEncoder(Layer):
    """Transformer encoder: self-attention and feed-forward blocks, pre-norm.

    Each block computes `x = x + dropout(attention(norm(x)))` and `x = x + dropout(feed_forward(norm(x)))` with
    `feed_forward(x) = activation(x @ w + b) @ v + c`; a final norm ends the stack (Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762). The norm comes first, so that training needs no warm-up (Xiong et al. 2020,
    https://arxiv.org/abs/2002.04745). All norms but the last have no gain and shift, since the product after them has
    both (Xu et al. 2019, https://arxiv.org/abs/1911.07013). Kernels use LeCun initialization, in deep stacks too. With
    `causal` a step attends only to itself and earlier steps, as in a language model.

    Without positions the output does not depend on the order of the steps: add `PositionalEmbedding` before, or use
    `positions="rotary"` for relative positions. Masked steps do not affect other steps.

    Number of weights: `depth * (4 * dim * dim + 2 * dim * units + 5 * dim + units) + 2 * dim`, or `+ dim` with
    `normalization="rms"`.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        depth: Number of blocks, at least 1.
        units: Hidden width of the feed-forward network, at least 1; None for four times `dim`.
        activation: Name of a Keras activation.
        normalization: `"layer"`, or `"rms"`, which does not subtract the mean and is faster (Zhang and Sennrich 2019,
            https://arxiv.org/abs/1910.07467).
        dropout: Fraction of the output of each branch dropped in training, in `[0, 1)`.
        attention_dropout: Fraction of the attention weights dropped in training, in `[0, 1)`. Slow: one random number
            for every pair of steps and every head.
        stochastic_depth: Fraction of the rows for which the last block is skipped in training, in `[0, 1)`; block `i`
            of `depth` is skipped at `i / depth` of this rate (Huang et al. 2016, https://arxiv.org/abs/1603.09382).
        causal: Whether a step may attend to itself and earlier steps only.
        positions: `"rotary"` (Su et al. 2021, https://arxiv.org/abs/2104.09864) or None.
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
        >>> layer = tfkit.layers.TransformerEncoder(num_heads=8, depth=2)
        >>> tuple(layer(np.zeros((3, 10, 64), "float32")).shape)
        (3, 10, 64)
        >>> layer.count_params() == 2 * (4 * 64 * 64 + 2 * 64 * 256 + 5 * 64 + 256) + 2 * 64
        True
    """

    def __init__(
        self,
        num_heads: int = 4,
        *,
        depth: int = 1,
        units: int | None = None,
        activation: str | Callable[[Any], Any] | None = "silu",
        normalization: Literal["layer", "rms"] = "layer",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        causal: bool = False,
        positions: Literal["rotary"] | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.blocks, self.norm = make_blocks(
            self,
            depth,
            stochastic_depth,
            num_heads=num_heads,
            units=units,
            activation=activation,
            normalization=normalization,
            dropout=dropout,
            attention_dropout=attention_dropout,
            causal=causal,
            positions=positions,
            l1=l1,
            l2=l2,
        )

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
        self.norm.build(input_shape)

    def call(self, x, training=False, mask=None):
        x = zero_masked(x, mask)
        for block in self.blocks:
            x = block(x, training=training, mask=mask)
        return self.norm(x)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class TransformerDecoder(Layer):
    """Transformer decoder: causal self-attention, cross-attention and feed-forward.

    As `TransformerEncoder(causal=True)`. If called with a memory, such as the output of an encoder, each block also
    computes `x = x + dropout(cross_attention(norm(x), memory))` between self-attention and feed-forward network. The
    first call determines whether there is a memory. The masks of both inputs are used: masked steps of the targets and
    of the memory do not affect other steps.

    Number of weights: that of the encoder, and `depth * (2 * dim * dim + 2 * memory_dim * dim + 4 * dim)` with a
    memory.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        depth: Number of blocks, at least 1.
        units: Hidden width of the feed-forward network, at least 1; None for four times `dim`.
        activation: Name of a Keras activation.
        normalization: `"layer"` or `"rms"`.
        dropout: Fraction of the output of each branch dropped in training, in `[0, 1)`.
        attention_dropout: Fraction of the attention weights dropped in training, in `[0, 1)`; slow.
        stochastic_depth: Fraction of the rows for which the last block is skipped in training, in `[0, 1)`.
        positions: `"rotary"` or None, for the targets; positions of the memory are set by the encoder.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        Targets `(batch, time, dim)` and, if any, memory `(batch, memory_time, memory_dim)`.

    Output shape:
        Same as the targets, with their mask.

    Raises:
        ValueError: If an argument is outside its range, `num_heads` does not divide the last axis of the targets, or a
            memory is passed in some calls only.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.TransformerDecoder(num_heads=4)
        >>> tuple(layer(np.zeros((3, 10, 64), "float32"), np.zeros((3, 20, 32), "float32")).shape)
        (3, 10, 64)
    """

    def __init__(
        self,
        num_heads: int = 4,
        *,
        depth: int = 1,
        units: int | None = None,
        activation: str | Callable[[Any], Any] | None = "silu",
        normalization: Literal["layer", "rms"] = "layer",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        positions: Literal["rotary"] | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.blocks, self.norm = make_blocks(
            self,
            depth,
            stochastic_depth,
            num_heads=num_heads,
            units=units,
            activation=activation,
            normalization=normalization,
            dropout=dropout,
            attention_dropout=attention_dropout,
            causal=True,
            positions=positions,
            l1=l1,
            l2=l2,
        )

    def build(self, targets_shape, memory_shape=None):
        self.has_memory = memory_shape is not None
        for block in self.blocks:
            block.build(targets_shape, memory_shape)
        self.norm.build(targets_shape)

    def call(self, targets, memory=None, training=False, mask=None, targets_mask=None, memory_mask=None):
        if (memory is not None) != self.has_memory:
            raise ValueError(
                "A decoder must be called with a memory always or never, as in its first call. "
                f"Received: a memory now: {memory is not None}, in the first call: {self.has_memory}"
            )
        mask = targets_mask if mask is None else mask  # the name Keras uses depends on the number of inputs
        x = zero_masked(targets, mask)
        memory = None if memory is None else zero_masked(memory, memory_mask)
        for block in self.blocks:
            x = block(x, memory, training=training, mask=mask, memory_mask=memory_mask)
        return self.norm(x)

    def compute_output_shape(self, targets_shape, memory_shape=None):
        return targets_shape
