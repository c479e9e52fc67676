"""Metrics of the multilabel task: of the predicted tags, of their ranking, of the probabilities.

`y_true` is `(rows, tags)` of 0 and 1, `y_pred` the probability of each tag; a tag is predicted from 0.5.
"""

import numpy as np

from tfkit.metadata import Metadata
from tfkit.tasks.classification_metrics import roc_auc_and_average_precision
from tfkit.tasks.weighted_sums import Metric, finite_mean, ratio

THRESHOLD = 0.5  # probability from which a tag is predicted


def tag_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> Metric:
    """Create precision, recall and F1: of all tags together (micro), and as the mean over tags (macro).

    `exact_match` is the fraction of rows with all tags right (scikit-learn's `accuracy_score`), `hamming_loss` the
    fraction of wrong tags.
    """
    is_tag, is_predicted = y_true > 0, y_pred >= THRESHOLD
    hits, wrong = (is_tag & is_predicted).T.astype("float64"), is_tag != is_predicted
    counts = hits, is_predicted.T.astype("float64"), is_tag.T.astype("float64")
    is_exact, wrong_share = ~wrong.any(axis=1), wrong.mean(axis=1)

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, predicted, support = (count @ weights for count in counts)
        total, values = weights.sum(0), {}
        numerators = {"precision": (hits, predicted), "recall": (hits, support), "f1": (2 * hits, predicted + support)}
        for name, (numerator, denominator) in numerators.items():
            is_defined = predicted + support > 0
            values[f"{name}_micro"] = ratio(numerator.sum(0), denominator.sum(0), is_defined.any(axis=0))
            values[f"{name}_macro"] = finite_mean(ratio(numerator, denominator, is_defined))
        return values | {
            "exact_match": ratio(is_exact @ weights, total),
            "hamming_loss": ratio(wrong_share @ weights, total),
        }

    return metric


def ranking_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> Metric:
    """Create ROC AUC and average precision as means over tags, and label ranking average precision over rows.

    The latter is that of scikit-learn: for each tag of a row, the fraction of the tags ranked at least as high that are
    tags of the row, too; 1 for a row without tags, or with all.
    """
    has_both = [code for code in range(y_true.shape[1]) if 0 < y_true[:, code].sum() < len(y_true)]
    per_tag = [roc_auc_and_average_precision(y_pred[:, code], y_true[:, code] > 0) for code in has_both]
    ranking = _label_ranking_average_precision(y_true > 0, y_pred)

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        pairs = np.array([tag_metric(weights) for tag_metric in per_tag]).reshape(-1, 2, weights.shape[1])
        return {
            "roc_auc": finite_mean(pairs[:, 0]),
            "average_precision": finite_mean(pairs[:, 1]),
            "label_ranking_average_precision": ratio(ranking @ weights, weights.sum(0)),
        }

    return metric


def _label_ranking_average_precision(is_tag: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """The label ranking average precision of each row, `(rows,)`."""
    order = np.argsort(-y_pred, axis=1, kind="stable")
    sorted_scores, sorted_tags = np.take_along_axis(y_pred, order, 1), np.take_along_axis(is_tag, order, 1)
    # The rank of a tied score is that of the last of its group: positions are filled from the right.
    ends_group = np.c_[np.diff(sorted_scores, axis=1) != 0, np.ones(len(y_pred), bool)]
    positions = np.where(ends_group, np.arange(1, y_pred.shape[1] + 1), y_pred.shape[1] + 1)
    rank = np.minimum.accumulate(positions[:, ::-1], axis=1)[:, ::-1]
    above = np.take_along_axis(np.cumsum(sorted_tags, axis=1), rank - 1, 1)
    precision = ratio((sorted_tags * above / rank).sum(1), sorted_tags.sum(1))
    is_trivial = ~is_tag.any(axis=1) | is_tag.all(axis=1)
    return np.where(is_trivial, 1.0, precision)


def probability_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> Metric:
    """Create the log loss: the mean binary cross-entropy over tags."""
    losses = tag_losses(y_true, y_pred).mean(axis=1)

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"log_loss": ratio(losses @ weights, weights.sum(0))}

    return metric


def tag_losses(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """The binary cross-entropy of each tag of each row, `(rows, tags)`."""
    eps = np.finfo(y_pred.dtype).eps if y_pred.dtype.kind == "f" else 1e-7
    probability = np.clip(np.where(y_true > 0, y_pred, 1 - y_pred), eps, 1)
    return -np.log(probability.astype("float64"))
