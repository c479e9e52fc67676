"""MiniRocket: ten thousand fixed questions to a series, of which a linear model makes sense."""

from itertools import combinations

import keras
import numpy as np
from keras import ops

from tfkit.layers.masked import hide

TAPS = 9  # steps that a kernel reads
KERNELS: np.ndarray = np.full(
    (84, TAPS), -1.0, "float32"
)  # each has three weights of 2 and six of -1, so that they add up to 0
for _number, _places in enumerate(combinations(range(TAPS), 3)):
    KERNELS[_number, list(_places)] = 2.0


@keras.saving.register_keras_serializable(package="tfkit")
class MiniRocket(keras.layers.Layer):
    """Ask a series ten thousand fixed questions: at what share of its steps is a pattern there.

    Convolutions with the 84 kernels of nine weights of which three are 2 and six are -1, spread over more and more
    steps (dilations); the features are the shares of steps at which a convolution is above a told bias (Dempster et al.
    2021, https://arxiv.org/abs/2012.08791). Nothing is learnt here: a linear model of the features is as good as deep
    nets, in a hundredth of their time. With several channels each kernel reads the sum of those it is told.

    Of each dilation every other kernel counts all steps, as though the series went on with zeros at both ends; the rest
    count those steps only at which all nine weights lie on the series (all steps, where there are none such). What a
    mask hides counts nowhere. No weights; no gradient passes.

    Args:
        dilations: Steps from one weight of a kernel to the next, each at least 1.
        biases: For each dilation a list of rows of 84 numbers, one a kernel.
        channels: For each dilation and each kernel the numbers of the channels that it reads; None where there is one.

    Input shape:
        `(batch, time, channels)`, with a mask `(batch, time)` or none.

    Output shape:
        `(batch, 84 * rows)`, shares in `[0, 1]`, `rows` being those of all `biases`; without a mask.

    Raises:
        ValueError: If the arguments do not fit each other.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.MiniRocket([1, 2], [[[0.0] * 84], [[0.5] * 84, [1.0] * 84]])
        >>> tuple(layer(np.zeros((2, 50, 1), "float32")).shape)
        (2, 252)
    """

    def __init__(self, dilations, biases, channels=None, **kwargs):
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
        if channels is not None and [len(told) for told in channels] != [len(KERNELS)] * len(dilations):
            raise ValueError(
                "`channels` must name for each dilation those of each of the 84 kernels. Received: "
                f"{[len(told) for told in channels]} for {len(dilations)} dilations"
            )
        self.dilations, self.channels, self.supports_masking = list(dilations), channels, True
        self.autocast = False  # whether a value is above another is no matter for half precision

    def build(self, input_shape):
        dim = input_shape[-1]
        if self.channels is None and dim != 1:
            raise ValueError(
                f"`channels` must be told where a series has more than one. Received: input_shape={tuple(input_shape)}"
            )
        self.kernels = [
            weights(dim, None if self.channels is None else told) for told in self.channels or self.dilations
        ]

    def call(self, x, mask=None):
        x = hide(ops.cast(x, "float32"), mask)
        time = ops.shape(x)[1]
        length = time if mask is None else ops.sum(ops.cast(mask, "int32"), axis=1)[:, None]
        shares = []
        for number, (dilation, biases) in enumerate(zip(self.dilations, self.biases, strict=True)):
            y = ops.stop_gradient(convolve(x, self.kernels[number], dilation))
            every, inner = counted(time, length, TAPS // 2 * dilation)
            counts = ops.where(np.arange(len(KERNELS)) % 2 == number % 2, every, inner)
            biases, none = ops.convert_to_tensor(biases), ops.zeros_like(counts[:, :1])
            shares += [ops.sum(ops.where(y > bias, counts, none), axis=1) for bias in ops.unstack(biases)]
        return ops.cast(ops.concatenate(shares, axis=-1), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(KERNELS) * sum(map(len, self.biases)))


def weights(dim, told=None):
    """The 84 kernels on series of so many channels, `(9 * dim, 84)`: zero for channels that a kernel does not read."""
    kernels = np.repeat(KERNELS.T[:, None], dim, axis=1)
    if told is not None:
        read: np.ndarray = np.zeros((dim, len(KERNELS)), "float32")
        for kernel, numbers in enumerate(told):
            read[list(numbers), kernel] = 1.0
        kernels = kernels * read
    return kernels.reshape(TAPS * dim, len(KERNELS))


def convolve(x, kernels, dilation):
    """`(batch, time, dim)` -> `(batch, time, 84)`, zeros on both sides; a product is faster than a convolution here."""
    time, reach = ops.shape(x)[1], TAPS // 2 * dilation
    padded = ops.pad(x, [[0, 0], [reach, reach], [0, 0]])
    shifted = [padded[:, tap * dilation : tap * dilation + time] for tap in range(TAPS)]
    return ops.matmul(ops.concatenate(shifted, axis=-1), kernels)


def counted(time, length, reach):
    """What each step counts in a mean, of all and of those that a kernel lies on whole; `(batch or 1, time, 1)`."""
    steps = ops.arange(time, dtype="int32")[None]
    every = ops.cast(steps < length, "float32")
    inner = ops.cast(ops.logical_and(steps >= reach, steps < length - reach), "float32")
    inner = ops.where(ops.any(inner > 0, axis=1, keepdims=True), inner, every)
    return [(part / ops.maximum(ops.sum(part, axis=1, keepdims=True), 1.0))[..., None] for part in (every, inner)]
