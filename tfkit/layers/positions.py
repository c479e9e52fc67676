"""Where a step stands: added to it, or turned into its queries and keys."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class PositionalEmbedding(keras.layers.Layer):
    """Tell each step of a sequence where it stands, by adding a vector of its position to it.

    Attention alone sees a bag of steps. `"learnt"` gives every position a vector of its own that begins near 0 (as in
    BERT and ViT): the choice for a fixed, not too long length, such as the patches of a picture. `"sinusoidal"` adds
    waves, `sin(t / 10000^(2i / dim))` in the first half of the vector and the cosine of the same in the second (Vaswani
    et al. 2017, https://arxiv.org/abs/1706.03762): no weights, and any length. Waves are of size 1, so what they are
    added to should not be much smaller (a Keras `Embedding` begins at 0.03). Where distances are all that matters, as
    in text and most series, `TransformerEncoder(positions="rotary")` needs no such layer.

    Count of weights: `max_length * dim` if learnt, else none.

    Args:
        max_length: The largest number of steps, at least 1; longer inputs are refused. None for the length of the input
            that the layer is built on if learnt, for any length if sinusoidal.
        kind: `"learnt"` or `"sinusoidal"`.

    Input shape:
        `(batch, time, dim)`, for waves with an even `dim`; a mask is kept.

    Output shape:
        The same.

    Raises:
        ValueError: If an argument is outside its range, the input is too long, or its length must be known and is not.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.PositionalEmbedding(kind="sinusoidal")
        >>> [[round(float(value), 2) for value in step] for step in layer(np.zeros((1, 3, 2), "float32"))[0]]
        [[0.0, 1.0], [0.84, 0.54], [0.91, -0.42]]
    """

    def __init__(self, max_length=None, *, kind="learnt", **kwargs):
        super().__init__(**kwargs)
        if kind not in ("learnt", "sinusoidal"):
            raise ValueError(f"`kind` must be 'learnt' or 'sinusoidal'. Received: {kind!r}")
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
                "`max_length` must be given for learnt positions, where the input's length is not fixed. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=(self.limit, dim), initializer=start, name="table")

    def call(self, x):
        time, dim = ops.shape(x)[1], x.shape[-1]
        self._check(x.shape)
        if self.kind == "learnt":
            # told its shape, so that a longer sequence fails also where lengths are known only when it runs
            return x + ops.reshape(self.table[:time], (1, time, dim))
        sin, cos = waves(time, dim)
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
    """Turn queries or keys by their position, so that their product knows the distance of two steps and nothing else.

    Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864): number `i` of the first half of the last axis
    and number `i` of the second are a point in the plane, turned by `t / 10000^(2i / dim)`.

    Args:
        x: `(..., time, dim)` with an even `dim`.

    Returns:
        The same shape and dtype.
    """
    sin, cos = (ops.cast(wave, x.dtype) for wave in waves(ops.shape(x)[-2], x.shape[-1]))
    a, b = ops.split(x, 2, axis=-1)
    return ops.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def waves(time, dim):
    """Sines and cosines of `t / 10000^(2i / dim)`, `(time, dim / 2)` each, in float32."""
    frequencies = 10000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = ops.cast(ops.arange(time), "float32")[:, None] * frequencies.astype("float32")
    return ops.sin(angles), ops.cos(angles)
