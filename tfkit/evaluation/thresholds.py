"""Decision thresholds of two classes: scores at each threshold, and the threshold with the lowest cost."""

from typing import NamedTuple

import numpy as np


class ThresholdScores(NamedTuple):
    """Scores at every distinct threshold, in descending order; each array is `(thresholds,)`."""

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    costs: np.ndarray

    def position(self, threshold: float) -> int | None:
        """The index of the lowest of the thresholds that gives the same predictions; None if no row is positive."""
        count = int(np.searchsorted(-self.thresholds, -threshold, side="right"))
        return count - 1 if count else None


def threshold_scores(y_true: np.ndarray, y_score: np.ndarray, false_negative_cost: float = 1.0) -> ThresholdScores:
    """Compute the scores at every distinct threshold.

    Args:
        y_true: Whether each row is positive, `(rows,)`; at least one is.
        y_score: Probability of the positive class, `(rows,)`.
        false_negative_cost: Cost of a false negative in false positives.

    Example:
        >>> scores = threshold_scores(np.array([True, False, True]), np.array([0.9, 0.5, 0.2]), 2.0)
        >>> scores.thresholds.tolist(), scores.recall.tolist(), scores.costs.tolist()
        ([0.9, 0.5, 0.2], [0.5, 0.5, 1.0], [2.0, 3.0, 1.0])
    """
    cuts, hits, predicted = threshold_curve(y_true, y_score)
    misses = y_true.sum() - hits
    return ThresholdScores(
        cuts,
        precision=hits / predicted,
        recall=hits / y_true.sum(),
        f1=2 * hits / (predicted + y_true.sum()),
        costs=(predicted - hits) + false_negative_cost * misses,
    )


def threshold_curve(y_true: np.ndarray, y_score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count true positives and predicted positives at every distinct threshold.

    Args:
        y_true: Whether each row is positive, `(rows,)`.
        y_score: Probability of the positive class, `(rows,)`.

    Returns:
        Thresholds in descending order, true positives and predicted positives, each `(thresholds,)`.

    Example:
        >>> cuts, hits, predicted = threshold_curve(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
        >>> cuts.tolist(), hits.tolist(), predicted.tolist()
        ([0.9, 0.5], [1, 2], [1, 3])
    """
    order = np.argsort(-y_score, kind="stable")
    hits, cuts = np.cumsum(y_true[order]), y_score[order]
    last = np.r_[np.diff(cuts) != 0, True]
    return cuts[last], hits[last], (np.arange(len(y_score)) + 1)[last]
