"""The data, the model, the settings, and how to do it all again."""

import shlex
from typing import Any

from tfkit.report.figures import INK, ONE, Figure, Table, draw, in_powers
from tfkit.report.judgements.judgement import again as again_with
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number, percent, size, spoken

LAYERS, COLUMNS, CLASSES = 60, 80, 25


def data(record: Record) -> list[Section]:
    """The data card: rows, columns, what was cleaned, how the target lies."""
    info, rows = record.info, record.about["rows"]
    split = Table("Rows", ["training", "validation", "test", "in all"], [[*map(number, rows), number(sum(rows))]])
    columns = info.get("columns") or {}
    told = [[name, rule["kind"], rule["treatment"]] for name, rule in list(columns.items())[:COLUMNS]]
    more = f"and {len(columns) - COLUMNS:,} more, all in info.json" if len(columns) > COLUMNS else ""
    tables = [split] + ([Table("Columns", ["column", "kind", "what was done"], told, more)] if told else [])
    target = info["target"]
    words = [f"What is predicted: {record.target}."] + [f"Cleaned: {done}." for done in info.get("cleaning", [])]
    if "picture" in info:
        picture = info["picture"]
        words.append(
            f"Pictures are {picture['height']} x {picture['width']} pixels, "
            f"{'grey' if picture['channels'] == 1 else 'in colour'}."
        )
    figures = [_balance(target)] if target.get("counts") else []
    if not figures and record.truth is not None and record.task == "regression":
        figures = [_spread(record)]
    return [Section("Data", words, figures, tables)]


def _balance(target: dict[str, Any]) -> Figure:
    """How many training rows each class has."""
    ordered = sorted(target["counts"].items(), key=lambda one: -one[1])
    shown, total = ordered[:CLASSES], sum(target["counts"].values())

    def paint(axes):  # type: ignore[no-untyped-def]
        places = range(len(shown) - 1, -1, -1)
        axes.barh(list(places), [count for _, count in shown], color=ONE, height=0.7)
        axes.set_yticks(list(places), [_short(str(name)) for name, _ in shown])
        axes.grid(axis="y", visible=False)

    numbers = Table(
        "Rows of each class",
        ["class", "rows", "share"],
        [[str(name), number(count), percent(count / total)] for name, count in ordered[:200]],
    )
    says = f"{len(ordered)} classes; the largest, {ordered[0][0]}, has {percent(ordered[0][1] / total)} of the "
    says += f"training rows, the smallest, {ordered[-1][0]}, {percent(ordered[-1][1] / total)}"
    return draw(
        "Balance of the classes in training", says, paint, numbers=numbers, x="rows", height=1.2 + 0.24 * len(shown)
    )


def _spread(record: Record) -> Figure:
    """How the target lies."""
    import numpy as np

    counts, edges = np.histogram(record.truth, 30)

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.stairs(counts, edges, fill=True, color=ONE, alpha=0.6)

    rows = [[number(float(a)), number(float(b)), int(n)] for a, b, n in zip(edges, edges[1:], counts, strict=False)]
    says = (
        f"{record.target} of the test rows: median {number(float(np.median(record.truth)))}, from "
        f"{number(float(record.truth.min()))} to {number(float(record.truth.max()))}"
    )
    return draw(
        "Distribution of the target",
        says,
        paint,
        x=record.target,
        numbers=Table("Test rows by value", ["from", "to", "rows"], rows),
        y="test rows",
    )


def _short(word: str, most: int = 22) -> str:
    return word if len(word) <= most else word[: most - 1] + "…"


