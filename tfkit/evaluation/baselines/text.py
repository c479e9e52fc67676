"""Baseline of texts: a linear model on TF-IDF of word and character n-grams."""

import logging
import warnings
from typing import Any

import numpy as np

from tfkit.evaluation.baselines.table import Split
from tfkit.metadata import Metadata
from tfkit.tasks.registry import get_task

log = logging.getLogger("tfkit")

CHUNK_ROWS = 65_536  # rows read at once

MAX_TEXTS = 100_000  # training texts

INVERSE_REGULARIZATION = 10.0  # C of logistic regression; TF-IDF values are small, so less regularization is better

MAX_NGRAMS = 100_000  # n-grams of each vectorizer


def tfidf(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Fit logistic regression (C=10), or ridge regression, on TF-IDF.

    N-grams are 1 to 2 words and 2 to 5 characters inside words; or 1 to 4 characters if the network reads characters.
    Term frequencies are sublinear. Each vectorizer uses the 100,000 most frequent n-grams. Texts are truncated to the
    same number of characters as for the network. Fitting stops after 200 iterations, converged or not.

    Example:
        >>> from tfkit.metadata import Target
        >>> import numpy as np, tfkit
        >>> texts = np.array([["good"], ["bad"]] * 20, object)
        >>> rows = tfkit.ArrayDataset(np.zeros(40), np.array([1, 0] * 20), raw={"text": texts})
        >>> metadata = Metadata(target=Target(task="classification", classes=["no", "yes"]), length=100)
        >>> tfidf(rows, rows, metadata).argmax(axis=1)[:4]
        array([1, 0, 1, 0])
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    texts, y, weight = _load_texts(train, metadata, max_rows=MAX_TEXTS)
    test_texts, _, _ = _load_texts(test, metadata)
    vectorizer = _make_vectorizer(getattr(metadata, "tokenization", None))

    def make_classifier(y: np.ndarray, count: int) -> Any:
        return LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=200)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        x, task = vectorizer.fit_transform(texts), get_task(metadata.task)
        predict = task.fit_estimator(make_classifier, Ridge, x, y, weight, metadata)
    return predict(vectorizer.transform(test_texts))


def _make_vectorizer(tokens: str | None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    options = {"sublinear_tf": True, "max_features": MAX_NGRAMS, "dtype": np.float32}
    if tokens == "characters":  # there are no spaces between words
        return TfidfVectorizer(ngram_range=(1, 4), analyzer="char", **options)
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+|[^\w\s]", **options),
        TfidfVectorizer(ngram_range=(2, 5), analyzer="char_wb", **options),
    )


def _load_texts(split: Split, metadata: Metadata, max_rows: int | None = None) -> tuple[list[str], Any, Any]:
    """Load texts, targets and weights of all rows, or of `max_rows` random rows."""
    indices = np.arange(len(split))
    if max_rows is not None and len(split) > max_rows:
        log.info(
            "Baselines are fitted on a random sample of %s of %s training rows", f"{max_rows:,}", f"{len(split):,}"
        )
        indices = np.sort(np.random.default_rng(0).choice(len(split), max_rows, replace=False))
    chunks = [split.take(indices[start : start + CHUNK_ROWS])[1:] for start in range(0, len(indices), CHUNK_ROWS)]
    y, weight = (None if arrays[0] is None else np.concatenate(arrays) for arrays in zip(*chunks, strict=True))
    [texts] = split.raw_inputs(indices).values()  # type: ignore[attr-defined]
    return [" ".join(text.split())[: metadata.length] for text in texts[:, 0]], y, weight
