"""Sections on the learning curve and the learning rate range test."""

from typing import Any

import numpy as np

from tfkit.evaluation.comparison import primary_metric
from tfkit.reporting.document import Section
from tfkit.reporting.figures import INK, MUTED, ONE, Table, draw, log_axis
from tfkit.reporting.formatting import number, span, spoken
from tfkit.reporting.run_results import RunResults


def learning_curve(record: RunResults) -> list[Section]:
    """Return the score at a quarter, a half and all of the training rows, if measured."""
    points = record.analysis.get("learning_curve")
    if not points:
        return []
    name, mode = primary_metric(record.task)
    sign = 1 if mode == "max" else -1
    low, high = (
        sorted(sign * end for end in points[-2]["difference_to_all"]) if points[-2]["difference_to_all"] else (0.0, 0.0)
    )
    if low > 0:
        conclusion = (
            f"More training rows will probably help: from half of the rows to all rows, {spoken(name)} improved by "
            f"{number(low)} to {number(high)} (95% CI, paired, same test rows)."
        )
    elif high < 0:
        conclusion = (
            f"All rows gave a worse {spoken(name)} than half of them, by {number(-high)} to {number(-low)} (95% CI)."
        )
    else:
        conclusion = (
            f"More training rows of the same kind will probably not help: from half of the rows to all rows, "
            f"{spoken(name)} did not improve significantly ({number(low)} to {number(high)}, 95% CI, paired, same test "
            "rows)."
        )
    conclusion += " All settings were the same, so fewer rows also meant fewer training steps."

    def plot(axes: Any) -> None:
        counts = [point["rows"] for point in points]
        for point in points:
            if point["interval"]:
                axes.plot([point["rows"]] * 2, point["interval"], color=MUTED, lw=1.2)
        axes.plot(counts, [point["score"] for point in points], "o-", color=ONE)
        log_axis(axes.xaxis)
        axes.set_xticks(counts, [number(count) for count in counts])

    rows = [
        [number(point["rows"]), number(point["score"]), span(point["interval"]), span(point["difference_to_all"])]
        for point in points
    ]
    head = ["training rows", spoken(name), "95% interval", "difference to all rows, 95% interval"]
    numbers = Table("Score by training rows", head, rows)
    description = f"{spoken(name)} at a quarter, a half and all of the training rows"
    figure = draw(
        f"{spoken(name)} by training rows", description, plot, x="training rows", y=spoken(name), numbers=numbers
    )
    return [Section("Learning curve", [conclusion], [figure])]


def lr_range_test(record: RunResults) -> list[Section]:
    """Return the loss by learning rate of the learning rate range test, if measured."""
    finder = record.analysis.get("lr_range_test")
    if not finder:
        return []
    losses = np.array([np.nan if loss is None else loss for loss in finder["losses"]])
    learning_rate = record.config.get("learning_rate")

    def plot(axes: Any) -> None:
        axes.plot(finder["rates"], losses, color=ONE)
        log_axis(axes.xaxis)
        axes.axvline(finder["suggestion"], color=INK, lw=1, ls="--")
        if isinstance(learning_rate, float):
            axes.axvline(learning_rate, color=MUTED, lw=1, ls=":")
        axes.set_ylim(top=float(np.nanmedian(losses) * 2))

    summary = (
        f"The learning rate was increased step by step from {number(finder['low'])}. The test suggests "
        f"{number(finder['suggestion'])} (dashed); training used {number(learning_rate)} (dotted)."
    )
    rows = [[number(rate), number(loss)] for rate, loss in zip(finder["rates"], finder["losses"], strict=True)]
    figure = draw(
        "Loss by learning rate",
        summary.rstrip("."),
        plot,
        x="learning rate",
        y="loss, smoothed",
        numbers=Table("Loss by learning rate", ["learning rate", "loss"], rows),
    )
    return [Section("Learning rate range test", [summary], [figure])]
