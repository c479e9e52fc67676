"""What a network that reads must beat: TF-IDF of words and characters with a linear model, which is hard to beat."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.baselines.tables import Split, constant

log = logging.getLogger("tfkit")

BLOCK = 65_536  # rows taken at once
TEXTS = 100_000  # training texts that it is fitted on, at most
STRENGTH = 10.0  # C of the logistic regression: TF-IDF is small, so less shrinking than usual is best
MOST = 100_000  # n-grams of each kind


def tfidf(train: Split, test: Split, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Answer with logistic regression (C=10), or ridge regression for a number, on TF-IDF of n-grams.

    N-grams of one and two words and of two to five characters inside words, or of one to four characters where the
    network reads characters, sublinear, the 100,000 most frequent of each. Texts are read to the same character as the
    network reads them. Fitting stops after 200 steps, converged or not.

    Example:
        >>> import numpy as np, tfkit
        >>> texts = np.array([["good"], ["bad"]] * 20, object)
        >>> rows = tfkit.Rows(np.zeros(40), np.array([1, 0] * 20), raw={"text": texts})
        >>> info = {"task": "binary", "length": 100, "target": {"classes": ["no", "yes"], "positive": "yes"}}
        >>> tfidf(rows, rows, info).argmax(axis=1)[:4]
        array([1, 0, 1, 0])
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    (texts, y, weight), (asked, _, _) = _rows(train, info, most=TEXTS), _rows(test, info)
    numbers, target = info["task"] == "regression", info["target"]
    if not numbers and len(np.unique(y)) < 2:
        return constant(train, test, info, seed=seed)
    design = _design(info.get("tokens"))
    model = Ridge() if numbers else LogisticRegression(C=STRENGTH, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(design.fit_transform(texts), y, sample_weight=weight)
    rows = design.transform(asked)
    if numbers:
        return model.predict(rows) * target["scale"] + target["mean"]
    answer = np.zeros((len(asked), len(target["classes"])))
    answer[:, model.classes_] = model.predict_proba(rows)
    return answer


def _design(tokens: str | None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    same = {"sublinear_tf": True, "max_features": MOST, "dtype": np.float32}
    if tokens == "characters":  # a clause passes for a word there, and a character is one
        return TfidfVectorizer(ngram_range=(1, 4), analyzer="char", **same)
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+|[^\w\s]", **same),
        TfidfVectorizer(ngram_range=(2, 5), analyzer="char_wb", **same),
    )


def _rows(split: Split, info: Mapping[str, Any], most: int | None = None) -> tuple[list[str], Any, Any]:
    """Texts as far as the network reads them, targets, weights; of more than `most` some that are drawn by chance."""
    numbers = np.arange(len(split))
    if most is not None and len(split) > most:
        log.info("Baselines are fitted on %s of %s training rows, drawn by chance", f"{most:,}", f"{len(split):,}")
        numbers = np.sort(np.random.default_rng(0).choice(len(split), most, replace=False))
    blocks = [split.take(numbers[start : start + BLOCK])[1:] for start in range(0, len(numbers), BLOCK)]
    y, weight = (None if part[0] is None else np.concatenate(part) for part in zip(*blocks, strict=True))
    [texts] = split.raw(numbers).values()  # type: ignore[attr-defined]
    return [" ".join(text.split())[: info["length"]] for text in texts[:, 0]], y, weight
