"""Sections on data, model, settings and reproduction, and the title of a report."""

import shlex
from pathlib import PurePath
from typing import Any

import numpy as np

from tfkit.reporting.diagnostics.diagnosis import retrain_command
from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, INK, Figure, Table, draw, log_axis
from tfkit.reporting.formatting import display_name, format_number, format_percent, format_size
from tfkit.reporting.run_results import RunResults
from tfkit.training.suggested_commands import command

MAX_LAYERS = 60  # layers in the table

MAX_COLUMNS = 80  # columns in the table

MAX_CLASSES = 25  # classes in the figure

MAX_CLASS_ROWS = 200  # classes in the table

MAX_WEIGHTS = 40  # weights in the figure


def data(record: RunResults) -> list[Section]:
    """Return the data card: rows, columns, cleaning, distribution of the target."""
    metadata, rows = record.metadata, record.provenance["rows"]
    split = Table(
        "Rows", ["training", "validation", "test", "total"], [[*map(format_number, rows), format_number(sum(rows))]]
    )
    columns = metadata.columns or {}
    column_rows = [[name, rule["kind"], rule["treatment"]] for name, rule in list(columns.items())[:MAX_COLUMNS]]
    note = f"{len(columns) - MAX_COLUMNS:,} more columns are in metadata.json." if len(columns) > MAX_COLUMNS else ""
    tables = [split]
    if column_rows:
        tables.append(Table("Columns", ["column", "type", "preprocessing"], column_rows, note))
    target = metadata.target
    paragraphs = [f"Target: {record.target}."] + [f"Data cleaning: {step}." for step in metadata.notes]
    paragraphs += metadata.describe()
    figures = [_class_balance(target.counts)] if target.counts else []
    if not figures and record.y_true is not None and record.y_true.ndim == 1 and record.y_true.dtype.kind == "f":
        figures = [_target_histogram(record)]
    return [Section("Data", paragraphs, figures, tables)]


def _class_balance(counts_by_class: dict[str, int]) -> Figure:
    """Plot the number of training rows of each class."""
    counts = sorted(counts_by_class.items(), key=lambda item: -item[1])
    shown, total = counts[:MAX_CLASSES], sum(counts_by_class.values())

    def plot(axes: Any) -> None:
        positions = range(len(shown) - 1, -1, -1)
        axes.barh(list(positions), [count for _, count in shown], color=BLUE, height=0.7)
        axes.set_yticks(list(positions), [_shorten(str(name)) for name, _ in shown])
        axes.grid(axis="y", visible=False)

    table = Table(
        "Training rows by class",
        ["class", "rows", "share"],
        [[str(name), format_number(count), format_percent(count / total)] for name, count in counts[:MAX_CLASS_ROWS]],
    )
    description = (
        f"{len(counts)} classes; the largest, {counts[0][0]}, has {format_percent(counts[0][1] / total)} of the "
    )
    description += f"training rows, the smallest, {counts[-1][0]}, {format_percent(counts[-1][1] / total)}"
    return draw("Class balance in training", description, plot, data=table, x="rows", height=1.2 + 0.24 * len(shown))


def _target_histogram(record: RunResults) -> Figure:
    """Plot the distribution of the target on the test set."""
    counts, edges = np.histogram(record.y_true, 30)

    def plot(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.6)

    rows = [
        [format_number(left), format_number(right), int(count)]
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
    ]
    description = (
        f"{record.target} of the test rows: median {format_number(np.median(record.y_true))}, from "
        f"{format_number(record.y_true.min())} to {format_number(record.y_true.max())}"
    )
    return draw(
        "Distribution of the target",
        description,
        plot,
        x=record.target,
        data=Table("Test rows by value", ["from", "to", "rows"], rows),
        y="test rows",
    )


def _shorten(name: str, length: int = 22) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def model(record: RunResults) -> list[Section]:
    """Return the model card: layers, parameters, file size, latency."""
    summary = record.analysis.get("model")
    if not summary:
        return []
    paragraphs = [
        f"{summary['weights']:,} parameters, {summary['trainable']:,} of them trainable. Size of model.keras: "
        f"{format_size(summary['bytes'] or 0)}.",
        f"Inference on the training machine: {format_number(summary['milliseconds'])} ms for one raw row; "
        f"{summary['rows_per_second']:,} rows per second in batches.",
    ]
    rows = [
        [layer["name"], layer["kind"], layer["shape"] or "", format_number(layer["weights"])]
        for layer in summary["layers"][:MAX_LAYERS]
    ]
    note = f"{len(summary['layers']) - MAX_LAYERS:,} more layers" if len(summary["layers"]) > MAX_LAYERS else ""
    layers = Table("Layers", ["layer", "type", "output shape", "parameters"], rows, note)
    learning = record.analysis.get("learning") or {}
    figures = [_gradient_norms(learning["gradients"])] if len(learning.get("gradients") or []) > 1 else []
    return [Section("Model", paragraphs, figures, [layers])]


