"""Decision threshold section: precision, recall and F1 at every threshold."""

from typing import Any

from tfkit.console import program_name
from tfkit.evaluation.thresholds import ThresholdScores, threshold_scores
from tfkit.inference.decision import read_decision
from tfkit.reporting.document import Section
from tfkit.reporting.figures import DASHES, MUTED, SERIES, Table, draw, evenly_spaced_indices, legend
from tfkit.reporting.formatting import format_number, format_percent
from tfkit.reporting.run_results import RunResults

MAX_PLOTTED_THRESHOLDS = 200


def thresholds(record: RunResults) -> list[Section]:
    """Return precision, recall and F1 by threshold, and the best thresholds."""
    positive = record.metadata.target.positive_class
    if not record.metadata.target.is_binary or positive is None:
        return []
    code = record.classes.index(str(positive))
    y_true, y_score = record.y_true == code, record.y_pred[:, code]
    if not 0 < y_true.sum() < len(y_true):
        return []
    stored = read_decision(record.run) or {}
    cost = float(record.options.get("false_negative_cost") or stored.get("false_negative_cost") or 1.0)
    scores = threshold_scores(y_true, y_score, cost)
    best_f1, lowest_cost = int(scores.f1.argmax()), int(scores.costs.argmin())
    default = scores.position(0.5)
    best_threshold, cheapest = float(scores.thresholds[best_f1]), float(scores.thresholds[lowest_cost])
    table = Table(
        f"Thresholds for {positive}",
        ["", "threshold", "precision", "recall", "F1", "cost"],
        _rows(
            scores,
            {"default": 0.5, "best F1": best_threshold, "lowest cost": cheapest},
            cost_of_none=cost * float(y_true.sum()),
        ),
        f"A false negative costs {_times(cost)} a false positive. For another cost: "
        f"{program_name()} report {record.run.folder} --false-negative-cost 5; later predictions then use its "
        "threshold. These thresholds were chosen on the test set; scores on new data will be slightly worse.",
    )
    highest_f1 = format_number(scores.f1[best_f1])
    figure = draw(
        f"Scores by threshold for {positive}",
        f"F1 is highest, {highest_f1}, at a threshold of {format_number(best_threshold)} for {positive}",
        lambda axes: _plot(axes, scores, best_f1),
        x=f"threshold for {positive}",
        data=table,
    )
    paragraphs = [
        f"A threshold of {format_number(best_threshold)} for {positive} maximizes F1 ({highest_f1}; "
        f"{format_number(0.0 if default is None else float(scores.f1[default]))} at the default 0.5). If a false "
        f"negative costs {_times(cost)} a false positive, a threshold of {format_number(cheapest)} "
        "minimizes the cost."
    ]
    if stored:
        paragraphs.append(
            f"Predictions of this run use the threshold {format_number(stored['threshold'])}, stored for a false "
            f"negative that costs {format_number(stored['false_negative_cost'])} false positives."
        )
    return [Section("Decision threshold", paragraphs, [figure], [table])]


def _rows(scores: ThresholdScores, thresholds: dict[str, float], cost_of_none: float) -> list[list[str]]:
    """Format the scores at some thresholds as rows of a table; `cost_of_none` is that of no positive prediction."""
    rows = []
    for name, threshold in thresholds.items():
        i = scores.position(threshold)
        columns = (scores.precision, scores.recall, scores.f1, scores.costs)
        values = (0.0, 0.0, 0.0, cost_of_none) if i is None else tuple(float(column[i]) for column in columns)
        precision, recall, f1, cost = values
        texts = [format_percent(precision), format_percent(recall), format_number(f1), format_number(cost)]
        rows.append([name, format_number(threshold), *texts])
    return rows


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


def _times(cost: float) -> str:
    return "as much as" if cost == 1 else f"{format_number(cost)} times as much as"
