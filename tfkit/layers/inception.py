"""InceptionTime: series read through short and long windows at once."""

import keras
from keras import ops

from tfkit.layers.conv import ConvBlock, check, drop, normalization_layer, penalty
from tfkit.layers.masked import GlobalPooling, hide


@keras.saving.register_keras_serializable(package="tfkit")
class InceptionBlock(keras.layers.Layer):
    """Convolutions of several lengths over the same series, side by side: short and long patterns in one layer.

    The module of InceptionTime (Ismail Fawaz et al. 2020, https://arxiv.org/abs/1909.04939): a bottleneck of one step
    narrows the series, then convolutions of each of `kernel_sizes` read it; beside them the maximum of three steps of
    the series itself goes through one of a single step; all are put together, normalised, activated. A series of one
    channel needs no bottleneck. What a mask hides is zero to the convolutions, counts in no maximum and no statistics.

    Count of weights, with `n = len(kernel_sizes)`, and `b = bottleneck` if there is one, else `dim`:
    `dim * b` of the bottleneck, `sum(kernel_sizes) * b * filters + dim * filters` of the convolutions, and for the
    `filters * (n + 1)` channels 4 each of batch normalization (half of them learnt), 2 of layer or group normalization,
    1 of bias without any.

    Args:
        filters: Channels of each branch, at least 1.
        kernel_sizes: Length of the kernel of each branch, each at least 1.
        bottleneck: Channels that the convolutions read, at least 1; 0 to read the input as it is.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of an activation of Keras, or None.
        dropout: Share of the channels dropped in training, in `[0, 1)`.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)`; a mask `(batch, time)` is kept.

    Output shape:
        `(batch, time, filters * (len(kernel_sizes) + 1))`, the branch of the maximum last.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.InceptionBlock()(np.zeros((2, 150, 1), "float32")).shape)
        (2, 150, 128)
    """

    def __init__(
        self,
        filters=32,
        kernel_sizes=(10, 20, 40),
        *,
        bottleneck=32,
        normalization="batch",
        activation="relu",
        dropout=0.0,
        l1=0.0,
        l2=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not kernel_sizes or min(filters, *kernel_sizes) < 1 or bottleneck < 0:
            raise ValueError(
                "`filters` and each of `kernel_sizes` must be at least 1, `bottleneck` at least 0. "
                f"Received: {filters=}, {kernel_sizes=}, {bottleneck=}"
            )
        check(normalization, dropout, l1, l2)
        self.width, self.supports_masking = filters * (len(kernel_sizes) + 1), True
        same = {"dtype": self.dtype_policy}
        alike = {"padding": "same", "kernel_initializer": "he_normal", "kernel_regularizer": penalty(l1, l2), **same}
        bias = {"use_bias": normalization is None, **alike}
        self.narrow = keras.layers.Conv1D(bottleneck, 1, use_bias=False, name="narrow", **alike) if bottleneck else None
        self.convs = [keras.layers.Conv1D(filters, k, name=f"conv_{i}", **bias) for i, k in enumerate(kernel_sizes)]
        self.highest = keras.layers.MaxPooling1D(3, strides=1, padding="same", name="highest", **same)
        self.conv_highest = keras.layers.Conv1D(filters, 1, name="conv_highest", **bias)
        self.norm = normalization_layer(normalization, self.width, **same)
        self.uses_mask = normalization in ("batch", "group")
        self.activation = keras.layers.Activation(activation, name="activation", **same)
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **same)

    def build(self, input_shape):
        self.narrows = self.narrow is not None and input_shape[-1] > 1
        read = input_shape
        if self.narrows:
            self.narrow.build(input_shape)
            read = (*input_shape[:-1], self.narrow.filters)
        for conv in self.convs:
            conv.build(read)
        self.conv_highest.build(input_shape)
        if self.norm:
            self.norm.build((*input_shape[:-1], self.width))

    def call(self, x, training=False, mask=None):
        x = hide(x, mask)
        read = self.narrow(x) if self.narrows else x
        y = ops.concatenate([*(conv(read) for conv in self.convs), self.conv_highest(self._maximum(x, mask))], axis=-1)
        if self.norm:
            y = self.norm(y, training=training, **({"mask": mask} if self.uses_mask else {}))
        return drop(self.activation(y), self.dropout, training)

    def _maximum(self, x, mask):
        if mask is None:
            return self.highest(x)
        mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        lowest = ops.cast(-float("inf"), x.dtype)
        return ops.where(mask, self.highest(ops.where(mask, x, lowest)), ops.zeros((), x.dtype))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.width)