def _gradient_norms(gradients: list[dict[str, Any]]) -> Figure:
    """Plot the gradient norm of each weight at the end of training."""
    shown = gradients[:MAX_WEIGHTS]
    norms = [max(gradient["norm"] or 0, 1e-12) for gradient in shown]

    def plot(axes: Any) -> None:
        axes.plot(range(len(shown)), norms, "o-", color=INK, ms=3.5, lw=0.8)
        log_axis(axes.yaxis)
        axes.set_xlabel("weights, from first to last")

    rows = [
        [gradient["weight"], format_number(gradient["norm"]), format_number(gradient["weight_norm"])]
        for gradient in gradients
    ]
    return draw(
        "Gradient norm of each weight",
        f"from {format_number(min(norms))} to {format_number(max(norms))} over {len(gradients)} weights",
        plot,
        data=Table("Gradient norms at the end of training", ["weight", "gradient norm", "weight norm"], rows),
    )


def settings(record: RunResults) -> list[Section]:
    """Return all settings; those that differ from the defaults are first and marked."""
    changed = record.provenance.get("non_defaults")
    names = changed if changed is not None else {}
    ordered = sorted(record.config.items(), key=lambda item: item[0] not in names)
    rows = [[f"{name} (changed)" if name in names else name, _setting(value)] for name, value in ordered]
    paragraphs = []
    if changed is not None:
        paragraphs.append(f"Changed from the defaults: {', '.join(names)}." if names else "All settings are defaults.")
    return [Section("Settings", paragraphs, tables=[Table("Settings", ["setting", "value"], rows)])]


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else format_number(value) if not isinstance(value, int) else str(value).lower()


def use(record: RunResults) -> list[Section]:
    """Return the commands that predict with the model, export it, and load it in Python."""
    folder = str(record.run.folder)
    code = [
        ("Predict the rows of a file", f"{command('predict', folder)} FILE"),
        ("Evaluate the model on a file with targets", f"{command('evaluate', folder)} FILE"),
        ("Export the model for another program", command("export", folder, "--format", "onnx")),
        ("In Python", f"import tfkit\n\npredictions = tfkit.Run({folder!r}).predict('FILE')"),
    ]
    return [Section("How to use this model", code=code)]


def reproduce(record: RunResults) -> list[Section]:
    """Return the training command and the environment."""
    provenance = record.provenance
    devices = provenance.get("devices", {})
    rows = [
        ["started", provenance["started"]],
        ["seed", record.config.get("seed")],
        ["commit", provenance.get("commit") or "none"],
        ["python", provenance["python"]],
        *provenance["versions"].items(),
        ["GPUs", ", ".join(map(str, devices.get("gpus", []))) or "none"],
        ["CPU cores", devices.get("cpus")],
        ["data fingerprint", provenance.get("data", "")[:16]],
    ]
    code = [
        ("Command of this run", shlex.join(provenance["command"])),
        ("Train with the same settings", retrain_command(record)),
    ]
    return [Section("Reproduce this run", [], tables=[Table("Environment", ["", ""], rows)], code=code)]


def page_title(record: RunResults) -> str:
    """Return the title of a report: what is predicted, the data file, and the day of the run."""
    data, day = record.config.get("data"), record.provenance["started"][:10]
    source = f" from {PurePath(data).name}" if isinstance(data, str) and data else ""
    return f"Predict {record.target}{source}, {day}"


def key_figures(record: RunResults) -> list[tuple[str, str]]:
    """Return the key figures at the top of a report, as pairs (label, value)."""
    from tfkit.tasks.primary_metric import primary_metric

    metric, _ = primary_metric(record.metadata)
    scores = record.metrics.get("test") or record.metrics.get("val") or {}
    tiles = []
    if metric in scores:
        interval = record.metrics.get("intervals", {}).get(metric)
        tiles.append((display_name(metric), format_number(scores[metric])))
        if interval:
            tiles.append(("95% interval", f"{format_number(interval[0])} to {format_number(interval[1])}"))
    best_baseline = record.metrics.get("best_baseline")
    if best_baseline:
        tiles.append(
            (
                f"best baseline, {display_name(best_baseline['baseline'])}",
                format_number(best_baseline["baseline_score"]),
            )
        )
    tiles.append(("training rows", format_number(record.provenance["rows"][0])))
    summary = record.analysis.get("model")
    if summary:
        tiles.append(("parameters", format_number(summary["weights"])))
    seconds = sum(record.metrics.get("seconds", {}).values())
    tiles.append(("total seconds", format_number(round(seconds))))
    return tiles
