"""N-grams without a list of them: which stand in a row of ids is a matter of arithmetic."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class NgramEmbedding(keras.layers.Layer):
    """Make one vector of a row of ids from the n-grams in it: what makes bags of words so hard to beat, learnt.

    Every run of `n` ids is hashed to one of `buckets` learnt vectors, and these are added up: `sum(table[hash]) /
    sqrt(count)` over all n-grams of all `sizes` (Joulin et al. 2017, https://arxiv.org/abs/1607.01759; hashing:
    Weinberger et al. 2009, https://arxiv.org/abs/0902.2206). The root keeps long and short rows of one size, as the
    norm of TF-IDF does. The table begins at 0, so that n-grams that training has not seen say nothing. Ids of words
    give n-grams of words, ids of characters what is inside of words; short phrases and spellings are what a small
    network does not find by itself.

    Count of weights: `buckets * dim`.

    Args:
        buckets: Number of vectors, at least 1; about as many as there are different n-grams, so that few share one.
        dim: Length of a vector, at least 1.
        sizes: Lengths of the n-grams, each at least 1.
        dropout: Share of the n-grams dropped in training, in `[0, 1)`.
        initializer: Name of an initializer of Keras, of the table.

    Input shape:
        `(batch, time)`, integers; 0 is padding, and no n-gram reaches into it.

    Output shape:
        `(batch, dim)`; zeros for a row without n-grams.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.NgramEmbedding(1000, 16, sizes=[1, 2])
        >>> tuple(layer(np.array([[5, 6, 7, 0], [8, 0, 0, 0]])).shape)
        (2, 16)
    """

    def __init__(self, buckets=2**15, dim=64, *, sizes=(1, 2), dropout=0.0, initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        if buckets < 1 or dim < 1 or not sizes or min(sizes) < 1:
            raise ValueError("`buckets` and `dim` must be at least 1, and `sizes` name one length or more, each at "
                             f"least 1. Received: {buckets=}, {dim=}, {sizes=}")  # fmt: skip
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        self.buckets, self.dim, self.sizes, self.initializer = buckets, dim, list(sizes), initializer
        self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.table = self.add_weight(shape=(self.buckets, self.dim), initializer=self.initializer, name="table")

    def call(self, ids, training=False):
        codes, there = hashes(ops.cast(ids, "int32"), self.sizes, self.buckets)
        there = ops.cast(there, self.compute_dtype)
        count = ops.sum(ops.cast(there, "float32"), axis=1, keepdims=True)
        vectors = ops.take(ops.cast(self.table, self.compute_dtype), codes, axis=0)
        total = ops.matmul(self.dropout(there, training=training)[:, None], vectors)[:, 0]
        return total * ops.cast(ops.rsqrt(ops.maximum(count, 1.0)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.dim)


def hashes(ids, sizes, buckets):
    """The bucket of every n-gram of every size, and whether there is one: it has no padding in it.

    Args:
        ids: `(batch, time)`, int32.
        sizes: Lengths of the n-grams.
        buckets: Number of buckets.

    Returns:
        Two tensors `(batch, len(sizes) * time)`; n-grams that would reach past the end are not there.
    """
    real, codes, there = ids != 0, [], []
    for size in sizes:
        code, whole = ops.full_like(ids, size), real
        for step in range(size):
            code = ops.bitwise_xor(code, _shifted(ids, step)) * 16777619  # as in FNV-1a; overflow is welcome
            whole = ops.logical_and(whole, _shifted(real, step))
        # the low digits of a product know nothing of the high ones, so these are brought down
        code = ops.bitwise_xor(code, ops.right_shift(code, 15)) * 0x2C1B3C6D
        codes.append(ops.mod(ops.bitwise_xor(code, ops.right_shift(code, 12)), buckets))
        there.append(whole)
    return ops.concatenate(codes, axis=1), ops.concatenate(there, axis=1)


def _shifted(x, steps):
    """What stands so many steps later; nothing at the end."""
    if not steps:
        return x
    return ops.concatenate([x[:, steps:], ops.zeros_like(x[:, :steps])], axis=1)
