"""Convolutional blocks with masking for series and images."""

from collections.abc import Callable
from math import gcd
from typing import Any, Literal

import keras
from keras import ops

from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import MaskedBatchNormalization, MaskedGroupNormalization, zero_masked


@keras.saving.register_keras_serializable(package="tfkit")
class ConvBlock(Layer):
    """Convolution with normalization, activation and dropout.

    `dropout(activation(normalization(convolution(x))))` (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167),
    over the steps of a series (`rank=1`) or over an image (`rank=2`). Dropout drops whole channels, since neighbors in
    a channel are strongly correlated (Tompson et al. 2015, https://arxiv.org/abs/1411.4280).

    Series of unequal length: masked steps are zero in the convolution and are excluded from batch and group statistics.
    The mask is passed on, shortened like the series. Padding a series does not change the result, also with strides:
    output `t` is computed at input `t * strides`, whatever the length of the row (with Keras' own `"same"` this offset
    depends on the length).

    Number of weights: `kernel_size**rank * dim * filters`, and `4 * filters` for batch normalization (half of them
    trainable), `2 * filters` for layer or group normalization, or `filters` for the bias without normalization.

    Args:
        filters: Channels of the output, at least 1.
        kernel_size: Length of the kernel along each axis, at least 1.
        rank: 1 for series, 2 for images.
        strides: Steps from one output to the next, at least 1.
        dilation_rate: Distance between kernel taps, at least 1; above 1 only without strides.
        padding: `"same"` keeps every step, `"valid"` only steps whose window is inside the input, `"causal"`
            (rank 1) uses earlier steps only.
        normalization: `"batch"`, `"layer"` (over the channels of each step), `"group"` (over all steps of groups of
            up to 16 channels: Wu and He 2018, https://arxiv.org/abs/1803.08494) or `None`.
        activation: Name of a Keras activation, or None.
        dropout: Fraction of the channels dropped in training, in `[0, 1)`.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)` or `(batch, height, width, dim)`; a mask has the shape without `dim`.

    Output shape:
        Same as the input with `filters` channels, each axis divided by `strides` and rounded up; with `"valid"` an
        axis is first shortened by `(kernel_size - 1) * dilation_rate`.

    Raises:
        ValueError: If an argument is outside its range, or two of them are incompatible.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.ConvBlock(16, strides=2)
        >>> tuple(layer(np.zeros((8, 28, 28, 1), "float32")).shape)
        (8, 14, 14, 16)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        *,
        rank: int = 2,
        strides: int = 1,
        dilation_rate: int = 1,
        padding: Literal["same", "valid", "causal"] = "same",
        normalization: Literal["batch", "layer", "group"] | None = "batch",
        activation: str | Callable[[Any], Any] | None = "relu",
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_convolution(filters, kernel_size, rank, strides, dilation_rate, padding)
        check_arguments(normalization, dropout, l1, l2)
        self.filters, self.rank, self.strides, self.supports_masking = filters, rank, strides, True
        policy, span = {"dtype": self.dtype_policy}, (kernel_size - 1) * dilation_rate
        self.valid_span = span if padding == "valid" else 0
        # with strides, the window offset of Keras' "same" depends on the length of the series
        self.pad = (span // 2, span - span // 2) if padding == "same" and strides > 1 and span else None
        kind = keras.layers.Conv1D if rank == 1 else keras.layers.Conv2D
        self.conv = kind(
            filters,
            kernel_size,
            strides=strides,
            dilation_rate=dilation_rate,
            padding="valid" if self.pad else padding,
            use_bias=normalization is None,  # the shift of the normalization makes a bias redundant
            kernel_initializer="he_normal",
            kernel_regularizer=kernel_regularizer(l1, l2),
            name="conv",
            **policy,
        )
        self.norm = normalization_layer(normalization, filters, **policy)
        self.uses_mask = normalization in ("batch", "group")
        self.activation = keras.layers.Activation(activation, name="activation", **policy)
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **policy)

    def build(self, input_shape):
        padding_steps = sum(self.pad) if self.pad else 0
        self.conv.build(
            (input_shape[0], *[size and size + padding_steps for size in input_shape[1:-1]], input_shape[-1])
        )
        if self.norm:
            self.norm.build((*input_shape[:-1], self.filters))

    def call(self, x, training=False, mask=None):
        x = zero_masked(x, mask)
        if self.pad:
            x = ops.pad(x, [(0, 0), *[self.pad] * self.rank, (0, 0)])
        y = self.conv(x)
        if self.norm:
            mask_argument = {"mask": self.compute_mask(x, mask)} if self.uses_mask else {}
            y = self.norm(y, training=training, **mask_argument)
        return drop_channels(self.activation(y), self.dropout, training)

    def compute_mask(self, inputs, previous_mask):
        if previous_mask is None:
            return None
        window_starts, window_ends = (
            slice(None, -self.valid_span or None, self.strides),
            slice(self.valid_span, None, self.strides),
        )
        starts_visible = previous_mask[(slice(None), *[window_starts] * self.rank)]
        if not self.valid_span:
            return starts_visible
        return ops.logical_and(starts_visible, previous_mask[(slice(None), *[window_ends] * self.rank)])

    def compute_output_shape(self, input_shape):
        steps = [size if size is None else -(-(size - self.valid_span) // self.strides) for size in input_shape[1:-1]]
        return (input_shape[0], *steps, self.filters)


def _check_convolution(filters, kernel_size, rank, strides, dilation_rate, padding):
    """Validate the arguments of a convolution."""
    if rank not in (1, 2):
        raise ValueError(f"`rank` must be 1 (series) or 2 (images). Received: {rank!r}")
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
        raise ValueError(f"`padding` must be 'same', 'valid' or, for rank 1, 'causal'. Received: {padding=}, {rank=}")


def check_arguments(normalization, dropout, l1, l2):
    """Validate arguments that all convolutional blocks share."""
    if normalization not in ("batch", "layer", "group", None):
        raise ValueError(f"`normalization` must be 'batch', 'layer', 'group' or None. Received: {normalization!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
    if l1 < 0 or l2 < 0:
        raise ValueError(f"`l1` and `l2` must be at least 0. Received: {l1=}, {l2=}")


def kernel_regularizer(l1, l2):
    """Create the kernel regularizer, or None if both factors are 0."""
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def drop_channels(x, dropout, training, *, rows=False):
    """Drop whole channels of a row, or whole rows.

    One random number per channel or row, and one product; `keras.layers.Dropout` with a noise shape computes more.
    """
    if not training or not dropout.rate:
        return x
    ones = ops.ones((ops.shape(x)[0], *[1] * (len(x.shape) - 2), 1 if rows else x.shape[-1]), x.dtype)
    return x * dropout(ones, training=True)


def normalization_layer(kind, filters, **kwargs):
    """Create a normalization layer by its name, or None."""
    if kind == "batch":
        # momentum 0.9: with Keras' 0.99 the moving statistics are outdated after a few hundred training steps
        return MaskedBatchNormalization(momentum=0.9, name="norm", **kwargs)
    if kind == "layer":
        return keras.layers.LayerNormalization(name="norm", **kwargs)
    return MaskedGroupNormalization(filters // gcd(filters, 16), name="norm", **kwargs) if kind else None
