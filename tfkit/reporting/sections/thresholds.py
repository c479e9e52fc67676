"""Decision threshold section: precision, recall and F1 at every threshold."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import DASHES, MUTED, SERIES, Table, draw, evenly_spaced_indices, legend
from tfkit.reporting.formatting import format_number, format_percent
from tfkit.reporting.run_results import RunResults


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
    cuts, hits, predicted = threshold_curve(y_true, y_score)
    precision, recall = hits / predicted, hits / y_true.sum()
    f1 = 2 * hits / (predicted + y_true.sum())
    costs = (predicted - hits) + cost * (y_true.sum() - hits)
    best_f1, lowest_cost = int(f1.argmax()), int(costs.argmin())
    default = max(int(np.searchsorted(-cuts, -0.5, side="right")) - 1, 0)
    plotted = evenly_spaced_indices(len(cuts), 200)

    def plot(axes: Any) -> None:
        for (name, line), color, dash in zip(
            (("precision", precision), ("recall", recall), ("F1", f1)), SERIES, DASHES, strict=False
        ):
            axes.plot(cuts[plotted], line[plotted], ls=dash, color=color, label=name)
        axes.axvline(cuts[best_f1], color=MUTED, lw=1, ls=":")
        axes.annotate(
            f"best F1: {format_number(cuts[best_f1])}",
            (cuts[best_f1], 0.02),
            (4, 0),
            textcoords="offset points",
            fontsize=8.5,
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.03)
        legend(axes, ncols=3)

    rows = [
        [
            name,
            format_number(cuts[i]),
            format_percent(precision[i]),
            format_percent(recall[i]),
            format_number(f1[i]),
            format_number(costs[i]),
        ]
        for name, i in (("default", default), ("best F1", best_f1), ("lowest cost", lowest_cost))
    ]
    table = Table(
        f"Thresholds for {positive}",
        ["", "threshold", "precision", "recall", "F1", "cost"],
        rows,
        f"A false negative costs {format_number(cost)} times a false positive; for another cost: tfkit report RUN "
        "--false-negative-cost 5. These thresholds were chosen on the test set; scores on new data will be slightly "
        "worse.",
    )
    figure = draw(
        f"Scores by threshold for {positive}",
        f"F1 is highest, {format_number(f1[best_f1])}, at a threshold of {format_number(cuts[best_f1])} for {positive}",
        plot,
        x=f"threshold for {positive}",
        data=table,
    )
    paragraphs = [
        f"A threshold of {format_number(cuts[best_f1])} for {positive} maximizes F1 ({format_number(f1[best_f1])}; "
        f"{format_number(f1[default])} at the default 0.5). If a false negative costs {format_number(cost)} times a "
        f"false positive, a threshold of {format_number(cuts[lowest_cost])} minimizes the cost."
    ]
    return [Section("Decision threshold", paragraphs, [figure], [table])]


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
