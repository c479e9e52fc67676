"""Residual convolutional blocks and squeeze-and-excitation."""

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

from tfkit.layers.convolution.conv import ConvBlock, drop_channels
from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import GlobalPooling, zero_masked


@keras.saving.register_keras_serializable(package="tfkit")
class SqueezeExcitation(Layer):
    """Squeeze-and-excitation: scale channels by weights computed from the whole input.

    Each channel is multiplied by a value in (0, 1): `sigmoid(relu(mean(x) @ w + b) @ v + c)`, where the mean is over
    all unmasked steps (Hu et al. 2018, https://arxiv.org/abs/1709.01507).

    Number of weights: `2 * dim * units + units + dim` with `units = max(1, dim // ratio)`.

    Args:
        ratio: Reduction ratio of the hidden layer, at least 1.

    Input shape:
        `(batch, time, dim)` or `(batch, height, width, dim)`; a mask is passed on.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `ratio` is below 1.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.SqueezeExcitation(4)(np.zeros((2, 8, 8, 16), "float32")).shape)
        (2, 8, 8, 16)
    """

    def __init__(self, ratio: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if ratio < 1:
            raise ValueError(f"`ratio` must be at least 1. Received: {ratio!r}")
        self.ratio, self.supports_masking = ratio, True
        self.pool = GlobalPooling("mean", name="pool", dtype=self.dtype_policy)

    def build(self, input_shape):
        dim, policy = input_shape[-1], {"dtype": self.dtype_policy}
        units = max(1, dim // self.ratio)
        self.squeeze = keras.layers.Dense(
            units, activation="relu", kernel_initializer="he_normal", name="squeeze", **policy
        )
        self.excite = keras.layers.Dense(dim, activation="sigmoid", name="excite", **policy)
        self.squeeze.build((input_shape[0], dim))
        self.excite.build((input_shape[0], units))

    def call(self, x, mask=None):
        scale = self.excite(self.squeeze(self.pool(x, mask=mask)))
        return x * ops.reshape(scale, (-1, *[1] * (len(x.shape) - 2), x.shape[-1]))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class ResidualBlock(Layer):
    """Residual block of two convolutions, as in ResNet.

    `activation(shortcut(x) + branch(x))` with branch = conv, norm, activation, dropout, conv, norm, and optional
    squeeze-and-excitation: the basic block of He et al. 2015 (https://arxiv.org/abs/1512.03385). The shortcut is the
    input itself, or a 1x1 convolution with normalization where channels or steps change. (The pre-activation block is
    better at hundreds of layers, but its output needs another normalization; this block can be used anywhere.)

    Stochastic depth (Huang et al. 2016, https://arxiv.org/abs/1603.09382) skips the whole branch of a row in training,
    and divides by the fraction kept, so that inference uses the mean over training.

    Number of weights: that of `ConvBlock(filters, kernel_size)` on `dim` channels and of another on `filters` channels;
    of `ConvBlock(filters, 1)` for a shortcut that is not the identity; of `SqueezeExcitation` on `filters` channels.

    Args:
        filters: Channels of the output, at least 1.
        kernel_size: Length of both kernels along each axis, at least 1.
        rank: 1 for series, 2 for images.
        strides: Steps from one output to the next, in the first convolution and the shortcut, at least 1.
        dilation_rate: Distance between kernel taps, at least 1; above 1 only without strides.
        padding: `"same"`, or `"causal"` for rank 1.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of a Keras activation.
        dropout: Fraction of the channels between the convolutions dropped in training, in `[0, 1)`.
        squeeze_excitation: Reduction ratio of squeeze-and-excitation, at least 1; 0 for none.
        stochastic_depth: Fraction of the rows whose branch is skipped in training, in `[0, 1)`.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)` or `(batch, height, width, dim)`; a mask has the shape without `dim`.

    Output shape:
        Same as the input with `filters` channels, each axis divided by `strides` and rounded up.

    Raises:
        ValueError: If an argument is outside its range, or two of them are incompatible.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.ResidualBlock(32, rank=1, strides=2, squeeze_excitation=8)
        >>> tuple(layer(np.zeros((4, 99, 16), "float32")).shape)
        (4, 50, 32)
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
        squeeze_excitation: int = 0,
        stochastic_depth: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if padding == "valid":
            raise ValueError(f"`padding` must preserve the number of steps: 'same' or 'causal'. Received: {padding!r}")
        if squeeze_excitation < 0:
            raise ValueError(f"`squeeze_excitation` must be 0, or at least 1. Received: {squeeze_excitation!r}")
        if not 0 <= stochastic_depth < 1:
            raise ValueError(f"`stochastic_depth` must be in [0, 1). Received: {stochastic_depth!r}")
        self.filters, self.strides, self.supports_masking = filters, strides, True
        policy = {"dtype": self.dtype_policy}
        conv_options: dict[str, Any] = {"rank": rank, "normalization": normalization, "l1": l1, "l2": l2, **policy}
        kernel_options: dict[str, Any] = {
            "kernel_size": kernel_size,
            "dilation_rate": dilation_rate,
            "padding": padding,
        }
        self.first = ConvBlock(
            filters,
            strides=strides,
            activation=activation,
            dropout=dropout,
            name="first",
            **kernel_options,
            **conv_options,
        )
        self.second = ConvBlock(filters, activation=None, name="second", **kernel_options, **conv_options)
        self.projection = ConvBlock(filters, 1, strides=strides, activation=None, name="projection", **conv_options)
        self.excitation = None
        if squeeze_excitation:
            self.excitation = SqueezeExcitation(squeeze_excitation, name="excitation", **policy)
        self.drop_branch = keras.layers.Dropout(stochastic_depth, name="drop_branch", **policy)
        self.activation = keras.layers.Activation(activation, name="activation", **policy)

    def build(self, input_shape):
        self.uses_projection = self.strides > 1 or input_shape[-1] != self.filters
        output_shape = self.first.compute_output_shape(input_shape)
        self.first.build(input_shape)
        self.second.build(output_shape)
        if self.uses_projection:
            self.projection.build(input_shape)
        if self.excitation:
            self.excitation.build(output_shape)

    def call(self, x, training=False, mask=None):
        output_mask = self.compute_mask(x, mask)
        y = self.second(self.first(x, training=training, mask=mask), training=training, mask=output_mask)
        if self.excitation:
            y = self.excitation(y, mask=output_mask)
        shortcut = self.projection(x, training=training, mask=mask) if self.uses_projection else zero_masked(x, mask)
        return self.activation(shortcut + drop_channels(y, self.drop_branch, training, rows=True))

    def compute_mask(self, inputs, previous_mask):
        return self.first.compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape):
        return self.first.compute_output_shape(input_shape)
