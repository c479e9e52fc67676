"""The parts of the page that compares runs."""

from typing import Any

import numpy as np

from tfkit.report.figures import DASHES, INK, ONE, SERIES, Figure, Table, draw, in_powers, legend
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.sections.overview import AVERAGED
from tfkit.report.sections.training import whole
from tfkit.report.words import number, span, spoken
from tfkit.scores import headline


def sections(records: list[Record], names: list[str], found: list[Any]) -> list[Section]:
    """Which is better, scores, settings, curves."""
    parts = [_better(records, names, found), _settings(records, names), _curves(records, names), _made(records, names)]
    return [part for part in parts if not part.empty]


def _better(records: list[Record], names: list[str], found: list[Any]) -> Section:
    """The verdicts, and all scores side by side."""
    all_names = dict.fromkeys(name for record in records for name in record.metrics.get("test") or {})
    rows = [
        [spoken(name), *(number((record.metrics.get("test") or {}).get(name)) for record in records)]
        for name in all_names
        if not name.endswith(AVERAGED)
    ]
    tables = [Table("Scores of the test rows", ["score", *names], rows)] if rows else []
    figures = [_intervals(records, names)] if rows else []
    return Section("Which is better", [one.says for one in found], figures, tables)


def _intervals(records: list[Record], names: list[str]) -> Figure:
    """The headline score of each run with its interval."""
    name, mode = headline(records[0].task)
    values = [(record.metrics.get("test") or {}).get(name, np.nan) for record in records]
    spans = [record.metrics.get("intervals", {}).get(name) for record in records]
    places = list(range(len(records) - 1, -1, -1))

    def paint(axes):  # type: ignore[no-untyped-def]
        for value, ends, place in zip(values, spans, places, strict=True):
            if ends:
                axes.plot(ends, [place, place], color=ONE, lw=3, alpha=0.6, solid_capstyle="round")
            axes.scatter([value], [place], c=INK, s=30, zorder=3)
        axes.set_yticks(places, [one[-26:] for one in names])
        axes.set_ylim(-0.6, len(records) - 0.4)
        axes.margins(x=0.1)

    rows = [[one, number(value), span(ends)] for one, value, ends in zip(names, values, spans, strict=True)]
    better = "more is better" if mode == "max" else "less is better"
    says = f"each with its own 95% interval; {better}. Pairs on the same rows tell more than overlaps of intervals"
    return draw(
        spoken(name),
        says,
        paint,
        x=f"{spoken(name)} ({better})",
        height=1.1 + 0.35 * len(records),
        numbers=Table(spoken(name), ["run", spoken(name), "95% interval"], rows),
    )


def _settings(records: list[Record], names: list[str]) -> Section:
    """Settings side by side, those that differ first and marked."""
    keys = dict.fromkeys(key for record in records for key in record.config)
    rows: dict[bool, list[list[str]]] = {True: [], False: []}
    for key in keys:
        words = ["none" if (value := record.config.get(key)) is None else str(value) for record in records]
        rows[len(set(words)) > 1].append([key, *words])
    words = [f"{len(rows[True])} of {len(keys)} settings differ." if rows[True] else "All settings are the same."]
    tables = [Table("Settings that differ", ["setting", *names], rows[True])] if rows[True] else []
    if rows[False]:
        tables.append(Table("Settings that are the same", ["setting", "value"], [row[:2] for row in rows[False]]))
    return Section("Settings", words, tables=tables)


def _curves(records: list[Record], names: list[str]) -> Section:
    """The losses of all runs, laid over each other."""
    figures = []
    for metric in ("val_loss", "loss", "learning_rate"):
        pairs = zip(names, records, strict=True)
        lines = {name: (record.curve("epoch"), record.curve(metric)) for name, record in pairs}
        lines = {name: line for name, line in lines.items() if np.isfinite(line[1]).any()}
        if lines:
            figures.append(_laid(metric, lines))
    return Section("Curves", [], figures)


def _laid(metric: str, lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    def paint(axes):  # type: ignore[no-untyped-def]
        for place, (name, (epochs, values)) in enumerate(lines.items()):
            axes.plot(
                epochs,
                values,
                ls=DASHES[place // 6 % 6],
                color=SERIES[place % 6],
                label=name[-30:],
                marker="o" if len(epochs) < 3 else None,
            )
        known = np.concatenate([values[np.isfinite(values) & (values > 0)] for _, values in lines.values()])
        if len(known) and known.max() > 100 * known.min():
            in_powers(axes.yaxis)
        whole(axes)
        legend(axes, ncols=1)

    title = "validation loss" if metric == "val_loss" else "training loss" if metric == "loss" else spoken(metric)
    says = "; ".join(f"{name} ends at {number(float(values[-1]))}" for name, (_, values) in lines.items())
    longest = max(len(epochs) for epochs, _ in lines.values())
    rows = [[i + 1, *(number(float(v[i])) if i < len(v) else "" for _, v in lines.values())] for i in range(longest)]
    return draw(
        title, says, paint, x="epoch", height=2.6 + 0.15 * len(lines), numbers=Table(title, ["epoch", *lines], rows)
    )


def _made(records: list[Record], names: list[str]) -> Section:
    """What each was made with."""
    rows = [
        [
            name,
            record.about["begun"][:16].replace("T", " "),
            number(record.about["rows"][0]),
            number(round(sum(record.metrics.get("seconds", {}).values()))),
            record.about.get("commit") or "none",
        ]
        for name, record in zip(names, records, strict=True)
    ]
    return Section("Runs", tables=[Table("Runs", ["run", "begun", "rows trained on", "seconds", "commit"], rows)])
