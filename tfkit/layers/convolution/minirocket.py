"""MiniRocket: features of series from fixed dilated convolutions."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import keras
import numpy as np
from keras import ops

from tfkit.layers.layer import Layer
from tfkit.layers.masked_normalization import zero_masked

TAPS = 9  # weights of a kernel

KERNELS: np.ndarray = np.full(
    (84, TAPS), -1.0, "float32"
)  # each kernel has three weights of 2 and six of -1, which sum to 0

for _kernel, _positions in enumerate(combinations(range(TAPS), 3)):
    KERNELS[_kernel, list(_positions)] = 2.0


@keras.saving.register_keras_serializable(package="tfkit")
class MiniRocket(Layer):
    """MiniRocket: about 10,000 features from fixed dilated convolutions of a series.

    Each feature is the proportion of steps at which a convolution exceeds a precomputed bias (Dempster et al. 2021,
    https://arxiv.org/abs/2012.08791). The 84 kernels have nine weights, three of them 2 and six -1, and are applied
    with increasing dilation. Nothing is trained here: a linear model of the features is as accurate as deep networks,
    in a hundredth of their time. With several channels each kernel is applied to the sum of its selected channels.

    For each dilation, every second kernel counts all steps, with zero padding at both ends; the other kernels count
    only the steps at which all nine weights are inside the series (all steps, if there are none such). Masked steps are
    not counted. No weights; no gradient is propagated.

    Args:
        dilations: Distances between the weights of a kernel in steps, each at least 1.
        biases: For each dilation a list of rows of 84 numbers, one number per kernel.
        channels: For each dilation and each kernel the indices of its input channels; None for a series of one channel.

    Input shape:
        `(batch, time, channels)`, with a mask `(batch, time)` or none.

    Output shape:
        `(batch, 84 * rows)`, proportions in `[0, 1]`, where `rows` counts the rows of all `biases`; without a mask.

    Raises:
        ValueError: If the arguments do not match.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.MiniRocket([1, 2], [[[0.0] * 84], [[0.5] * 84, [1.0] * 84]])
        >>> tuple(layer(np.zeros((2, 50, 1), "float32")).shape)
        (2, 252)
    """

    def __init__(
        self,
        dilations: Sequence[int],
        biases: Sequence[Sequence[Sequence[float]]],
        channels: Sequence[Sequence[Sequence[int]]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.biases = [np.asarray(rows, "float32") for rows in biases]
        if not len(dilations) or min(dilations) < 1 or len(dilations) != len(biases):
            raise ValueError(
                "`dilations` must be at least one number, each at least 1, and `biases` rows for each. "
                f"Received: {dilations=}, and biases of {len(biases)}"
            )
        if any(rows.ndim != 2 or rows.shape[1] != len(KERNELS) for rows in self.biases):
            shapes = [rows.shape for rows in self.biases]
            raise ValueError(f"Each of `biases` must be rows of 84 numbers. Received: arrays of {shapes}")
        if channels is not None and [len(kernel_channels) for kernel_channels in channels] != [len(KERNELS)] * len(
            dilations
        ):
            raise ValueError(
                "`channels` must list the channels of each of the 84 kernels for each dilation. Received: "
                f"{[len(kernel_channels) for kernel_channels in channels]} for {len(dilations)} dilations"
            )
        self.dilations, self.channels, self.supports_masking = list(dilations), channels, True
        self.autocast = False  # comparisons need full precision

    def build(self, input_shape):
        dim = input_shape[-1]
        if self.channels is None and dim != 1:
            raise ValueError(
                f"`channels` must be set for a series of several channels. Received: input_shape={tuple(input_shape)}"
            )
        self.kernels = [
            kernel_matrix(dim, None if self.channels is None else kernel_channels)
            for kernel_channels in self.channels or self.dilations
        ]

    def call(self, x, mask=None):
        x = zero_masked(ops.cast(x, "float32"), mask)
        time = ops.shape(x)[1]
        length = time if mask is None else ops.sum(ops.cast(mask, "int32"), axis=1)[:, None]
        features = []
        for index, (dilation, biases) in enumerate(zip(self.dilations, self.biases, strict=True)):
            y = ops.stop_gradient(convolve(x, self.kernels[index], dilation))
            all_weights, inner_weights = mean_weights(time, length, TAPS // 2 * dilation)
            step_weights = ops.where(np.arange(len(KERNELS)) % 2 == index % 2, all_weights, inner_weights)
            biases, zeros = ops.convert_to_tensor(biases), ops.zeros_like(step_weights[:, :1])
            features += [ops.sum(ops.where(y > bias, step_weights, zeros), axis=1) for bias in ops.unstack(biases)]
        return ops.cast(ops.concatenate(features, axis=-1), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(KERNELS) * sum(map(len, self.biases)))


def kernel_matrix(dim, channels=None):
    """Return the 84 kernels for series of `dim` channels, `(9 * dim, 84)`.

    Weights are zero for channels that a kernel does not use.
    """
    kernels = np.repeat(KERNELS.T[:, None], dim, axis=1)
    if channels is not None:
        is_read: np.ndarray = np.zeros((dim, len(KERNELS)), "float32")
        for kernel, channel_indices in enumerate(channels):
            is_read[list(channel_indices), kernel] = 1.0
        kernels = kernels * is_read
    return kernels.reshape(TAPS * dim, len(KERNELS))


def convolve(x, kernels, dilation):
    """Convolve with zero padding: `(batch, time, dim)` to `(batch, time, 84)`.

    Computed as a matrix product, which is faster than a convolution here.
    """
    time, reach = ops.shape(x)[1], TAPS // 2 * dilation
    padded = ops.pad(x, [[0, 0], [reach, reach], [0, 0]])
    shifted = [padded[:, tap * dilation : tap * dilation + time] for tap in range(TAPS)]
    return ops.matmul(ops.concatenate(shifted, axis=-1), kernels)


def mean_weights(time, length, reach):
    """Return the weight of each step in the mean, with and without padded steps.

    The first tensor weights all steps, the second only the steps at which the whole kernel is inside the series;
    `(batch or 1, time, 1)` each.
    """
    steps = ops.arange(time, dtype="int32")[None]
    all_weights = ops.cast(steps < length, "float32")
    inner_steps = ops.cast(ops.logical_and(steps >= reach, steps < length - reach), "float32")
    inner_steps = ops.where(ops.any(inner_steps > 0, axis=1, keepdims=True), inner_steps, all_weights)
    return [
        (selection / ops.maximum(ops.sum(selection, axis=1, keepdims=True), 1.0))[..., None]
        for selection in (all_weights, inner_steps)
    ]
