"""Section of a multilabel model: metrics of each tag, and how many tags rows have."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, ORANGE, Figure, Table, draw, legend
from tfkit.reporting.formatting import format_number, format_percent
from tfkit.reporting.run_results import RunResults

MAX_BARS = 20  # tags in the figure, the most frequent first

MAX_TAGS = 200  # rows of the table

MAX_NAME_CHARACTERS = 22


def multilabel(record: RunResults) -> list[Section]:
    """Return metrics of each tag, and the number of tags of test rows and of predictions."""
    if record.y_true is None:
        return []
    is_tag, is_predicted = record.y_true > 0, record.y_pred >= 0.5
    exact = float((is_tag == is_predicted).all(axis=1).mean())
    without = float((~is_predicted.any(axis=1)).mean())
    paragraphs = [
        "A tag is predicted if its probability is 0.5 or more. All tags are right in "
        f"{format_percent(exact)} of the test rows; {format_percent(without)} of them are predicted to have no tag. "
        f"Rows have {format_number(float(is_tag.sum(axis=1).mean()))} tags on average, predictions "
        f"{format_number(float(is_predicted.sum(axis=1).mean()))}."
    ]
    figures = [_precision_and_recall(record), _tags_per_row(is_tag, is_predicted)]
    return [Section("Errors", paragraphs, figures, [_tag_metrics(record)])]


def _frequent_tags(record: RunResults) -> list[tuple[str, dict[str, float]]]:
    tags = record.metrics.get("classes", {}).items()
    return sorted(tags, key=lambda item: -item[1]["support"])


def _precision_and_recall(record: RunResults) -> Figure:
    """Plot precision and recall of the most frequent tags."""
    tags = _frequent_tags(record)[:MAX_BARS]
    positions = np.arange(len(tags) - 1, -1, -1)

    def plot(axes: Any) -> None:
        for offset, name, color in ((0.18, "precision", BLUE), (-0.18, "recall", ORANGE)):
            values = [metrics.get(name, 0.0) for _, metrics in tags]
            axes.barh(positions + offset, values, 0.36, color=color, alpha=0.7, label=name)
        axes.set_yticks(positions, [tag[:MAX_NAME_CHARACTERS] for tag, _ in tags])
        axes.set_xlim(0, 1)
        axes.grid(axis="y", visible=False)
        legend(axes)

    description = f"precision and recall of the {len(tags)} most frequent tags of the test rows"
    return draw("Precision and recall of tags", description, plot, x="fraction", height=max(2.2, 0.28 * len(tags) + 1))


def _tags_per_row(is_tag: np.ndarray, is_predicted: np.ndarray) -> Figure:
    """Plot how many rows have how many tags."""
    numbers = [rows.sum(axis=1) for rows in (is_tag, is_predicted)]
    length = int(max(number.max() for number in numbers)) + 1
    true_counts, predicted_counts = (np.bincount(number, minlength=length) for number in numbers)
    positions = np.arange(length)

    def plot(axes: Any) -> None:
        axes.bar(positions - 0.2, true_counts, 0.4, color=BLUE, alpha=0.7, label="true")
        axes.bar(positions + 0.2, predicted_counts, 0.4, color=ORANGE, alpha=0.7, label="predicted")
        axes.set_xticks(positions)
        legend(axes)

    rows = [[int(n), int(a), int(b)] for n, a, b in zip(positions, true_counts, predicted_counts, strict=True)]
    table = Table("Test rows by number of tags", ["tags", "true", "predicted"], rows)
    return draw("Tags per row", "test rows by number of tags", plot, x="tags", y="rows", data=table, height=2.6)


def _tag_metrics(record: RunResults) -> Table:
    tags = _frequent_tags(record)
    rows = [
        [
            tag,
            format_number(metrics["support"]),
            *(format_number(metrics.get(n)) for n in ("precision", "recall", "f1")),
        ]
        for tag, metrics in tags[:MAX_TAGS]
    ]
    note = f"{len(tags) - MAX_TAGS:,} more tags are in metrics.json." if len(tags) > MAX_TAGS else ""
    return Table("Metrics per tag on the test set", ["tag", "rows", "precision", "recall", "F1"], rows, note)
