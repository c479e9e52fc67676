"""Which n-grams there are in training rows, often enough to be learnt."""

from collections.abc import Sequence
from typing import Any

import numpy as np

ROWS_AT_ONCE = 1024


def frequent_ngrams(ids: Any, *, sizes: Sequence[int] = (1, 2), most: int = 50_000, least: int = 2) -> list[int]:
    """The codes of the most frequent n-grams of training rows, for `tfkit.layers.NgramEmbedding`.

    Args:
        ids: `(rows, time)`, integers; 0 is padding.
        sizes: Lengths of the n-grams.
        most: How many codes at most, the most frequent.
        least: In how many places an n-gram must stand; where none stands in so many, one is enough.

    Returns:
        Codes in `[0, 2**20)`, ascending.

    Example:
        >>> import numpy as np
        >>> len(frequent_ngrams(np.array([[5, 6, 7, 0], [5, 6, 0, 0]]), sizes=[1, 2]))  # 5, 6 and 5-6
        3
    """
    from tfkit.layers.ngrams import CODES, ngram_codes

    counts: np.ndarray = np.zeros(CODES, "int64")
    for start in range(0, len(ids), ROWS_AT_ONCE):
        some = np.asarray(ids[start : start + ROWS_AT_ONCE]).astype("int32")
        codes, there = (np.asarray(part) for part in ngram_codes(some, list(sizes)))
        counts += np.bincount(codes[there], minlength=CODES)
    often = np.flatnonzero(counts >= min(least, counts.max()))
    kept = often[np.argsort(-counts[often], kind="stable")][:most]
    return np.sort(kept).tolist()
