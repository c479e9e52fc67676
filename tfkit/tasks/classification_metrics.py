"""Metrics of a classification: of the predicted class, of the ranking, of the probabilities."""

from collections.abc import Callable

import numpy as np

from tfkit.metadata import Metadata
from tfkit.tasks.weighted_sums import Metric, finite_mean, group_sums, ratio

CALIBRATION_BINS = 15  # bins of the expected calibration error, as in Guo et al.


def class_counts(y_true: np.ndarray, y_pred: np.ndarray) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return functions that count true positives, predictions and support.

    Each takes weights `(rows, samples)` and returns `(classes, samples)`.
    """
    predicted, num = y_pred.argmax(1), y_pred.shape[1]
    return [group_sums(y_true, num, y_true == predicted), group_sums(predicted, num), group_sums(y_true, num)]


def class_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> Metric:
    """Create the metrics of the predicted class: accuracy, precision, recall, F1."""
    sums, positive = class_counts(y_true, y_pred), metadata.target.positive_code

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, predicted, support = (add(weights) for add in sums)
        is_defined, total = predicted + support > 0, support.sum(0)
        values = {
            "accuracy": ratio(hits.sum(0), total),
            "balanced_accuracy": finite_mean(ratio(hits, support, support > 0)),
        }
        per_class = {"precision": ratio(hits, predicted, is_defined), "recall": ratio(hits, support, is_defined)}
        per_class["f1"] = ratio(2 * hits, predicted + support, is_defined)
        for name, value in per_class.items():
            values[name] = finite_mean(value) if positive is None else value[positive]
        if positive is not None:  # without rows, recall counts as 0 in a mean, but is undefined for a single class
            values["recall"] = np.where(support[positive] > 0, values["recall"], np.nan)
        values |= {f"{name}_macro": finite_mean(value) for name, value in per_class.items()}
        return values | {f"{name}_weighted": ratio(np.nansum(v * support, 0), total) for name, v in per_class.items()}

    return metric


def ranking_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> Metric:
    """Create the ranking metrics: ROC AUC, average precision."""
    positive = metadata.target.positive_code
    codes = [code for code in np.unique(y_true) if positive is None or code == positive]
    per_class = [roc_auc_and_average_precision(y_pred[:, code], y_true == code) for code in codes]

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        pairs = np.array([class_metric(weights) for class_metric in per_class]).reshape(-1, 2, weights.shape[1])
        return {"roc_auc": finite_mean(pairs[:, 0]), "average_precision": finite_mean(pairs[:, 1])}

    return metric


def roc_auc_and_average_precision(
    y_score: np.ndarray, is_positive: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Create ROC AUC and average precision of one class; tied scores are one group."""
    order = np.argsort(-y_score, kind="stable")
    starts_tie = np.r_[True, np.diff(y_score[order]) != 0]
    has_positive = np.logical_or.reduceat(is_positive[order], np.flatnonzero(starts_tie))
    # Neighboring ties without a positive row change neither metric: merging them makes rare classes cheap.
    group = (np.cumsum(np.r_[True, has_positive[1:] | has_positive[:-1]]) - 1)[np.cumsum(starts_tie) - 1]
    groups = np.empty_like(group)
    groups[order] = group
    add_positive, add_negative = (group_sums(groups, group[-1] + 1, rows) for rows in (is_positive, ~is_positive))

    def metric(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, n = add_positive(weights), add_negative(weights)
        tp, fp = np.cumsum(p, 0), np.cumsum(n, 0)
        precision = ratio(p * tp, tp + fp, tp >= 0).sum(0)
        above = ratio((p * (fp - n / 2)).sum(0), tp[-1] * fp[-1])
        return 1 - above, ratio(precision, tp[-1])

    return metric


def probability_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> Metric:
    """Create the metrics of the probabilities: log loss, expected calibration error."""
    eps, rows = np.finfo(y_pred.dtype).eps, np.arange(len(y_true))  # clipped by its dtype, as in scikit-learn
    loss = -np.log(np.clip(y_pred[rows, y_true], eps, 1 - eps).astype("float64"))
    confidence = y_pred.max(1).astype("float64")
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS) - 1, 0, CALIBRATION_BINS - 1).astype(int)
    gaps = np.zeros((CALIBRATION_BINS, len(y_true)))
    gaps[bins, rows] = (y_pred.argmax(1) == y_true) - confidence

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(0)
        calibration = np.abs(gaps @ weights).sum(0)
        return {"log_loss": ratio(loss @ weights, total), "expected_calibration_error": ratio(calibration, total)}

    return metric
