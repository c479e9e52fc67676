"""Positional embeddings and rotary positions of sequences."""

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfkit.layers.layer import Layer


@keras.saving.register_keras_serializable(package="tfkit")
class PositionalEmbedding(Layer):
    """Add learned or sinusoidal position vectors to a sequence.

    Attention alone does not depend on the order of the steps. `"learned"` adds a learned vector per position,
    initialized near 0 (as in BERT and ViT): the choice for a fixed length that is not too long, such as the patches of
    an image. `"sinusoidal"` adds `sin(t / 10000^(2i / dim))` in the first half of the vector and the cosine of the same
    in the second half (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762): no weights, and any length. Sinusoids
    have amplitude 1, so the input should not be much smaller (a Keras `Embedding` is initialized at 0.03). Where only
    relative distances matter, as in text and most series, `TransformerEncoder(positions="rotary")` needs no such layer.

    Number of weights: `max_length * dim` if learned, else none.

    Args:
        max_length: The largest number of steps, at least 1; longer inputs raise an error. If None, learned
            positions use the length of the input in `build`, sinusoidal positions allow any length.
        kind: `"learned"` or `"sinusoidal"`.

    Input shape:
        `(batch, time, dim)`, with an even `dim` for sinusoidal positions; a mask is passed on.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is outside its range, the input is too long, or its length must be
            known and is not.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.PositionalEmbedding(kind="sinusoidal")
        >>> [[round(float(value), 2) for value in step] for step in layer(np.zeros((1, 3, 2), "float32"))[0]]
        [[0.0, 1.0], [0.84, 0.54], [0.91, -0.42]]
    """

    def __init__(
        self, max_length: int | None = None, *, kind: Literal["learned", "sinusoidal"] = "learned", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if kind not in ("learned", "sinusoidal"):
            raise ValueError(f"`kind` must be 'learned' or 'sinusoidal'. Received: {kind!r}")
        if max_length is not None and max_length < 1:
            raise ValueError(f"`max_length` must be at least 1, or None. Received: {max_length!r}")
        self.max_length, self.kind, self.supports_masking = max_length, kind, True

    def build(self, input_shape):
        time, dim = input_shape[1:]
        self.limit = self.max_length
        if self.kind == "sinusoidal":
            if dim % 2:
                raise ValueError(
                    "The last axis of the input must be even, half sines and half cosines. "
                    f"Received: input_shape={tuple(input_shape)}"
                )
            return
        self.limit = self.max_length or time
        if self.limit is None:
            raise ValueError(
                "`max_length` must be set for learned positions if the input length is not fixed. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=(self.limit, dim), initializer=initializer, name="table")

    def call(self, x):
        time, dim = ops.shape(x)[1], x.shape[-1]
        self._check(x.shape)
        if self.kind == "learned":
            # the reshape makes longer sequences fail also if their length is only known at run time
            return x + ops.reshape(self.table[:time], (1, time, dim))
        sin, cos = sinusoids(time, dim)
        return x + ops.cast(ops.concatenate([sin, cos], axis=-1), x.dtype)

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return input_shape

    def _check(self, shape):
        if self.built and self.limit is not None and shape[1] is not None and shape[1] > self.limit:
            raise ValueError(
                "The input must have at most `max_length` steps: cut it, or build with a larger one. "
                f"Received: max_length={self.limit}, input_shape={tuple(shape)}"
            )


def rotate(x):
    """Apply rotary positions to queries or keys.

    The product of a rotated query and a rotated key depends only on the distance between the two steps (Su et al. 2021,
    https://arxiv.org/abs/2104.09864): number `i` of the first half of the last axis and number `i` of the second half
    are a point in the plane, rotated by `t / 10000^(2i / dim)`.

    Args:
        x: `(..., time, dim)` with an even `dim`.

    Returns:
        The same shape and dtype.
    """
    sin, cos = (ops.cast(wave, x.dtype) for wave in sinusoids(ops.shape(x)[-2], x.shape[-1]))
    first_half, second_half = ops.split(x, 2, axis=-1)
    return ops.concatenate([first_half * cos - second_half * sin, second_half * cos + first_half * sin], axis=-1)


def sinusoids(time, dim):
    """Compute sine and cosine of the position angles in float32.

    The angles are `t / 10000^(2i / dim)`, the results `(time, dim / 2)` each.
    """
    frequencies = 10000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = ops.cast(ops.arange(time), "float32")[:, None] * frequencies.astype("float32")
    return ops.sin(angles), ops.cos(angles)
