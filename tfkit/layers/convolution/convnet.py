"""Convolutional networks built of stages of residual or plain blocks."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from tfkit.layers.convolution.conv import ConvBlock
from tfkit.layers.convolution.residual import ResidualBlock
from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import GlobalPooling, check_pooling


@keras.saving.register_keras_serializable(package="tfkit")
class ConvNet(Layer):
    """Small ResNet or plain convolutional network for images or series.

    A stem of one `ConvBlock`, then for each of `filters` a stage of `depth` blocks. The first block of every stage
    except the first stage uses `strides`. At the end, global mean or max pooling over all positions (He et al. 2015,
    https://arxiv.org/abs/1512.03385; for series Wang et al. 2017, https://arxiv.org/abs/1611.06455). With twice the
    channels at half the resolution, every stage costs about the same for images. The stochastic depth rate grows
    linearly from 0 at the first block to `stochastic_depth` at the last (Huang et al. 2016,
    https://arxiv.org/abs/1603.09382). The layer has no output head: add a `Dense` layer.

    Number of weights: the sum over its blocks, `ConvBlock` or `ResidualBlock`.

    Args:
        filters: Channels of each stage, such as `[32, 64, 128]`.
        kernel_size: Length of all kernels along each axis, at least 1; for series usually above 3.
        rank: 1 for series, 2 for images.
        block: `"residual"`, or `"conv"` for plain convolutions.
        depth: Blocks of each stage, at least 1.
        strides: Downsampling factor of each stage except the first, at least 1.
        stem_strides: Downsampling factor of the stem, at least 1; 2 reduces an image to a quarter of its positions.
        padding: `"same"`, or `"causal"` for rank 1.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of a Keras activation.
        dropout: Fraction of the channels inside each block dropped in training, in `[0, 1)`.
        squeeze_excitation: Reduction ratio of squeeze-and-excitation in residual blocks, at least 1; 0 for none.
        stochastic_depth: Fraction of the rows for which the last residual block skips its branch in training, in
            `[0, 1)`.
        pooling: `"mean"`, `"max"`, or `None` to return the feature map.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, dim)` or `(batch, height, width, dim)`; a mask has the shape without `dim`.

    Output shape:
        `(batch, filters[-1])`; without pooling the feature map, and the mask is passed on.

    Raises:
        ValueError: If an argument is outside its range, or two of them are incompatible.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.ConvNet()(np.zeros((2, 28, 28, 1), "float32")).shape)
        (2, 128)
    """

    def __init__(
        self,
        filters: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
        *,
        rank: int = 2,
        block: Literal["residual", "conv"] = "residual",
        depth: int = 1,
        strides: int = 2,
        stem_strides: int = 1,
        padding: Literal["same", "valid", "causal"] = "same",
        normalization: Literal["batch", "layer", "group"] | None = "batch",
        activation: str | Callable[[Any], Any] | None = "relu",
        dropout: float = 0.0,
        squeeze_excitation: int = 0,
        stochastic_depth: float = 0.0,
        pooling: Literal["mean", "max"] | None = "mean",
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_arguments(filters, block, depth, padding)
        if block == "conv" and (squeeze_excitation or stochastic_depth):
            raise ValueError(
                "`squeeze_excitation` and `stochastic_depth` need block='residual'. "
                f"Received: {squeeze_excitation=}, {stochastic_depth=}"
            )
        check_pooling(pooling)
        self.supports_masking, policy = True, {"dtype": self.dtype_policy}
        block_options: dict[str, Any] = {
            "kernel_size": kernel_size,
            "rank": rank,
            "padding": padding,
            "normalization": normalization,
            "activation": activation,
            "dropout": dropout,
            "l1": l1,
            "l2": l2,
            **policy,
        }
        self.blocks = [ConvBlock(filters[0], strides=stem_strides, name="stem", **{**block_options, "dropout": 0.0})]
        last_index = max(1, len(filters) * depth - 1)
        for index in range(len(filters) * depth):
            stage, position = divmod(index, depth)
            options: dict[str, Any] = {
                "strides": strides if stage and not position else 1,
                "name": f"stage_{stage}_{position}",
            }
            if block == "conv":
                self.blocks.append(ConvBlock(filters[stage], **options, **block_options))
            else:
                drop_rate = stochastic_depth * index / last_index
                branch_options: dict[str, Any] = {
                    "squeeze_excitation": squeeze_excitation,
                    "stochastic_depth": drop_rate,
                }
                self.blocks.append(ResidualBlock(filters[stage], **branch_options, **options, **block_options))
        self.pool = GlobalPooling(pooling, name="pool", **policy) if pooling else None

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
            input_shape = block.compute_output_shape(input_shape)

    def call(self, x, training=False, mask=None):
        for block in self.blocks:
            x, mask = block(x, training=training, mask=mask), block.compute_mask(x, mask)
        return self.pool(x, mask=mask) if self.pool else x

    def compute_mask(self, inputs, previous_mask):
        if self.pool:
            return None
        for block in self.blocks:
            previous_mask = block.compute_mask(None, previous_mask)
        return previous_mask

    def compute_output_shape(self, input_shape):
        for block in self.blocks:
            input_shape = block.compute_output_shape(input_shape)
        return self.pool.compute_output_shape(input_shape) if self.pool else input_shape


def _check_arguments(filters, block, depth, padding):
    """Validate the arguments that set the structure of the network."""
    if not filters:
        raise ValueError(f"`filters` must name the channels of at least one stage. Received: {filters!r}")
    if block not in ("residual", "conv"):
        raise ValueError(f"`block` must be 'residual' or 'conv'. Received: {block!r}")
    if depth < 1:
        raise ValueError(f"`depth` must be at least 1. Received: {depth!r}")
    if padding == "valid":
        raise ValueError(f"`padding` must be 'same' or 'causal'. Received: {padding!r}")
