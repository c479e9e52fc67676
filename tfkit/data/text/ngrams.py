"""Select frequent n-grams of token ids, and fit linear models on their counts."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.text.metadata import NgramVocabulary, TextMetadata
from tfkit.datasets.array import ArrayDataset

if TYPE_CHECKING:
    from scipy import sparse

CHUNK_ROWS = 1024  # rows processed at a time

INVERSE_REGULARIZATION = 30.0  # C of the logistic regression, and 1 / alpha of the ridge regression


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


def fit_ngram_classifier(train: ArrayDataset, metadata: TextMetadata) -> Callable[[Mapping[str, Any]], Any]:
    """Fit logistic or ridge regression on n-grams; return it as frozen layers.

    Logistic regression for classes, ridge regression for a number. The model is linear in the sums that
    `tfkit.layers.NgramEmbedding` computes, with one weight per n-gram and class. scikit-learn solves it (C=30, at most
    200 iterations); sample weights are used. Adam changes the weights of rare n-grams as much as those of frequent
    ones, and soon overfits the training rows; this solution does not, and is therefore as good as TF-IDF where texts
    are few.

    Args:
        train: Rows whose x are ids `(rows, time)` for each name in `metadata.ngrams`.
        metadata: Its `ngrams` are the features, its `target` is predicted.

    Returns:
        A function from a dictionary of symbolic ids to logits `(batch, classes)`, or values `(batch, 1)`.
    """
    import keras

    from tfkit.layers import NgramEmbedding

    x, y, weight = train.take(np.arange(len(train)))
    ngrams, classes = metadata.ngrams, metadata.target.classes
    features = [_ngram_features(x[name], vocabulary) for name, vocabulary in ngrams.items()]
    kernel, bias = _fit_linear(features, np.asarray(y).ravel(), weight, classes)
    boundaries = np.cumsum([len(vocabulary.ngrams) for vocabulary in ngrams.values()])[:-1]
    tables = dict(zip(ngrams, np.split(kernel, boundaries), strict=True))
    frozen = {"trainable": False, "dtype": "float32"}
    output_layer = keras.layers.Dense(len(bias), kernel_initializer="identity", name="solved", **frozen)

    def apply(inputs: Mapping[str, Any]) -> Any:
        terms = []
        for name, table in tables.items():
            layer = NgramEmbedding(**ngrams[name].model_dump(), dim=len(bias), name=f"solved_{name}", **frozen)
            terms.append(layer(inputs[name]))
            layer.table.assign(table)
        outputs = output_layer(keras.layers.Add(dtype="float32")(terms) if len(terms) > 1 else terms[0])
        output_layer.bias.assign(bias)
        return outputs

    return apply


def _ngram_features(ids: Any, vocabulary: NgramVocabulary) -> "sparse.csr_matrix":
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


def _fit_linear(
    features: list["sparse.csr_matrix"], y: np.ndarray, weight: Any, classes: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Fit kernel `(n-grams, outputs)` and bias `(outputs,)`.

    Classes that are not in the training rows get the logit -30.
    """
    import warnings

    from scipy import sparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    x, weight = sparse.hstack(features).tocsr(), None if weight is None else np.asarray(weight)
    if not classes:
        ridge = Ridge(alpha=1 / INVERSE_REGULARIZATION, solver="lsqr", tol=1e-6).fit(x, y, sample_weight=weight)
        return ridge.coef_[:, None], np.array([ridge.intercept_])
    kernel, bias = np.zeros((x.shape[1], len(classes))), np.full(len(classes), -30.0)
    present = np.unique(y)
    if len(present) == 1:
        bias[present] = 0.0
        return kernel, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=200).fit(x, y, sample_weight=weight)
    if len(present) == 2:
        kernel[:, present], bias[present] = model.coef_.T * [-0.5, 0.5], model.intercept_ * [-0.5, 0.5]
    else:
        kernel[:, present], bias[present] = model.coef_.T, model.intercept_
    return kernel, bias
