"""Series and pictures cut into patches, so that a transformer has few steps and each of them says something."""

import keras
from keras import ops

from tfkit.layers.attention import dense
from tfkit.layers.masked import hide


@keras.saving.register_keras_serializable(package="tfkit")
class PatchEmbedding(keras.layers.Layer):
    """Cut a series or a picture into patches and make a vector of each: steps as a transformer wants them.

    One linear map for all patches, `patch @ kernel + bias` (pictures: ViT, Dosovitskiy et al. 2021,
    https://arxiv.org/abs/2010.11929; series: PatchTST, Nie et al. 2023, https://arxiv.org/abs/2211.14730, whose patches
    overlap by half). Where the last patch is not full it is filled with zeros, so that nothing is left out. It knows no
    positions: add `PositionalEmbedding`, or say `TransformerEncoder(positions="rotary")`.

    What a mask hides is zero to the patches, and a patch is hidden if all is that it has and those before it have not.
    So padding a series at its end changes nothing.

    Count of weights: `patch_size**rank * channels * dim + dim`, of rank 1 for series and 2 for pictures.

    Args:
        patch_size: Length of a patch along each axis, at least 1.
        dim: Length of the vector of a patch, at least 1.
        stride: From the start of a patch to that of the next, in `[1, patch_size]`; None for `patch_size`, so that
            patches do not overlap.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, channels)` or `(batch, height, width, channels)`; a mask has the shape without channels.

    Output shape:
        `(batch, patches, dim)` with `max(1, 1 + ceil((time - patch_size) / stride))` patches; of a picture the same
        along each axis, row after row.

    Raises:
        ValueError: If an argument is outside its range, or the input has another number of axes.

    Example:
        >>> import numpy as np, tfkit
        >>> tuple(tfkit.layers.PatchEmbedding(16, 64, stride=8)(np.zeros((2, 96, 1), "float32")).shape)
        (2, 11, 64)
        >>> tuple(tfkit.layers.PatchEmbedding(4, 64)(np.zeros((2, 28, 28, 1), "float32")).shape)
        (2, 49, 64)
    """

    def __init__(self, patch_size, dim, *, stride=None, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        if patch_size < 1 or dim < 1:
            raise ValueError(f"`patch_size` and `dim` must be at least 1. Received: {patch_size=}, {dim=}")
        if stride is not None and not 1 <= stride <= patch_size:
            raise ValueError(
                "`stride` must be in [1, patch_size], so that no step is left out, or None. "
                f"Received: {stride=}, {patch_size=}"
            )
        if l1 < 0 or l2 < 0:
            raise ValueError(f"`l1` and `l2` must be at least 0. Received: {l1=}, {l2=}")
        self.patch_size, self.dim, self.stride, self.supports_masking = patch_size, dim, stride or patch_size, True
        self.project = dense(dim, l1=l1, l2=l2, name="project", dtype=self.dtype_policy)

    def build(self, input_shape):
        if len(input_shape) not in (3, 4):
            raise ValueError(
                "The input must have three axes (series) or four (pictures). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        rank = len(input_shape) - 2
        self.project.build((None, self.patch_size**rank * input_shape[-1]))

    def call(self, x, mask=None):
        rank, size, channels = len(x.shape) - 2, self.patch_size, x.shape[-1]
        x = hide(x, mask)
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
        # a product is twice as fast as a convolution on the way back
        return self.project(ops.reshape(x, (-1, self._patches((None, *counts, None)), size**rank * channels)))

    def compute_mask(self, inputs, previous_mask):
        if previous_mask is None:
            return None
        mask, overlap, axes = ops.cast(previous_mask, "float32"), self.patch_size - self.stride, previous_mask.shape[1:]
        for axis in range(1, len(axes) + 1):
            mask = ops.moveaxis(mask, axis, -1)
            first = ops.max(mask[..., : overlap + 1], axis=-1, keepdims=True)  # to it all steps are new
            mask = ops.concatenate([first, mask[..., overlap + 1 :]], axis=-1)
            mask = ops.moveaxis(_fill(mask, -1, self.stride - 1), -1, axis)
        mask = ops.max_pool(mask[..., None], self.stride, self.stride)[..., 0] > 0
        return mask if len(axes) == 1 else ops.reshape(mask, (-1, self._patches((*ops.shape(mask), None))))

    def compute_output_shape(self, input_shape):
        counts = [None if length is None else self._count(length) for length in input_shape[1:-1]]
        return (input_shape[0], None if None in counts else self._patches((None, *counts, None)), self.dim)

    def _count(self, length):
        """Patches along an axis."""
        beyond = length - self.patch_size
        beyond = max(beyond, 0) if isinstance(beyond, int) else ops.maximum(beyond, 0)
        return (beyond + self.stride - 1) // self.stride + 1

    def _patches(self, shape):
        """All patches, of those along each axis."""
        return shape[1] if len(shape) == 3 else shape[1] * shape[2]


def _fill(x, axis, count):
    """Zeros behind the end of an axis."""
    if isinstance(count, int) and count == 0:
        return x
    widths = [[0, 0] for _ in x.shape]
    widths[axis] = [0, count]
    return ops.pad(x, widths)
