"""N-grams as numbers: which stand in a row of ids is a matter of arithmetic, which matter is told."""

import keras
import numpy as np
from keras import ops

CODES = 2**20  # n-grams that are told apart; a million of which some 50,000 count


@keras.saving.register_keras_serializable(package="tfkit")
class NgramEmbedding(keras.layers.Layer):
    """Make one vector of a row of ids from the n-grams in it: what makes bags of words so hard to beat, learnt.

    Every run of `n` ids has a code (a hash: Weinberger et al. 2009, https://arxiv.org/abs/0902.2206), and every code
    that is told a learnt vector; these are added up: `sum(table[ngram]) / sqrt(count)` over the told n-grams of all
    `sizes` in the row (Joulin et al. 2017, https://arxiv.org/abs/1607.01759). N-grams that are not told are not
    counted either, so that a row with many new ones is no smaller for it, as with TF-IDF; the root keeps long and short
    rows of one size. Ids of words give n-grams of words, ids of characters what is inside of words; short phrases and
    spellings are what a small network does not find by itself. The table begins at 0.

    Count of weights: `len(ngrams) * dim`.

    Args:
        ngrams: The codes that have a vector, distinct and in `[0, 2**20)`: those of `tfkit.data.frequent_ngrams`.
        dim: Length of a vector, at least 1.
        sizes: Lengths of the n-grams, each at least 1.
        dropout: Share of the n-grams dropped in training, in `[0, 1)`.
        initializer: Name of an initializer of Keras, of the table.

    Input shape:
        `(batch, time)`, integers; 0 is padding, and no n-gram reaches into it.

    Output shape:
        `(batch, dim)`; zeros for a row without n-grams that are told.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> ids = np.array([[5, 6, 7, 0], [5, 6, 0, 0]])
        >>> ngrams = tfkit.data.frequent_ngrams(ids, sizes=[1, 2])  # 5, 6 and 5-6 stand there twice
        >>> len(ngrams)
        3
        >>> tuple(tfkit.layers.NgramEmbedding(ngrams, 16, sizes=[1, 2])(ids).shape)
        (2, 16)
    """

    def __init__(self, ngrams, dim=64, *, sizes=(1, 2), dropout=0.0, initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        if dim < 1 or not sizes or min(sizes) < 1:
            raise ValueError(
                "`dim` must be at least 1, and `sizes` name one length or more, each at least 1. "
                f"Received: {dim=}, {sizes=}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        told = np.asarray(ngrams, "int64")
        if not len(told) or len(np.unique(told)) < len(told) or told.min() < 0 or told.max() >= CODES:
            raise ValueError(
                f"`ngrams` must be distinct codes in [0, {CODES}), at least one. Received: "
                f"{len(told)} codes, {len(np.unique(told))} of them distinct"
            )
        self.ngrams, self.dim, self.sizes, self.initializer = told.tolist(), dim, list(sizes), initializer
        self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=self.dtype_policy)
        places = np.full(CODES, -1, "int32")  # of each code, where in the table its vector is
        places[told] = np.arange(len(told))
        self.places = places

    def build(self, input_shape):
        shape = (len(self.ngrams), self.dim)
        self.table = self.add_weight(shape=shape, initializer=self.initializer, name="table")

    def call(self, ids, training=False):
        codes, there = ngram_codes(ops.cast(ids, "int32"), self.sizes)
        places = ops.take(ops.convert_to_tensor(self.places), codes)
        there = ops.cast(ops.logical_and(there, places >= 0), self.compute_dtype)
        count = ops.sum(ops.cast(there, "float32"), axis=1, keepdims=True)
        vectors = ops.take(ops.cast(self.table, self.compute_dtype), ops.maximum(places, 0), axis=0)
        total = ops.matmul(self.dropout(there, training=training)[:, None], vectors)[:, 0]
        return total * ops.cast(ops.rsqrt(ops.maximum(count, 1.0)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.dim)


def ngram_codes(ids, sizes):
    """The code of every n-gram of every size, and whether there is one: it has no padding in it.

    Args:
        ids: `(batch, time)`, int32.
        sizes: Lengths of the n-grams.

    Returns:
        Two tensors `(batch, len(sizes) * time)`; n-grams that would reach past the end are not there.
    """
    real, codes, there = ids != 0, [], []
    for size in sizes:
        start = (size * 0x61C88647 + 2**31) % 2**32 - 2**31  # far from any id, so that runs of other lengths differ
        code, whole = ops.full_like(ids, start), real
        for step in range(size):
            code = ops.bitwise_xor(code, _shifted(ids, step)) * 16777619  # as in FNV-1a; overflow is welcome
            whole = ops.logical_and(whole, _shifted(real, step))
        # the low digits of a product know nothing of the high ones, so these are brought down
        code = ops.bitwise_xor(code, ops.right_shift(code, 15)) * 0x2C1B3C6D
        codes.append(ops.mod(ops.bitwise_xor(code, ops.right_shift(code, 12)), CODES))
        there.append(whole)
    return ops.concatenate(codes, axis=1), ops.concatenate(there, axis=1)


def _shifted(x, steps):
    """What stands so many steps later; nothing at the end."""
    if not steps:
        return x
    return ops.concatenate([x[:, steps:], ops.zeros_like(x[:, :steps])], axis=1)
