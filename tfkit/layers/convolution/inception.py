"""InceptionTime: convolutional networks with several kernel sizes for series."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import ops

from tfkit.layers.convolution.conv import (
    ConvBlock,
    check_arguments,
    drop_channels,
    kernel_regularizer,
    normalization_layer,
)
from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import GlobalPooling, check_pooling, zero_masked


@keras.saving.register_keras_serializable(package="tfkit")
class InceptionBlock(Layer):
    """Parallel convolutions with several kernel sizes, and a max-pooling branch.

    The module of InceptionTime (Ismail Fawaz et al. 2020, https://arxiv.org/abs/1909.04939): a bottleneck convolution
    of one step reduces the channels, then one convolution for each of `kernel_sizes` follows. In parallel, max pooling
    over three steps of the input is followed by a convolution of one step. All outputs are concatenated, normalized and
    activated. A series with one channel needs no bottleneck. Masked steps are zero in the convolutions and excluded
    from the maximum and from the statistics.

    Number of weights, with `n = len(kernel_sizes)`, and `b = bottleneck` if there is one, else `dim`: `dim * b` for the
    bottleneck, `sum(kernel_sizes) * b * filters + dim * filters` for the convolutions, and for each of the `filters *
    (n + 1)` channels 4 for batch normalization (half of them trainable), 2 for layer or group normalization, 1 for the
    bias without normalization.

    Args:
        filters: Channels of each branch, at least 1.
        kernel_sizes: Length of the kernel of each branch, each at least 1.
        bottleneck: Input channels of the convolutions, at least 1; 0 for no bottleneck.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of a Keras activation, or None.
        dropout: Fraction of the channels dropped in training, in `[0, 1)`.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)`; a mask `(batch, time)` is passed on.

    Output shape:
        `(batch, time, filters * (len(kernel_sizes) + 1))`, the max-pooling branch last.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.InceptionBlock()(np.zeros((2, 150, 1), "float32")).shape)
        (2, 150, 128)
    """

    def __init__(
        self,
        filters: int = 32,
        kernel_sizes: Sequence[int] = (10, 20, 40),
        *,
        bottleneck: int = 32,
        normalization: Literal["batch", "layer"] | None = "batch",
        activation: str | Callable[[Any], Any] | None = "relu",
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not kernel_sizes or min(filters, *kernel_sizes) < 1 or bottleneck < 0:
            raise ValueError(
                "`filters` and each of `kernel_sizes` must be at least 1, `bottleneck` at least 0. "
                f"Received: {filters=}, {kernel_sizes=}, {bottleneck=}"
            )
        check_arguments(normalization, dropout, l1, l2)
        self.width, self.supports_masking = filters * (len(kernel_sizes) + 1), True
        policy = {"dtype": self.dtype_policy}
        conv_options = {
            "padding": "same",
            "kernel_initializer": "he_normal",
            "kernel_regularizer": kernel_regularizer(l1, l2),
            **policy,
        }
        biased_options = {"use_bias": normalization is None, **conv_options}
        self.narrow = (
            keras.layers.Conv1D(bottleneck, 1, use_bias=False, name="narrow", **conv_options) if bottleneck else None
        )
        self.convs = [
            keras.layers.Conv1D(filters, size, name=f"conv_{index}", **biased_options)
            for index, size in enumerate(kernel_sizes)
        ]
        self.highest = keras.layers.MaxPooling1D(3, strides=1, padding="same", name="highest", **policy)
        self.conv_highest = keras.layers.Conv1D(filters, 1, name="conv_highest", **biased_options)
        self.norm = normalization_layer(normalization, self.width, **policy)
        self.uses_mask = normalization in ("batch", "group")
        self.activation = keras.layers.Activation(activation, name="activation", **policy)
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **policy)

    def build(self, input_shape):
        self.uses_bottleneck = self.narrow is not None and input_shape[-1] > 1
        conv_shape = input_shape
        if self.uses_bottleneck:
            self.narrow.build(input_shape)
            conv_shape = (*input_shape[:-1], self.narrow.filters)
        for conv in self.convs:
            conv.build(conv_shape)
        self.conv_highest.build(input_shape)
        if self.norm:
            self.norm.build((*input_shape[:-1], self.width))

    def call(self, x, training=False, mask=None):
        x = zero_masked(x, mask)
        conv_input = self.narrow(x) if self.uses_bottleneck else x
        y = ops.concatenate(
            [*(conv(conv_input) for conv in self.convs), self.conv_highest(self._maximum(x, mask))], axis=-1
        )
        if self.norm:
            y = self.norm(y, training=training, **({"mask": mask} if self.uses_mask else {}))
        return drop_channels(self.activation(y), self.dropout, training)

    def _maximum(self, x, mask):
        if mask is None:
            return self.highest(x)
        mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        lowest = ops.cast(-float("inf"), x.dtype)
        return ops.where(mask, self.highest(ops.where(mask, x, lowest)), ops.zeros((), x.dtype))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.width)


@keras.saving.register_keras_serializable(package="tfkit")
class InceptionTime(Layer):
    """InceptionTime: network for series that learns patterns of many lengths.

    `depth` times `InceptionBlock`, with a shortcut around every third block: `relu(y + norm(conv(x)))`, where the
    convolution has one step; then mean or max pooling over time (Ismail Fawaz et al. 2020,
    https://arxiv.org/abs/1909.04939). No block shortens the series, so the receptive field of each step of the last
    block is `depth * max(kernel_sizes)`. The defaults are those of the paper. The layer has no output head: add a
    `Dense` layer. The paper averages five such networks.

    Number of weights: the sum over its blocks, and a `ConvBlock(width, 1, rank=1)` for each shortcut, on the channels
    at its start, where `width = filters * (len(kernel_sizes) + 1)`.

    Args:
        filters: Channels of each branch, at least 1.
        kernel_sizes: Length of the kernel of each branch, each at least 1.
        depth: Number of blocks, at least 1.
        shortcut_every: Number of blocks between shortcuts, at least 1; 0 for no shortcuts.
        bottleneck: Input channels of the convolutions in a block, at least 1; 0 for no bottleneck.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of a Keras activation.
        dropout: Fraction of the channels of each block dropped in training, in `[0, 1)`.
        pooling: `"mean"`, `"max"`, or `None` to return the features of every step.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)`; steps masked by a mask `(batch, time)` are ignored.

    Output shape:
        `(batch, filters * (len(kernel_sizes) + 1))`; without pooling `(batch, time, ...)`, and the mask is passed on.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.InceptionTime(8, depth=3)(np.zeros((2, 60, 1), "float32")).shape)
        (2, 32)
    """

    def __init__(
        self,
        filters: int = 32,
        kernel_sizes: Sequence[int] = (10, 20, 40),
        *,
        depth: int = 6,
        shortcut_every: int = 3,
        bottleneck: int = 32,
        normalization: Literal["batch", "layer"] | None = "batch",
        activation: str | Callable[[Any], Any] | None = "relu",
        dropout: float = 0.0,
        pooling: Literal["mean", "max"] | None = "mean",
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if depth < 1 or shortcut_every < 0:
            raise ValueError(
                f"`depth` must be at least 1 and `shortcut_every` at least 0. Received: {depth=}, {shortcut_every=}"
            )
        check_pooling(pooling)
        self.shortcut_every, self.supports_masking = shortcut_every, True
        policy = {"dtype": self.dtype_policy}
        shared_options = {"normalization": normalization, "l1": l1, "l2": l2, **policy}
        block_options = {"bottleneck": bottleneck, "activation": activation, "dropout": dropout, **shared_options}
        self.blocks = [
            InceptionBlock(filters, kernel_sizes, name=f"block_{index}", **block_options) for index in range(depth)
        ]
        self.shortcuts = [
            ConvBlock(self.blocks[0].width, 1, rank=1, activation=None, name=f"shortcut_{index}", **shared_options)
            for index in range(depth // shortcut_every if shortcut_every else 0)
        ]
        self.activation = keras.layers.Activation(activation, name="activation", **policy)
        self.pool = GlobalPooling(pooling, name="pool", **policy) if pooling else None

    def build(self, input_shape):
        shape = input_shape
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        for shortcut in self.shortcuts:
            shortcut.build(input_shape)
            input_shape = shape

    def call(self, x, training=False, mask=None):
        shortcut_input = x
        for index, block in enumerate(self.blocks):
            x = block(x, training=training, mask=mask)
            if self.shortcut_every and index % self.shortcut_every == self.shortcut_every - 1:
                shortcut = self.shortcuts[index // self.shortcut_every]
                x = shortcut_input = self.activation(x + shortcut(shortcut_input, training=training, mask=mask))
        return self.pool(x, mask=mask) if self.pool else x

    def compute_mask(self, inputs, previous_mask):
        return None if self.pool else previous_mask

    def compute_output_shape(self, input_shape):
        shape = self.blocks[0].compute_output_shape(input_shape)
        return self.pool.compute_output_shape(shape) if self.pool else shape
