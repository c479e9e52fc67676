"""Sections on the learning curve and the learning rate range test."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, INK, MUTED, Table, draw, log_axis
from tfkit.reporting.formatting import display_name, format_interval, format_number
from tfkit.reporting.run_results import RunResults
from tfkit.tasks.primary_metric import primary_metric


def learning_curve(record: RunResults) -> list[Section]:
    """Return the score at a quarter, a half and all of the training rows, if measured."""
    points = record.analysis.get("learning_curve")
    if not points:
        return []
    name, mode = primary_metric(record.metadata)
    conclusion = _conclusion(display_name(name), points[-2]["difference_to_all"], mode)

    def plot(axes: Any) -> None:
        counts = [point["rows"] for point in points]
        for point in points:
            if point["interval"]:
                axes.plot([point["rows"]] * 2, point["interval"], color=MUTED, lw=1.2)
        axes.plot(counts, [point["score"] for point in points], "o-", color=BLUE)
        log_axis(axes.xaxis)
        axes.set_xticks(counts, [format_number(count) for count in counts])

    rows = [
        [
            format_number(point["rows"]),
            format_number(point["score"]),
            format_interval(point["interval"]),
            format_interval(point["difference_to_all"]),
        ]
        for point in points
    ]
    head = ["training rows", display_name(name), "95% interval", "difference to all rows, 95% interval"]
    table = Table("Score by training rows", head, rows)
    description = f"{display_name(name)} at a quarter, a half and all of the training rows"
    figure = draw(
        f"{display_name(name)} by training rows", description, plot, x="training rows", y=display_name(name), data=table
    )
    return [Section("Learning curve", [conclusion], [figure])]


def _conclusion(metric: str, interval: list[float] | None, mode: str) -> str:
    """Conclude whether more rows will help.

    Args:
        metric: Name of the metric.
        interval: Interval of the difference between all rows and half of them; None if unknown.
        mode: Whether the metric is best at its "min" or "max".
    """
    sign = 1 if mode == "max" else -1
    low, high = sorted(sign * end for end in interval) if interval else (0.0, 0.0)
    if low > 0:
        conclusion = (
            f"More training rows will probably help: from half of the rows to all rows, {metric} "
            f"improved by {format_number(low)} to {format_number(high)} (95% interval, paired, same test rows)."
        )
    elif high < 0:
        conclusion = (
            f"All rows gave a worse {metric} than half of them, by "
            f"{format_number(-high)} to {format_number(-low)} (95% interval)."
        )
    else:
        conclusion = (
            "More training rows of the same kind will probably not help: from half of the rows to all rows, "
            f"{metric} did not improve significantly ({format_number(low)} to {format_number(high)}, 95% "
            "CI, paired, same test rows)."
        )
    return f"{conclusion} All settings were the same, so fewer rows also meant fewer training steps."


def lr_range_test(record: RunResults) -> list[Section]:
    """Return the loss by learning rate of the learning rate range test, if measured."""
    finder = record.analysis.get("lr_range_test")
    if not finder:
        return []
    losses = np.array([np.nan if loss is None else loss for loss in finder["losses"]])
    learning_rate = record.config.get("learning_rate")

    def plot(axes: Any) -> None:
        axes.plot(finder["rates"], losses, color=BLUE)
        log_axis(axes.xaxis)
        axes.axvline(finder["suggestion"], color=INK, lw=1, ls="--")
        if isinstance(learning_rate, float):
            axes.axvline(learning_rate, color=MUTED, lw=1, ls=":")
        axes.set_ylim(top=float(np.nanmedian(losses) * 2))

    summary = (
        f"The learning rate was increased step by step from {format_number(finder['low'])}. The test suggests "
        f"{format_number(finder['suggestion'])} (dashed); training used {format_number(learning_rate)} (dotted)."
    )
    rows = [
        [format_number(rate), format_number(loss)] for rate, loss in zip(finder["rates"], finder["losses"], strict=True)
    ]
    figure = draw(
        "Loss by learning rate",
        summary.rstrip("."),
        plot,
        x="learning rate",
        y="loss, smoothed",
        data=Table("Loss by learning rate", ["learning rate", "loss"], rows),
    )
    return [Section("Learning rate range test", [summary], [figure])]
