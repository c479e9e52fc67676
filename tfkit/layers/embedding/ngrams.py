"""Embedding of hashed n-grams."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfkit.layers.layer import Layer

NUM_CODES = 2**20  # size of the hash space; about 50,000 of the codes are used


@keras.saving.register_keras_serializable(package="tfkit")
class NgramEmbedding(Layer):
    """Embed a sequence of ids as the scaled sum of its n-gram vectors.

    Every run of `n` ids has a code (a hash: Weinberger et al. 2009, https://arxiv.org/abs/0902.2206), and every code in
    `ngrams` has a learned vector. The layer returns `sum(table[ngram]) / sqrt(count)` over the known n-grams of all
    `sizes` in the row (Joulin et al. 2017, https://arxiv.org/abs/1607.01759). Unknown n-grams are excluded from the
    count too, so that a row with many unknown n-grams does not get a smaller vector, as with TF-IDF; the square root
    keeps vectors of long and short rows at similar size. Ids of words give word n-grams, ids of characters give
    character n-grams; a small network does not learn short phrases and spellings by itself. The table is initialized
    with zeros.

    Number of weights: `len(ngrams) * dim`.

    Args:
        ngrams: The known codes, distinct and in `[0, 2**20)`, as returned by `tfkit.data.text.fit_ngram_vocabulary`.
        dim: Length of a vector, at least 1.
        sizes: Lengths of the n-grams, each at least 1.
        dropout: Fraction of the n-grams dropped in training, in `[0, 1)`.
        initializer: Name of a Keras initializer for the table.

    Input shape:
        `(batch, time)`, integers; 0 is padding, and n-grams with padding are ignored.

    Output shape:
        `(batch, dim)`; zeros for a row without known n-grams.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> ids = np.array([[5, 6, 7, 0], [5, 6, 0, 0]])
        >>> ngrams = tfkit.data.text.fit_ngram_vocabulary(ids, sizes=[1, 2])  # 5, 6 and 5-6 occur twice
        >>> len(ngrams)
        3
        >>> tuple(tfkit.layers.NgramEmbedding(ngrams, 16, sizes=[1, 2])(ids).shape)
        (2, 16)
    """

    def __init__(
        self,
        ngrams: Any,
        dim: int = 64,
        *,
        sizes: Sequence[int] = (1, 2),
        dropout: float = 0.0,
        initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if dim < 1 or not sizes or min(sizes) < 1:
            raise ValueError(
                "`dim` must be at least 1, and `sizes` must contain at least one length, each at least 1. "
                f"Received: {dim=}, {sizes=}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        codes = np.asarray(ngrams, "int64")
        if not len(codes) or len(np.unique(codes)) < len(codes) or codes.min() < 0 or codes.max() >= NUM_CODES:
            raise ValueError(
                f"`ngrams` must be distinct codes in [0, {NUM_CODES}), at least one. Received: "
                f"{len(codes)} codes, {len(np.unique(codes))} of them distinct"
            )
        self.ngrams, self.dim, self.sizes, self.initializer = codes.tolist(), dim, list(sizes), initializer
        self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=self.dtype_policy)
        # row of the table for each code, -1 for unknown codes
        code_to_row: np.ndarray = np.full(NUM_CODES, -1, "int32")
        code_to_row[codes] = np.arange(len(codes))
        self.code_to_row = code_to_row

    def build(self, input_shape):
        shape = (len(self.ngrams), self.dim)
        self.table = self.add_weight(shape=shape, initializer=self.initializer, name="table")

    def call(self, ids, training=False):
        codes, valid = ngram_codes(ops.cast(ids, "int32"), self.sizes)
        rows = ops.take(ops.convert_to_tensor(self.code_to_row), codes)
        valid = ops.cast(ops.logical_and(valid, rows >= 0), self.compute_dtype)
        count = ops.sum(ops.cast(valid, "float32"), axis=1, keepdims=True)
        vectors = ops.take(ops.cast(self.table, self.compute_dtype), ops.maximum(rows, 0), axis=0)
        total = ops.matmul(self.dropout(valid, training=training)[:, None], vectors)[:, 0]
        return total * ops.cast(ops.rsqrt(ops.maximum(count, 1.0)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.dim)


def ngram_codes(ids, sizes):
    """Compute the code of every n-gram of every size, and whether it is valid.

    An n-gram is valid if it contains no padding.

    Args:
        ids: `(batch, time)`, int32.
        sizes: Lengths of the n-grams.

    Returns:
        Two tensors `(batch, len(sizes) * time)`; n-grams that extend past the end are not valid.
    """
    not_padding, codes, valid = ids != 0, [], []
    for size in sizes:
        seed = (size * 0x61C88647 + 2**31) % 2**32 - 2**31  # far from any id, so that runs of different lengths differ
        code, complete = ops.full_like(ids, seed), not_padding
        for step in range(size):
            code = ops.bitwise_xor(code, _shifted(ids, step)) * 16777619  # as in FNV-1a; integer overflow is intended
            complete = ops.logical_and(complete, _shifted(not_padding, step))
        # the low bits of a product do not depend on the high bits, so the high bits are mixed in
        code = ops.bitwise_xor(code, ops.right_shift(code, 15)) * 0x2C1B3C6D
        codes.append(ops.mod(ops.bitwise_xor(code, ops.right_shift(code, 12)), NUM_CODES))
        valid.append(complete)
    return ops.concatenate(codes, axis=1), ops.concatenate(valid, axis=1)


def _shifted(x, steps):
    """Shift the time axis to the left by `steps`, zeros at the end."""
    if not steps:
        return x
    return ops.concatenate([x[:, steps:], ops.zeros_like(x[:, :steps])], axis=1)
