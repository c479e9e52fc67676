"""Patch embedding of series and images for transformers."""

from typing import Any

import keras
from keras import ops

from tfkit.layers.attention.attention import variance_preserving_dense
from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import zero_masked


@keras.saving.register_keras_serializable(package="tfkit")
class PatchEmbedding(Layer):
    """Split a series or an image into patches and project each to a vector.

    One linear map for all patches, `patch @ kernel + bias` (images: ViT, Dosovitskiy et al. 2021,
    https://arxiv.org/abs/2010.11929; series: PatchTST, Nie et al. 2023, https://arxiv.org/abs/2211.14730, whose patches
    overlap by half). An incomplete last patch is padded with zeros, so that no step is dropped. The layer adds no
    positions: add `PositionalEmbedding`, or use `TransformerEncoder(positions="rotary")`.

    Masked steps are zero in the patches. A patch is masked if all its steps that are not in the patch before are
    masked. So padding a series at its end does not change the result.

    Number of weights: `patch_size**rank * channels * dim + dim`, with rank 1 for series and 2 for images.

    Args:
        patch_size: Size of a patch along each axis, at least 1.
        dim: Length of the vector of a patch, at least 1.
        stride: Distance between the starts of consecutive patches, in `[1, patch_size]`; None for `patch_size`, so
            that patches do not overlap.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, time, channels)` or `(batch, height, width, channels)`; a mask has the shape without channels.

    Output shape:
        `(batch, patches, dim)` with `max(1, 1 + ceil((time - patch_size) / stride))` patches; for an image the
        same along each axis, in row-major order.

    Raises:
        ValueError: If an argument is outside its range, or the input has another number of axes.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.PatchEmbedding(16, 64, stride=8)(np.zeros((2, 96, 1), "float32")).shape)
        (2, 11, 64)
        >>> tuple(tfkit.layers.PatchEmbedding(4, 64)(np.zeros((2, 28, 28, 1), "float32")).shape)
        (2, 49, 64)
    """

    def __init__(
        self, patch_size: int, dim: int, *, stride: int | None = None, l1: float = 0.0, l2: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if patch_size < 1 or dim < 1:
            raise ValueError(f"`patch_size` and `dim` must be at least 1. Received: {patch_size=}, {dim=}")
        if stride is not None and not 1 <= stride <= patch_size:
            raise ValueError(
                "`stride` must be in [1, patch_size], so that no step is skipped, or None. "
                f"Received: {stride=}, {patch_size=}"
            )
        if l1 < 0 or l2 < 0:
            raise ValueError(f"`l1` and `l2` must be at least 0. Received: {l1=}, {l2=}")
        self.patch_size, self.dim, self.stride, self.supports_masking = patch_size, dim, stride or patch_size, True
        self.project = variance_preserving_dense(dim, l1=l1, l2=l2, name="project", dtype=self.dtype_policy)

    def build(self, input_shape):
        if len(input_shape) not in (3, 4):
            raise ValueError(
                f"The input must have three axes (series) or four (images). Received: input_shape={tuple(input_shape)}"
            )
        rank = len(input_shape) - 2
        self.project.build((None, self.patch_size**rank * input_shape[-1]))

    def call(self, x, mask=None):
        rank, size, channels = len(x.shape) - 2, self.patch_size, x.shape[-1]
        x = zero_masked(x, mask)
        for axis in range(1, rank + 1):
            length = ops.shape(x)[axis]
            x = _fill(x, axis, (self._count(length) - 1) * self.stride + size - length)
        if self.stride < size:
            kernel = ops.reshape(self.project.kernel, (*[size] * rank, channels, self.dim))
            y = ops.conv(x, kernel, strides=self.stride, padding="valid", data_format="channels_last")
            return ops.add(ops.reshape(y, (-1, self._patches(ops.shape(y)), self.dim)), self.project.bias)
        counts = [length // size for length in ops.shape(x)[1:-1]]
        if rank == 2:
            x = ops.transpose(ops.reshape(x, (-1, counts[0], size, counts[1], size, channels)), (0, 1, 3, 2, 4, 5))
        # the backward pass of a product is twice as fast as that of a convolution
        return self.project(ops.reshape(x, (-1, self._patches((None, *counts, None)), size**rank * channels)))

    def compute_mask(self, inputs, previous_mask):
        if previous_mask is None:
            return None
        mask, overlap, axes = ops.cast(previous_mask, "float32"), self.patch_size - self.stride, previous_mask.shape[1:]
        for axis in range(1, len(axes) + 1):
            mask = ops.moveaxis(mask, axis, -1)
            first_window = ops.max(mask[..., : overlap + 1], axis=-1, keepdims=True)  # no patch before the first
            mask = ops.concatenate([first_window, mask[..., overlap + 1 :]], axis=-1)
            mask = ops.moveaxis(_fill(mask, -1, self.stride - 1), -1, axis)
        mask = ops.max_pool(mask[..., None], self.stride, self.stride)[..., 0] > 0
        return mask if len(axes) == 1 else ops.reshape(mask, (-1, self._patches((*ops.shape(mask), None))))

    def compute_output_shape(self, input_shape):
        counts = [None if length is None else self._count(length) for length in input_shape[1:-1]]
        return (input_shape[0], None if None in counts else self._patches((None, *counts, None)), self.dim)

    def _count(self, length):
        """Return the number of patches along an axis."""
        remaining = length - self.patch_size
        remaining = max(remaining, 0) if isinstance(remaining, int) else ops.maximum(remaining, 0)
        return (remaining + self.stride - 1) // self.stride + 1

    def _patches(self, shape):
        """Return the total number of patches over all axes."""
        return shape[1] if len(shape) == 3 else shape[1] * shape[2]


def _fill(x, axis, count):
    """Pad the end of an axis with zeros."""
    if isinstance(count, int) and count == 0:
        return x
    widths = [[0, 0] for _ in x.shape]
    widths[axis] = [0, count]
    return ops.pad(x, widths)
