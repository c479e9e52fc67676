"""Test scores section: scores of the model with intervals, next to the baselines."""

from typing import Any

from tfkit.catalog.topics import find_meaning
from tfkit.evaluation.scoring import printed_metrics
from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, INK, MUTED, Figure, Table, draw
from tfkit.reporting.formatting import display_name, format_alike, format_interval, format_number
from tfkit.reporting.run_results import RunResults
from tfkit.tasks.primary_metric import primary_metric

TERMS = ("baseline", "95% interval", "validation", "overfitting")  # explained in each report

FEW_ROWS = 200  # below, the 95% interval of an accuracy of 0.9 is wider than 0.08


def test_scores(record: RunResults) -> list[Section]:
    """Return test scores, or validation scores, of the model and the baselines."""
    metrics = record.metrics
    split = "test" if metrics.get("test") else "val"
    scores, baselines = metrics.get(split) or {}, metrics.get("baselines") or {}
    best = (metrics.get("best_baseline") or {}).get("baseline")
    best_first = sorted(baselines, key=lambda name: name != best)  # a narrow screen shows the first columns
    rows = []
    for name in printed_metrics(scores):
        interval = metrics.get("intervals", {}).get(name) if split == "test" else None
        cells = format_alike(
            [scores[name], *(baselines[baseline].get(name) for baseline in best_first), *(interval or ())]
        )
        ends = " to ".join(cells[len(best_first) + 1 :])
        rows.append([display_name(name), *cells[: len(best_first) + 1], ends])
    caption = "Scores on the test set" if split == "test" else "Scores on the validation set; test set not evaluated"
    head = ["metric", "model", *map(display_name, best_first), "95% interval"]
    table = Table(caption, head, rows)
    title = "Test scores" if split == "test" else "Validation scores"
    num_rows = record.provenance["rows"][2 if split == "test" else 1]
    paragraphs = []
    if num_rows < FEW_ROWS:
        paragraphs.append(
            f"Only {num_rows:,} {'test' if split == 'test' else 'validation'} rows: these scores are imprecise, and "
            "small differences between model and baselines mean little."
        )
    return [Section(title, paragraphs if rows else [], plot_primary_metric(record), [table] if rows else [])]


def terms(record: RunResults) -> list[Section]:
    """Explain the metrics and the words of the score table."""
    names = [*printed_metrics(record.metrics.get("test") or record.metrics.get("val") or {}), *TERMS]
    meanings = {find_meaning(name): display_name(name) for name in reversed(names)}
    rows = [[name, meaning] for meaning, name in reversed(meanings.items()) if meaning]
    return [Section("Terms", tables=[Table("What the words mean", ["term", "meaning"], rows)])]


def plot_primary_metric(record: RunResults) -> list[Figure]:
    """Plot the primary metric of the model with its interval next to the baselines."""
    metric, mode = primary_metric(record.metadata)
    scores, baselines = record.metrics.get("test") or {}, record.metrics.get("baselines") or {}
    baseline_scores = {name: values[metric] for name, values in baselines.items() if metric in values}
    if metric not in scores or not baseline_scores:
        return []
    interval = record.metrics["intervals"].get(metric)
    by_score = sorted(baseline_scores.items(), key=lambda item: item[1], reverse=mode == "max")
    points = {"model": scores[metric], **dict(by_score)}

    def plot(axes: Any) -> None:
        positions = range(len(points) - 1, -1, -1)
        if interval:
            axes.axvspan(*interval, color=BLUE, alpha=0.15, lw=0)
            axes.plot(interval, [len(points) - 1] * 2, color=BLUE, lw=3, solid_capstyle="round")
        colors = [BLUE] + [INK] * len(baseline_scores)
        axes.scatter(list(points.values()), list(positions), c=colors, s=36, zorder=3)
        for value, y in zip(points.values(), positions, strict=True):
            axes.annotate(
                format_number(value), (value, y), (0, 7), textcoords="offset points", ha="center", fontsize=8.5
            )
        axes.set_yticks(list(positions), [display_name(name) for name in points])
        axes.set_ylim(-0.6, len(points) - 0.3)
        axes.margins(x=0.15)
        axes.grid(axis="y", color=MUTED, alpha=0.15)

    direction = "higher is better" if mode == "max" else "lower is better"
    description = f"{display_name(metric)} of the model: {format_number(scores[metric])}"
    description += f" (95% interval {format_interval(interval)})" if interval else ""
    description += "; " + ", ".join(
        f"{display_name(name)} {format_number(value)}" for name, value in baseline_scores.items()
    )
    rows = [[display_name(name), format_number(value)] for name, value in points.items()]
    table = Table(f"{display_name(metric)} on the test set", ["", display_name(metric)], rows)
    return [
        draw(
            f"{display_name(metric)}: model and baselines",
            f"{description}; {direction}",
            plot,
            data=table,
            x=f"{display_name(metric)} ({direction})",
            height=1.3 + 0.4 * len(points),
        )
    ]