@keras.saving.register_keras_serializable(package="tfkit")
class InceptionStack(keras.layers.Layer):
    """InceptionTime: from series to features, with no knowledge of which lengths matter.

    `depth` times `InceptionBlock`, and around every third a shortcut: `relu(y + norm(conv(x)))`, the convolution of a
    single step; then the mean or maximum over time (Ismail Fawaz et al. 2020, https://arxiv.org/abs/1909.04939). No
    block shortens the series, so each step of the last sees `depth * max(kernel_sizes)` around it. The defaults are the
    paper's. The output has no head: add a `Dense` of your own; the paper averages five such nets.

    Count of weights: that of its blocks, and of a `ConvBlock(width, 1, rank=1)` for each shortcut, on the channels that
    it begins with, where `width = filters * (len(kernel_sizes) + 1)`.

    Args:
        filters: Channels of each branch, at least 1.
        kernel_sizes: Length of the kernel of each branch, each at least 1.
        depth: Number of blocks, at least 1.
        shortcut_every: Number of blocks that a shortcut goes around, at least 1; 0 for no shortcuts.
        bottleneck: Channels that the convolutions read, at least 1; 0 to read the input of a block as it is.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of an activation of Keras.
        dropout: Share of the channels of each block dropped in training, in `[0, 1)`.
        pooling: `"mean"`, `"max"`, or `None` for the series of features.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)`; what a mask `(batch, time)` hides changes nothing.

    Output shape:
        `(batch, filters * (len(kernel_sizes) + 1))`; without pooling `(batch, time, ...)`, and the mask goes on.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.InceptionStack(8, depth=3)(np.zeros((2, 60, 1), "float32")).shape)
        (2, 32)
    """

    def __init__(
        self,
        filters=32,
        kernel_sizes=(10, 20, 40),
        *,
        depth=6,
        shortcut_every=3,
        bottleneck=32,
        normalization="batch",
        activation="relu",
        dropout=0.0,
        pooling="mean",
        l1=0.0,
        l2=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if depth < 1 or shortcut_every < 0:
            raise ValueError(
                f"`depth` must be at least 1 and `shortcut_every` at least 0. Received: {depth=}, {shortcut_every=}"
            )
        if pooling not in ("mean", "max", None):
            raise ValueError(f"`pooling` must be 'mean', 'max' or None. Received: {pooling!r}")
        self.shortcut_every, self.supports_masking = shortcut_every, True
        same = {"dtype": self.dtype_policy}
        alike = {"normalization": normalization, "l1": l1, "l2": l2, **same}
        inner = {"bottleneck": bottleneck, "activation": activation, "dropout": dropout, **alike}
        self.blocks = [InceptionBlock(filters, kernel_sizes, name=f"block_{i}", **inner) for i in range(depth)]
        self.shortcuts = [
            ConvBlock(self.blocks[0].width, 1, rank=1, activation=None, name=f"shortcut_{i}", **alike)
            for i in range(depth // shortcut_every if shortcut_every else 0)
        ]
        self.activation = keras.layers.Activation(activation, name="activation", **same)
        self.pool = GlobalPooling(pooling, name="pool", **same) if pooling else None

    def build(self, input_shape):
        shape = input_shape
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        for shortcut in self.shortcuts:
            shortcut.build(input_shape)
            input_shape = shape

    def call(self, x, training=False, mask=None):
        start = x
        for number, block in enumerate(self.blocks):
            x = block(x, training=training, mask=mask)
            if self.shortcut_every and number % self.shortcut_every == self.shortcut_every - 1:
                shortcut = self.shortcuts[number // self.shortcut_every]
                x = start = self.activation(x + shortcut(start, training=training, mask=mask))
        return self.pool(x, mask=mask) if self.pool else x

    def compute_mask(self, inputs, previous_mask):
        return None if self.pool else previous_mask

    def compute_output_shape(self, input_shape):
        shape = self.blocks[0].compute_output_shape(input_shape)
        return self.pool.compute_output_shape(shape) if self.pool else shape
