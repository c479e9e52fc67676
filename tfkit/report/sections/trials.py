"""What further trainings told, where they were asked for."""

import numpy as np

from tfkit.report.figures import INK, MUTED, ONE, Table, draw, in_powers
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number, span, spoken
from tfkit.scores import headline


def more_rows(record: Record) -> list[Section]:
    """Whether more rows would help: the score at a quarter, a half and all of them."""
    told = record.evidence.get("more_rows")
    if not told:
        return []
    name, mode = headline(record.task)
    sign = 1 if mode == "max" else -1
    low, high = sorted(sign * end for end in told[-2]["gained"]) if told[-2]["gained"] else (0.0, 0.0)
    if low > 0:
        words = (
            f"More rows would most likely help: from half of them to all {spoken(name)} got better by {number(low)} to "
        )
        words += f"{number(high)} (95% interval, on the same test rows)."
    elif high < 0:
        words = f"All rows were no better than half of them, but worse by {number(-high)} to {number(-low)}."
    else:
        words = "More rows of the same kind would hardly help: from half of them to all nothing was gained that can be "
        words += f"told from chance ({number(low)} to {number(high)}, 95% interval, on the same test rows)."

    words += " Settings were the same, so fewer rows also meant fewer steps."

    def paint(axes):  # type: ignore[no-untyped-def]
        rows = [one["rows"] for one in told]
        for one in told:
            if one["interval"]:
                axes.plot([one["rows"]] * 2, one["interval"], color=MUTED, lw=1.2)
        axes.plot(rows, [one["score"] for one in told], "o-", color=ONE)
        in_powers(axes.xaxis)
        axes.set_xticks(rows, [number(one) for one in rows])

    rows = [[number(one["rows"]), number(one["score"]), span(one["interval"]), span(one["gained"])] for one in told]
    head = ["training rows", spoken(name), "95% interval", "all rows less these, 95%"]
    numbers = Table("Score by training rows", head, rows)
    says = f"{spoken(name)} at a quarter, a half and all of the training rows"
    figure = draw(f"{spoken(name)} by training rows", says, paint, x="training rows", y=spoken(name), numbers=numbers)
    return [Section("Would more rows help?", [words], [figure])]


def rate(record: Record) -> list[Section]:
    """What the finder of the learning rate saw."""
    told = record.evidence.get("finder")
    if not told:
        return []
    losses = np.array([np.nan if loss is None else loss for loss in told["losses"]])
    used = record.config.get("learning_rate")

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.plot(told["rates"], losses, color=ONE)
        in_powers(axes.xaxis)
        axes.axvline(told["suggestion"], color=INK, lw=1, ls="--")
        if isinstance(used, float):
            axes.axvline(used, color=MUTED, lw=1, ls=":")
        axes.set_ylim(top=float(np.nanmedian(losses) * 2))

    words = f"The rate was raised step by step from {number(told['low'])}; the finder suggests "
    words += f"{number(told['suggestion'])} (dashed), training used {number(used)} (dotted)."
    rows = [[number(one), number(loss)] for one, loss in zip(told["rates"], told["losses"], strict=True)]
    figure = draw(
        "Loss by learning rate",
        words.rstrip("."),
        paint,
        x="learning rate",
        y="loss, smoothed",
        numbers=Table("Loss by learning rate", ["rate", "loss"], rows),
    )
    return [Section("Does the learning rate fit?", [words], [figure])]
