"""Sections of the page that compares runs: test scores, settings, training curves."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfkit.evaluation.scoring import printed_metrics
from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, DASHES, INK, SERIES, Figure, Table, draw, legend, log_axis
from tfkit.reporting.formatting import display_name, format_alike, format_interval, format_number, shorten
from tfkit.reporting.run_results import RunResults
from tfkit.reporting.sections.training import integer_axis
from tfkit.tasks.primary_metric import primary_metric

MAX_FIRST_LOSS = 2.0  # in an axis, relative to the losses of later epochs


class Conclusion(Protocol):
    """Anything with a sentence that compares two runs."""

    @property
    def summary(self) -> str: ...


def sections(records: list[RunResults], names: list[str], conclusions: Sequence[Conclusion]) -> list[Section]:
    """Return test scores, settings, training curves and provenance of several runs."""
    all_sections = [
        _test_scores(records, names, conclusions),
        _settings(records, names),
        _curves(records, names),
        _provenance(records, names),
    ]
    return [section for section in all_sections if not section.empty]


def _test_scores(records: list[RunResults], names: list[str], conclusions: Sequence[Conclusion]) -> Section:
    """Return pairwise conclusions and all scores side by side."""
    metrics = dict.fromkeys(name for record in records for name in record.metrics.get("test") or {})
    rows = [
        [display_name(name), *format_alike([(record.metrics.get("test") or {}).get(name) for record in records])]
        for name in printed_metrics(metrics)
    ]
    tables = [Table("Scores on the test set", ["metric", *names], rows)] if rows else []
    figures = [_intervals(records, names)] if rows else []
    return Section("Test scores", [conclusion.summary for conclusion in conclusions], figures, tables)


def _intervals(records: list[RunResults], names: list[str]) -> Figure:
    """Plot the primary metric of each run with its interval."""
    metric, mode = primary_metric(records[0].metadata)
    values = [(record.metrics.get("test") or {}).get(metric, np.nan) for record in records]
    intervals = [record.metrics.get("intervals", {}).get(metric) for record in records]
    labels = list(names)
    if best := records[0].metrics.get("best_baseline"):
        labels.append(f"best baseline, {display_name(best['baseline'])}")
        values.append(best["baseline_score"])
        intervals.append(None)
    positions = list(range(len(labels) - 1, -1, -1))

    def plot(axes: Any) -> None:
        for value, interval, y in zip(values, intervals, positions, strict=True):
            if interval:
                axes.plot(interval, [y, y], color=BLUE, lw=3, alpha=0.6, solid_capstyle="round")
            axes.scatter([value], [y], c=INK, s=30, zorder=3)
        axes.set_yticks(positions, [shorten(label, 32) for label in labels])
        axes.set_ylim(-0.6, len(labels) - 0.4)
        axes.margins(x=0.1)

    rows = [
        [label, score, format_interval(interval)]
        for label, score, interval in zip(labels, format_alike(values), intervals, strict=True)
    ]
    direction = "higher is better" if mode == "max" else "lower is better"
    description = (
        f"each run with its 95% interval; {direction}. The paired comparison on the same rows is more precise "
    )
    description += "than the overlap of intervals"
    return draw(
        display_name(metric),
        description,
        plot,
        x=f"{display_name(metric)} ({direction})",
        height=1.1 + 0.35 * len(labels),
        data=Table(display_name(metric), ["run", display_name(metric), "95% interval"], rows),
    )


def _settings(records: list[RunResults], names: list[str]) -> Section:
    """Return tables of the settings that differ and of those that are equal."""
    keys = dict.fromkeys(key for record in records for key in record.config)
    differing: list[list[str]] = []
    equal: list[list[str]] = []
    for key in keys:
        values = ["none" if (value := record.config.get(key)) is None else str(value) for record in records]
        (differing if len(set(values)) > 1 else equal).append([key, *values])
    paragraphs = [f"{len(differing)} of {len(keys)} settings differ." if differing else "All settings are equal."]
    files = [record.run.path("recipe.py") for record in records]
    codes = [file.read_bytes() if file.is_file() else b"" for file in files]
    changed = [name for name, code in zip(names, codes, strict=True) if code != codes[0]]
    if changed:
        paragraphs.append(f"The code of the recipe differs from that of {names[0]}: {', '.join(changed)}.")
    tables = [Table("Settings that differ", ["setting", *names], differing)] if differing else []
    if equal:
        tables.append(Table("Settings that are equal", ["setting", "value"], [row[:2] for row in equal]))
    return Section("Settings", paragraphs, tables=tables)


def _curves(records: list[RunResults], names: list[str]) -> Section:
    """Plot losses and learning rates of all runs in common axes."""
    figures = []
    for column in ("val_loss", "loss", "learning_rate"):
        pairs = zip(names, records, strict=True)
        lines = {name: (record.curve("epoch"), record.curve(column)) for name, record in pairs}
        lines = {name: line for name, line in lines.items() if np.isfinite(line[1]).any()}
        if lines:
            figures.append(_curves_figure(column, lines))
    return Section("Training curves", [], figures)


def _largest_later(lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the largest value after the first third of the epochs; the first are often far above the others."""
    later = np.concatenate([values[len(values) // 3 :] for _, values in lines.values()])
    return float(np.nanmax(later)) if np.isfinite(later).any() else 0.0


def _curves_figure(column: str, lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    def plot(axes: Any) -> None:
        for i, (name, (epochs, values)) in enumerate(lines.items()):
            axes.plot(
                epochs,
                values,
                ls=DASHES[i // 6 % 6],
                color=SERIES[i % 6],
                label=shorten(name, 40),
                marker="o" if len(epochs) < 3 else None,
            )
        positive = np.concatenate([values[np.isfinite(values) & (values > 0)] for _, values in lines.values()])
        if len(positive) and positive.max() > 100 * positive.min():
            log_axis(axes.yaxis)
        elif len(positive) and (later := _largest_later(lines)) and positive.max() > MAX_FIRST_LOSS * later:
            axes.set_ylim(top=MAX_FIRST_LOSS * later)
        integer_axis(axes)
        legend(axes, ncols=1)

    title = {"val_loss": "validation loss", "loss": "training loss"}.get(column, display_name(column))
    description = "; ".join(
        f"{name}: {format_number(values[-1])} in the last epoch" for name, (_, values) in lines.items()
    )
    longest = max(len(epochs) for epochs, _ in lines.values())
    rows = [[i + 1, *(format_number(v[i]) if i < len(v) else "" for _, v in lines.values())] for i in range(longest)]
    return draw(
        title,
        description,
        plot,
        x="epoch",
        height=2.6 + 0.15 * len(lines),
        data=Table(title, ["epoch", *lines], rows),
    )


def _provenance(records: list[RunResults], names: list[str]) -> Section:
    """Return start time, rows, seconds and commit of each run."""
    rows = [
        [
            name,
            record.provenance["started"][:16].replace("T", " "),
            format_number(record.provenance["rows"][0]),
            format_number(round(sum(record.metrics.get("seconds", {}).values()))),
            record.provenance.get("commit") or "none",
            record.run.folder.name,
        ]
        for name, record in zip(names, records, strict=True)
    ]
    return Section(
        "Runs", tables=[Table("Runs", ["run", "started", "training rows", "seconds", "commit", "folder"], rows)]
    )