def model(record: Record) -> list[Section]:
    """Layers, weights, size, time of an answer."""
    told = record.evidence.get("model")
    if not told:
        return []
    words = [
        f"{told['weights']:,} weights, {told['trained']:,} of them trained; model.keras is {size(told['bytes'] or 0)}.",
        f"One raw row is answered in {number(told['milliseconds'])} ms on the machine that trained it; many at "
        f"once, {told['rows_per_second']:,} a second.",
    ]
    rows = [
        [layer["name"], layer["kind"], layer["shape"] or "", number(layer["weights"])]
        for layer in told["layers"][:LAYERS]
    ]
    more = f"and {len(told['layers']) - LAYERS:,} more" if len(told["layers"]) > LAYERS else ""
    layers = Table("Layers", ["layer", "kind", "gives", "weights"], rows, more)
    learning = record.evidence.get("learning") or {}
    figures = [_gradients(learning["gradients"])] if len(learning.get("gradients") or []) > 1 else []
    return [Section("Model", words, figures, [layers])]


def _gradients(gradients: list[dict[str, Any]]) -> Figure:
    """How steep the loss is along each weight when training ended."""
    shown = gradients[:40]
    sizes = [max(one["norm"] or 0, 1e-12) for one in shown]

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.plot(range(len(shown)), sizes, "o-", color=INK, ms=3.5, lw=0.8)
        in_powers(axes.yaxis)
        axes.set_xlabel("weights, from first to last")

    rows = [[one["weight"], number(one["norm"]), number(one["size"])] for one in gradients]
    says = f"from {number(min(sizes))} to {number(max(sizes))} over {len(gradients)} weights"
    return draw(
        "Length of the gradient of each weight",
        says,
        paint,
        numbers=Table("Gradients at the end", ["weight", "gradient", "weight's own length"], rows),
    )


def settings(record: Record) -> list[Section]:
    """Every setting, those that were changed first and marked."""
    changed = record.about.get("changed")
    known = changed if changed is not None else {}
    ordered = sorted(record.config.items(), key=lambda one: one[0] not in known)
    rows = [[f"{name} (changed)" if name in known else name, _word(value)] for name, value in ordered]
    words = [f"Changed: {', '.join(known)}." if known else "No setting was changed."] if changed is not None else []
    return [Section("Settings", words, tables=[Table("Settings", ["setting", "value"], rows)])]


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else number(value) if not isinstance(value, int) else str(value).lower()


def again(record: Record) -> list[Section]:
    """The command that made it, and what it ran on."""
    about = record.about
    devices = about.get("devices", {})
    rows = [
        ["begun", about["begun"]],
        ["seed", record.config.get("seed")],
        ["commit", about.get("commit") or "none"],
        ["python", about["python"]],
        *about["versions"].items(),
        ["graphics cards", ", ".join(map(str, devices.get("gpus", []))) or "none"],
        ["cores", devices.get("cpus")],
        ["fingerprint of the data", about.get("data", "")[:16]],
    ]
    code = [
        ("The command that made this run", shlex.join(about["command"])),
        ("The same settings again", again_with(record)),
    ]
    return [Section("How to do it again", [], tables=[Table("What it ran on", ["", ""], rows)], code=code)]


def scored(record: Record) -> str:
    """The name of the page: what was done to what."""
    return f"{record.about['recipe'] or 'run'}: {record.target}"


def title_score(record: Record) -> list[tuple[str, str]]:
    """The few numbers that stand on top."""
    from tfkit.scores import headline

    name, _ = headline(record.task)
    scores = record.metrics.get("test") or record.metrics.get("val") or {}
    tiles = []
    if name in scores:
        interval = record.metrics.get("intervals", {}).get(name)
        tiles.append((spoken(name), number(scores[name])))
        if interval:
            tiles.append(("95% interval", f"{number(interval[0])} to {number(interval[1])}"))
    against = record.metrics.get("against")
    if against:
        tiles.append((f"best baseline, {spoken(against['baseline'])}", number(against["other"])))
    tiles.append(("rows trained on", number(record.about["rows"][0])))
    told = record.evidence.get("model")
    if told:
        tiles.append(("weights", number(told["weights"])))
    seconds = sum(record.metrics.get("seconds", {}).values())
    tiles.append(("seconds in all", number(round(seconds))))
    return tiles
