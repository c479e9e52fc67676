"""From pictures or series to features, in stages that see ever more and keep ever less."""

import keras

from tfkit.layers.conv import ConvBlock
from tfkit.layers.masked import GlobalPooling
from tfkit.layers.residual import ResidualBlock


@keras.saving.register_keras_serializable(package="tfkit")
class ConvStack(keras.layers.Layer):
    """Residual or plain convolutions in stages: a small ResNet, from pictures or series to features.

    A stem of one `ConvBlock`, then for each of `filters` a stage of `depth` blocks, of which the first of every stage
    but the first takes strides; then the mean or maximum over all positions (He et al. 2015,
    https://arxiv.org/abs/1512.03385; for series Wang et al. 2017, https://arxiv.org/abs/1611.06455). Twice the channels
    at half the length: in pictures every stage costs about the same. Stochastic depth grows evenly from 0 at the first
    block to its value at the last (Huang et al. 2016, https://arxiv.org/abs/1603.09382). The output has no head: add a
    `Dense` of your own.

    Count of weights: that of its blocks, `ConvBlock` or `ResidualBlock`.

    Args:
        filters: Channels of each stage, such as `[32, 64, 128]`.
        kernel_size: Length of all kernels along each axis, at least 1; for series mostly longer than 3.
        rank: 1 for series, 2 for pictures.
        block: `"residual"`, or `"conv"` for plain convolutions.
        depth: Blocks of each stage, at least 1.
        strides: By how much each stage but the first shortens, at least 1.
        stem_strides: By how much the stem shortens, at least 1; 2 leaves a quarter of a picture to do.
        padding: `"same"`, or `"causal"` for rank 1.
        normalization: `"batch"`, `"layer"`, `"group"` or `None`.
        activation: Name of an activation of Keras.
        dropout: Share of the channels inside each block dropped in training, in `[0, 1)`.
        squeeze_excitation: Of residual blocks: how many times narrower the layer between is, at least 1; 0 for none.
        stochastic_depth: Of residual blocks: share of the rows whose last branch is left out in training, in `[0, 1)`.
        pooling: `"mean"`, `"max"`, or `None` for the map.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)` or `(batch, height, width, dim)`; a mask has the shape without `dim`.

    Output shape:
        `(batch, filters[-1])`; without pooling the map, and the mask goes on.

    Raises:
        ValueError: If an argument is outside its range, or two of them exclude each other.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.ConvStack()(np.zeros((2, 28, 28, 1), "float32")).shape)
        (2, 128)
    """

    def __init__(
        self,
        filters=(32, 64, 128),
        kernel_size=3,
        *,
        rank=2,
        block="residual",
        depth=1,
        strides=2,
        stem_strides=1,
        padding="same",
        normalization="batch",
        activation="relu",
        dropout=0.0,
        squeeze_excitation=0,
        stochastic_depth=0.0,
        pooling="mean",
        l1=0.0,
        l2=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not filters:
            raise ValueError(f"`filters` must name the channels of at least one stage. Received: {filters!r}")
        if block not in ("residual", "conv"):
            raise ValueError(f"`block` must be 'residual' or 'conv'. Received: {block!r}")
        if depth < 1:
            raise ValueError(f"`depth` must be at least 1. Received: {depth!r}")
        if block == "conv" and (squeeze_excitation or stochastic_depth):
            raise ValueError(
                "`squeeze_excitation` and `stochastic_depth` need block='residual'. "
                f"Received: {squeeze_excitation=}, {stochastic_depth=}"
            )
        if padding == "valid":
            raise ValueError(f"`padding` must be 'same' or 'causal'. Received: {padding!r}")
        if pooling not in ("mean", "max", None):
            raise ValueError(f"`pooling` must be 'mean', 'max' or None. Received: {pooling!r}")
        self.supports_masking, same = True, {"dtype": self.dtype_policy}
        alike = {
            "kernel_size": kernel_size,
            "rank": rank,
            "padding": padding,
            "normalization": normalization,
            "activation": activation,
            "dropout": dropout,
            "l1": l1,
            "l2": l2,
            **same,
        }
        self.blocks = [ConvBlock(filters[0], strides=stem_strides, name="stem", **{**alike, "dropout": 0.0})]
        last = max(1, len(filters) * depth - 1)
        for number in range(len(filters) * depth):
            stage, place = divmod(number, depth)
            where = {"strides": strides if stage and not place else 1, "name": f"stage_{stage}_{place}"}
            if block == "conv":
                self.blocks.append(ConvBlock(filters[stage], **where, **alike))
            else:
                share = stochastic_depth * number / last
                branch = {"squeeze_excitation": squeeze_excitation, "stochastic_depth": share}
                self.blocks.append(ResidualBlock(filters[stage], **branch, **where, **alike))
        self.pool = GlobalPooling(pooling, name="pool", **same) if pooling else None

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
