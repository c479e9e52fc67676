"""Which n-grams there are in training rows, often enough to be learnt, and what they say by themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ROWS_AT_ONCE = 1024
STRENGTH = 30.0  # C of the logistic regression, and 1 / alpha of the ridge regression


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


def solved_ngrams(train: Any, info: Mapping[str, Any]) -> Any:
    """Logistic regression on the n-grams of training rows, ridge regression for a number: layers that are not trained.

    Linear in the same sums as `tfkit.layers.NgramEmbedding` gives, with a vector of one number a class; solved by
    scikit-learn (C=30, in at most 200 steps), weights of rows included. Steps of Adam move rare n-grams as far as
    frequent ones and soon know the training rows by heart; what is solved does not, which is why it is as good as
    TF-IDF where texts are few.

    Args:
        train: Rows whose x are ids `(rows, time)` for each name in `info["ngrams"]`.
        info: Has `ngrams`, for each name its `sizes` and `ngrams`, and `target`.

    Returns:
        A function from a dictionary of symbolic ids to logits `(batch, classes)`, or values `(batch, 1)`.
    """
    import keras

    from tfkit.layers import NgramEmbedding

    x, y, weight = train.take(np.arange(len(train)))
    told, classes = info["ngrams"], info["target"]["classes"]
    kernel, bias = _solve([_shares(x[name], **told[name]) for name in told], np.asarray(y).ravel(), weight, classes)
    cuts = np.cumsum([len(one["ngrams"]) for one in told.values()])[:-1]
    tables = dict(zip(told, np.split(kernel, cuts), strict=True))
    same = {"trainable": False, "dtype": "float32"}
    last = keras.layers.Dense(len(bias), kernel_initializer="identity", name="solved", **same)

    def answer(inputs: Any) -> Any:
        parts = []
        for name, table in tables.items():
            layer = NgramEmbedding(**told[name], dim=len(bias), name=f"solved_{name}", **same)
            parts.append(layer(inputs[name]))
            layer.table.assign(table)
        said = last(keras.layers.Add(dtype="float32")(parts) if len(parts) > 1 else parts[0])
        last.bias.assign(bias)
        return said

    return answer


def _shares(ids: Any, ngrams: list[int], sizes: list[int]) -> Any:
    """How often each told n-gram stands in each row, over the root of how many do: a sparse matrix."""
    from scipy import sparse

    from tfkit.layers.ngrams import CODES, ngram_codes

    places: np.ndarray = np.full(CODES, -1, "int32")
    places[ngrams] = np.arange(len(ngrams))
    rows: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    for start in range(0, len(ids), ROWS_AT_ONCE):
        some = np.asarray(ids[start : start + ROWS_AT_ONCE]).astype("int32")
        codes, there = (np.asarray(part) for part in ngram_codes(some, sizes))
        found = places[codes]
        row, place = np.nonzero(there & (found >= 0))
        rows.append(row + start)
        columns.append(found[row, place])
    at = np.concatenate(rows), np.concatenate(columns)
    counts = sparse.coo_matrix((np.ones(len(at[0]), "float32"), at), shape=(len(ids), len(ngrams))).tocsr()
    return sparse.diags(1 / np.sqrt(np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1))) @ counts


def _solve(parts: list[Any], y: np.ndarray, weight: Any, classes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Kernel `(n-grams, answers)` and bias `(answers,)`."""
    import warnings

    from scipy import sparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    x, weight = sparse.hstack(parts).tocsr(), None if weight is None else np.asarray(weight)
    if not classes:
        ridge = Ridge(alpha=1 / STRENGTH, solver="lsqr", tol=1e-6).fit(x, y, sample_weight=weight)
        return ridge.coef_[:, None], np.array([ridge.intercept_])
    kernel, bias = np.zeros((x.shape[1], len(classes))), np.full(len(classes), -30.0)
    there = np.unique(y)
    if len(there) == 1:
        bias[there] = 0.0
        return kernel, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solved = LogisticRegression(C=STRENGTH, max_iter=200).fit(x, y, sample_weight=weight)
    if len(there) == 2:
        kernel[:, there], bias[there] = solved.coef_.T * [-0.5, 0.5], solved.intercept_ * [-0.5, 0.5]
    else:
        kernel[:, there], bias[there] = solved.coef_.T, solved.intercept_
    return kernel, bias
