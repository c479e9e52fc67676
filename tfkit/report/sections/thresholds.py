"""From which probability on to say yes."""

import numpy as np

from tfkit.report.figures import DASHES, MUTED, SERIES, Table, draw, legend, thinned
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number, percent


def thresholds(record: Record) -> list[Section]:
    """Precision, recall and F1 at every threshold of the positive class, and the best for F1 and for a cost."""
    positive = record.info["target"].get("positive")
    if record.task != "binary" or positive is None:
        return []
    code = record.classes.index(str(positive))
    truth, value = record.truth == code, record.answer[:, code]
    if not 0 < truth.sum() < len(truth):
        return []
    cost = float(record.options.get("cost") or 1.0)
    cuts, hits, told = at_every_threshold(truth, value)
    precision, recall = hits / told, hits / truth.sum()
    f1 = 2 * hits / (told + truth.sum())
    costs = (told - hits) + cost * (truth.sum() - hits)
    best, cheap = int(f1.argmax()), int(costs.argmin())
    half = int(np.searchsorted(-cuts, -0.5, side="right")) - 1
    known = thinned(len(cuts), 200)

    def paint(axes):  # type: ignore[no-untyped-def]
        for (name, line), colour, dash in zip(
            (("precision", precision), ("recall", recall), ("F1", f1)), SERIES, DASHES, strict=False
        ):
            axes.plot(cuts[known], line[known], ls=dash, color=colour, label=name)
        axes.axvline(cuts[best], color=MUTED, lw=1, ls=":")
        axes.annotate(
            f"best F1: {number(float(cuts[best]))}",
            (cuts[best], 0.02),
            (4, 0),
            textcoords="offset points",
            fontsize=8.5,
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.03)
        legend(axes, ncols=3)

    rows = [
        [
            what,
            number(float(cuts[i])),
            percent(precision[i]),
            percent(recall[i]),
            number(float(f1[i])),
            number(float(costs[i])),
        ]
        for what, i in (("as it is", max(half, 0)), ("best F1", best), ("least cost", cheap))
    ]
    table = Table(
        f"Thresholds for {positive}",
        ["", "from", "precision", "recall", "F1", "cost"],
        rows,
        f"A miss costs {number(cost)} times a false alarm; another cost: tfkit report RUN --cost 5. Chosen "
        "on the test rows: on new rows it will be a little worse.",
    )
    figure = draw(
        f"Score against threshold for {positive}",
        f"F1 is best, {number(float(f1[best]))}, where "
        f"{positive} is said from a probability of {number(float(cuts[best]))} on",
        paint,
        x=f"{positive} from this probability on",
        numbers=table,
    )
    words = [
        f"For F1 say {positive} from a probability of {number(float(cuts[best]))} on: {number(float(f1[best]))} "
        f"instead of {number(float(f1[max(half, 0)]))} at 0.5. Where a miss costs {number(cost)} times a false "
        f"alarm, from {number(float(cuts[cheap]))} on."
    ]
    return [Section("From which probability on to say yes", words, [figure], [table])]


def at_every_threshold(truth: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every probability that occurs, falling, with the rows found and the rows told from it on.

    Example:
        >>> cuts, hits, told = at_every_threshold(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
        >>> cuts.tolist(), hits.tolist(), told.tolist()
        ([0.9, 0.5], [1, 2], [1, 3])
    """
    order = np.argsort(-value, kind="stable")
    hits, cuts = np.cumsum(truth[order]), value[order]
    last = np.r_[np.diff(cuts) != 0, True]
    return cuts[last], hits[last], (np.arange(len(value)) + 1)[last]
