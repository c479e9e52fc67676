"""Convolutions over series and pictures, in blocks to which what a mask hides does not exist."""

from math import gcd

import keras
from keras import ops

from tfkit.layers.masked import BatchNormalization, GroupNormalization, hide


@keras.saving.register_keras_serializable(package="tfkit")
class ConvBlock(keras.layers.Layer):
    """A convolution with normalisation, activation and dropout: what every convolutional net is made of.

    `dropout(activation(normalization(convolution(x))))` (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167),
    over the steps of a series (`rank=1`) or over a picture (`rank=2`). Dropout takes whole channels, since neighbours
    in a channel say nearly the same (Tompson et al. 2015, https://arxiv.org/abs/1411.4280).

    Series of unequal length: what the mask hides is zero to the convolution, counts in no statistics of a batch or
    group, and the mask goes on, shortened as the series is. Padding a series changes nothing, also with strides: output
    `t` lies at input `t * strides`, however long the row is (Keras' own `"same"` moves with the length).

    Count of weights: `kernel_size**rank * dim * filters`, and `4 * filters` of batch normalization (half of them
    learnt), `2 * filters` of layer or group normalization, or `filters` of bias without any.

    Args:
        filters: Channels of the output, at least 1.
        kernel_size: Length of the kernel along each axis, at least 1.
        rank: 1 for series, 2 for pictures.
        strides: Steps from one output to the next, at least 1.
        dilation_rate: Distance of the kernel's taps, at least 1; above 1 only without strides.
        padding: `"same"` keeps every step, `"valid"` those whose window lies inside, `"causal"` (rank 1) looks
            back only.
        normalization: `"batch"`, `"layer"` (over the channels of each step), `"group"` (over all steps of groups of
            up to 16 channels: Wu and He 2018, https://arxiv.org/abs/1803.08494) or `None`.
        activation: Name of an activation of Keras, or None.
        dropout: Share of the channels dropped in training, in `[0, 1)`.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)` or `(batch, height, width, dim)`; a mask has the shape without `dim`.

    Output shape:
        The same with `filters` channels, each axis divided by `strides` and rounded up, after `"valid"` has taken off
        `(kernel_size - 1) * dilation_rate`.

    Raises:
        ValueError: If an argument is outside its range, or two of them exclude each other.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.ConvBlock(16, strides=2)
        >>> tuple(layer(np.zeros((8, 28, 28, 1), "float32")).shape)
        (8, 14, 14, 16)
    """

    def __init__(
        self,
        filters,
        kernel_size=3,
        *,
        rank=2,
        strides=1,
        dilation_rate=1,
        padding="same",
        normalization="batch",
        activation="relu",
        dropout=0.0,
        l1=0.0,
        l2=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if rank not in (1, 2):
            raise ValueError(f"`rank` must be 1 (series) or 2 (pictures). Received: {rank!r}")
        if min(filters, kernel_size, strides, dilation_rate) < 1:
            raise ValueError(
                "`filters`, `kernel_size`, `strides` and `dilation_rate` must be at least 1. "
                f"Received: {filters=}, {kernel_size=}, {strides=}, {dilation_rate=}"
            )
        if strides > 1 and dilation_rate > 1:
            raise ValueError(
                f"Only one of `strides` and `dilation_rate` may be above 1. Received: {strides=}, {dilation_rate=}"
            )
        if padding not in ("same", "valid", "causal") or (padding == "causal" and rank == 2):
            raise ValueError(
                f"`padding` must be 'same', 'valid' or, for rank 1, 'causal'. Received: {padding=}, {rank=}"
            )
        check(normalization, dropout, l1, l2)
        self.filters, self.rank, self.strides, self.supports_masking = filters, rank, strides, True
        same, span = {"dtype": self.dtype_policy}, (kernel_size - 1) * dilation_rate
        self.lost = span if padding == "valid" else 0
        # Keras' "same" puts windows elsewhere when a series gets longer, but only with strides
        self.pad = (span // 2, span - span // 2) if padding == "same" and strides > 1 and span else None
        kind = keras.layers.Conv1D if rank == 1 else keras.layers.Conv2D
        self.conv = kind(
            filters,
            kernel_size,
            strides=strides,
            dilation_rate=dilation_rate,
            padding="valid" if self.pad else padding,
            use_bias=normalization is None,  # the normalisation's own shift makes a bias useless
            kernel_initializer="he_normal",
            kernel_regularizer=penalty(l1, l2),
            name="conv",
            **same,
        )
        self.norm = normalization_layer(normalization, filters, **same)
        self.uses_mask = normalization in ("batch", "group")
        self.activation = keras.layers.Activation(activation, name="activation", **same)
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **same)

    def build(self, input_shape):
        edge = sum(self.pad) if self.pad else 0
        self.conv.build((input_shape[0], *[n and n + edge for n in input_shape[1:-1]], input_shape[-1]))
        if self.norm:
            self.norm.build((*input_shape[:-1], self.filters))

    def call(self, x, training=False, mask=None):
        x = hide(x, mask)
        if self.pad:
            x = ops.pad(x, [(0, 0), *[self.pad] * self.rank, (0, 0)])
        y = self.conv(x)
        if self.norm:
            masked = {"mask": self.compute_mask(x, mask)} if self.uses_mask else {}
            y = self.norm(y, training=training, **masked)
        return drop(self.activation(y), self.dropout, training)

    def compute_mask(self, inputs, previous_mask):
        if previous_mask is None:
            return None
        first, last = slice(None, -self.lost or None, self.strides), slice(self.lost, None, self.strides)
        begins = previous_mask[(slice(None), *[first] * self.rank)]
        if not self.lost:
            return begins
        return ops.logical_and(begins, previous_mask[(slice(None), *[last] * self.rank)])

    def compute_output_shape(self, input_shape):
        steps = [n if n is None else -(-(n - self.lost) // self.strides) for n in input_shape[1:-1]]
        return (input_shape[0], *steps, self.filters)


def check(normalization, dropout, l1, l2):
    """Refuse what no block of this room can do."""
    if normalization not in ("batch", "layer", "group", None):
        raise ValueError(f"`normalization` must be 'batch', 'layer', 'group' or None. Received: {normalization!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
    if l1 < 0 or l2 < 0:
        raise ValueError(f"`l1` and `l2` must be at least 0. Received: {l1=}, {l2=}")


def penalty(l1, l2):
    """What is added to the loss for a kernel."""
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def drop(x, dropout, training, *, rows=False):
    """Whole channels of a row dropped, or whole rows: drawn once for each, and one product (Keras' own makes more)."""
    if not training or not dropout.rate:
        return x
    drawn = ops.ones((ops.shape(x)[0], *[1] * (len(x.shape) - 2), 1 if rows else x.shape[-1]), x.dtype)
    return x * dropout(drawn, training=True)


def normalization_layer(kind, filters, **same):
    """A normalisation by its word; None has none."""
    if kind == "batch":
        # momentum 0.9: with Keras' 0.99 a training of some hundred steps predicts with statistics of long ago
        return BatchNormalization(momentum=0.9, name="norm", **same)
    if kind == "layer":
        return keras.layers.LayerNormalization(name="norm", **same)
    return GroupNormalization(filters // gcd(filters, 16), name="norm", **same) if kind else None
