"""Fit a linear model on n-grams of texts with scikit-learn, and return it as layers."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfkit.data.text.metadata import TextMetadata
from tfkit.data.text.ngrams import ngram_features
from tfkit.datasets.array import ArrayDataset
from tfkit.tasks.registry import get_task

INVERSE_REGULARIZATION = 30.0  # C of the logistic regression, and 1 / alpha of the ridge regression


def fit_ngram_classifier(train: ArrayDataset, metadata: TextMetadata) -> Callable[[Mapping[str, Any]], Any]:
    """Fit logistic or ridge regression on n-grams; return it as frozen layers.

    Logistic regression for classes and for each tag, ridge regression for a number. The model is linear in the sums
    that `tfkit.layers.NgramEmbedding` computes, with one weight per n-gram and class. scikit-learn solves it (C=30, at
    most 200 iterations); sample weights are used. Adam changes the weights of rare n-grams as much as those of frequent
    ones, and soon overfits the training rows; this solution does not, and is therefore as good as TF-IDF where texts
    are few.

    Args:
        train: Rows whose x are ids `(rows, time)` for each name in `metadata.ngrams`.
        metadata: Its `ngrams` are the features, its `target` is predicted.

    Returns:
        A function from a dictionary of symbolic ids to model outputs `(batch, outputs)`: logits, or a value.
    """
    import keras
    from scipy import sparse
    from sklearn.exceptions import ConvergenceWarning

    from tfkit.layers import NgramEmbedding

    x, y, weight = train.take(np.arange(len(train)))
    ngrams = metadata.ngrams
    features = sparse.hstack([ngram_features(x[name], vocabulary) for name, vocabulary in ngrams.items()]).tocsr()
    weight = None if weight is None else np.asarray(weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        task = get_task(metadata.task)
        kernel, bias = task.fit_linear(_make_classifier, _make_regressor, features, np.asarray(y), weight, metadata)
    boundaries = np.cumsum([len(vocabulary.ngrams) for vocabulary in ngrams.values()])[:-1]
    tables = dict(zip(ngrams, np.split(kernel, boundaries), strict=True))
    frozen: dict[str, Any] = {"trainable": False, "dtype": "float32"}
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


def _make_classifier(y: np.ndarray, count: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=200)


def _make_regressor() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1 / INVERSE_REGULARIZATION, solver="lsqr", tol=1e-6)
