"""Select frequent n-grams of token ids, and count them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.text.metadata import NgramVocabulary

if TYPE_CHECKING:
    from scipy import sparse

CHUNK_ROWS = 1024  # rows processed at a time


def fit_ngram_vocabulary(
    ids: np.ndarray, *, sizes: Sequence[int] = (1, 2), max_ngrams: int = 50_000, min_count: int = 2
) -> list[int]:
    """Select the most frequent n-grams of training rows.

    The result is the argument `ngrams` of `tfkit.layers.NgramEmbedding`.

    Args:
        ids: `(rows, time)`, integers; 0 is padding.
        sizes: Lengths of the n-grams.
        max_ngrams: Maximum number of n-grams.
        min_count: How often an n-gram must occur; if none occurs so often, once is enough.

    Returns:
        Codes in `[0, 2**20)`, ascending.

    Example:
        >>> import numpy as np
        >>> len(fit_ngram_vocabulary(np.array([[5, 6, 7, 0], [5, 6, 0, 0]]), sizes=[1, 2]))  # 5, 6 and 5-6
        3
    """
    from tfkit.layers.embedding.ngrams import NUM_CODES, ngram_codes

    counts: np.ndarray = np.zeros(NUM_CODES, "int64")
    for start in range(0, len(ids), CHUNK_ROWS):
        chunk = np.asarray(ids[start : start + CHUNK_ROWS]).astype("int32")
        codes, is_ngram = (np.asarray(tensor) for tensor in ngram_codes(chunk, list(sizes)))
        counts += np.bincount(codes[is_ngram], minlength=NUM_CODES)
    frequent = np.flatnonzero(counts >= min(min_count, counts.max()))
    selected = frequent[np.argsort(-counts[frequent], kind="stable")][:max_ngrams]
    return np.sort(selected).tolist()


def ngram_features(ids: Any, vocabulary: NgramVocabulary) -> "sparse.csr_matrix":
    """Count the selected n-grams of each row, divided by the root of their total.

    Returns:
        A sparse matrix `(rows, n-grams)`.
    """
    from scipy import sparse

    from tfkit.layers.embedding.ngrams import NUM_CODES, ngram_codes

    column_of_code: np.ndarray = np.full(NUM_CODES, -1, "int32")
    column_of_code[vocabulary.ngrams] = np.arange(len(vocabulary.ngrams))
    rows: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    for start in range(0, len(ids), CHUNK_ROWS):
        chunk = np.asarray(ids[start : start + CHUNK_ROWS]).astype("int32")
        codes, is_ngram = (np.asarray(tensor) for tensor in ngram_codes(chunk, vocabulary.sizes))
        code_columns = column_of_code[codes]
        row, position = np.nonzero(is_ngram & (code_columns >= 0))
        rows.append(row + start)
        columns.append(code_columns[row, position])
    indices = np.concatenate(rows), np.concatenate(columns)
    shape = len(ids), len(vocabulary.ngrams)
    counts = sparse.coo_matrix((np.ones(len(indices[0]), "float32"), indices), shape=shape).tocsr()
    return sparse.diags(1 / np.sqrt(np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1))) @ counts
