"""Decision threshold section: precision, recall and F1 at every threshold."""

from typing import Any, NamedTuple

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import DASHES, MUTED, SERIES, Table, draw, evenly_spaced_indices, legend
from tfkit.reporting.formatting import format_number, format_percent
from tfkit.reporting.run_results import RunResults

MAX_PLOTTED_THRESHOLDS = 200


class ThresholdScores(NamedTuple):
    """Scores at every distinct threshold, in descending order; each array is `(thresholds,)`."""

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    costs: np.ndarray


def thresholds(record: RunResults) -> list[Section]:
    """Return precision, recall and F1 by threshold, and the best thresholds."""
    positive = record.metadata.target.positive_class
    if not record.metadata.target.is_binary or positive is None:
        return []
    code = record.classes.index(str(positive))
    y_true, y_score = record.y_true == code, record.y_pred[:, code]
    if not 0 < y_true.sum() < len(y_true):
        return []
    cost = float(record.options.get("false_negative_cost") or 1.0)
    scores = _threshold_scores(y_true, y_score, cost)
    best_f1, lowest_cost = int(scores.f1.argmax()), int(scores.costs.argmin())
    default = max(int(np.searchsorted(-scores.thresholds, -0.5, side="right")) - 1, 0)
    table = Table(
        f"Thresholds for {positive}",
        ["", "threshold", "precision", "recall", "F1", "cost"],
        _rows(scores, {"default": default, "best F1": best_f1, "lowest cost": lowest_cost}),
        f"A false negative costs {format_number(cost)} times a false positive; for another cost: tfkit report RUN "
        "--false-negative-cost 5. These thresholds were chosen on the test set; scores on new data will be slightly "
        "worse.",
    )
    best_threshold, highest_f1 = format_number(scores.thresholds[best_f1]), format_number(scores.f1[best_f1])
    figure = draw(
        f"Scores by threshold for {positive}",
        f"F1 is highest, {highest_f1}, at a threshold of {best_threshold} for {positive}",
        lambda axes: _plot(axes, scores, best_f1),
        x=f"threshold for {positive}",
        data=table,
    )
    paragraphs = [
        f"A threshold of {best_threshold} for {positive} maximizes F1 ({highest_f1}; "
        f"{format_number(scores.f1[default])} at the default 0.5). If a false negative costs {format_number(cost)} "
        f"times a false positive, a threshold of {format_number(scores.thresholds[lowest_cost])} minimizes the cost."
    ]
    return [Section("Decision threshold", paragraphs, [figure], [table])]


def _threshold_scores(y_true: np.ndarray, y_score: np.ndarray, false_negative_cost: float) -> ThresholdScores:
    """Compute the scores at every distinct threshold."""
    cuts, hits, predicted = threshold_curve(y_true, y_score)
    misses = y_true.sum() - hits
    return ThresholdScores(
        cuts,
        precision=hits / predicted,
        recall=hits / y_true.sum(),
        f1=2 * hits / (predicted + y_true.sum()),
        costs=(predicted - hits) + false_negative_cost * misses,
    )


def _rows(scores: ThresholdScores, indices: dict[str, int]) -> list[list[str]]:
    """Format the scores at some thresholds as rows of a table."""
    return [
        [
            name,
            format_number(scores.thresholds[i]),
            format_percent(float(scores.precision[i])),
            format_percent(float(scores.recall[i])),
            format_number(scores.f1[i]),
            format_number(scores.costs[i]),
        ]
        for name, i in indices.items()
    ]


def _plot(axes: Any, scores: ThresholdScores, best_f1: int) -> None:
    """Plot precision, recall and F1 by threshold."""
    cuts = scores.thresholds
    plotted = evenly_spaced_indices(len(cuts), MAX_PLOTTED_THRESHOLDS)
    lines = {"precision": scores.precision, "recall": scores.recall, "F1": scores.f1}
    for (name, line), color, dash in zip(lines.items(), SERIES, DASHES, strict=False):
        axes.plot(cuts[plotted], line[plotted], ls=dash, color=color, label=name)
    axes.axvline(cuts[best_f1], color=MUTED, lw=1, ls=":")
    text = f"best F1: {format_number(cuts[best_f1])}"
    axes.annotate(text, (cuts[best_f1], 0.02), (4, 0), textcoords="offset points", fontsize=8.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    legend(axes, ncols=3)


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
