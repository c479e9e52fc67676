"""How good, and compared with what."""

from tfkit.report.figures import INK, MUTED, ONE, Table, draw
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number, span, spoken
from tfkit.scores import headline

AVERAGED = ("_macro", "_weighted")  # scores that stand in metrics.json alone


def how_good(record: Record) -> list[Section]:
    """The scores beside the baselines."""
    metrics = record.metrics
    split = "test" if metrics.get("test") else "val"
    scores, baselines = metrics.get(split) or {}, metrics.get("baselines") or {}
    rows = [
        [
            spoken(name),
            number(value),
            span(metrics.get("intervals", {}).get(name)) if split == "test" else "",
            *(number(other.get(name)) for other in baselines.values()),
        ]
        for name, value in scores.items()
        if not name.endswith(AVERAGED)
    ]
    what = "test rows, seen once" if split == "test" else "validation rows; the test was left alone"
    head = ["score", "model", "95% interval", *map(spoken, baselines)]
    table = Table(f"Scores of the {what}", head, rows)
    return [Section("How good", [], _beside(record), [table] if rows else [])]


def _beside(record: Record) -> list:
    """The headline score of the model with its interval beside those of the baselines."""
    name, mode = headline(record.task)
    scores, others = record.metrics.get("test") or {}, record.metrics.get("baselines") or {}
    known = {word: each[name] for word, each in others.items() if name in each}
    if name not in scores or not known:
        return []
    interval = record.metrics["intervals"].get(name)
    points = {"model": scores[name], **dict(sorted(known.items(), key=lambda one: one[1], reverse=mode == "max"))}

    def paint(axes):  # type: ignore[no-untyped-def]
        places = range(len(points) - 1, -1, -1)
        if interval:
            axes.axvspan(*interval, color=ONE, alpha=0.15, lw=0)
            axes.plot(interval, [len(points) - 1] * 2, color=ONE, lw=3, solid_capstyle="round")
        colours = [ONE] + [INK] * len(known)
        axes.scatter(list(points.values()), list(places), c=colours, s=36, zorder=3)
        for (_, value), place in zip(points.items(), places, strict=True):
            axes.annotate(number(value), (value, place), (0, 7), textcoords="offset points", ha="center", fontsize=8.5)
        axes.set_yticks(list(places), [spoken(word) for word in points])
        axes.set_ylim(-0.6, len(points) - 0.3)
        axes.margins(x=0.15)
        axes.grid(axis="y", color=MUTED, alpha=0.15)

    better = "more is better" if mode == "max" else "less is better"
    says = f"{spoken(name)} of the model, {number(scores[name])}" + (f" ({span(interval)})" if interval else "")
    says += "; " + ", ".join(f"{spoken(word)} {number(value)}" for word, value in known.items()) + f"; {better}"
    rows = [[spoken(word), number(value)] for word, value in points.items()]
    table = Table(f"{spoken(name)} of the test rows", ["", spoken(name)], rows)
    return [
        draw(
            f"{spoken(name)}: model and baselines",
            says,
            paint,
            numbers=table,
            x=f"{spoken(name)} ({better})",
            height=1.3 + 0.4 * len(points),
        )
    ]
