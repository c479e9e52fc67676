"""Sections on single test examples, feature importance, slices and label errors."""

from typing import Any

import numpy as np

from tfkit.reporting.document import HighlightedText, ImageFigure, Section
from tfkit.reporting.figures import BLUE, DASHES, MUTED, SERIES, Figure, Table, draw, legend
from tfkit.reporting.formatting import format_interval, format_number, format_percent
from tfkit.reporting.run_results import RunResults
from tfkit.tasks.registry import get_task

MAX_FEATURES = 25  # features in the figure

MAX_FEATURE_ROWS = 200  # features in the table

MAX_CHARACTERS = 60  # characters of a cell


def features_and_slices(record: RunResults) -> list[Section]:
    """Return feature importance and slices of a table."""
    sections = []
    importance = record.analysis.get("columns")
    if importance and importance["columns"]:
        paragraphs = _importance_paragraphs(record, importance)
        sections.append(Section("Feature importance", paragraphs, [_importance_figure(importance, record)]))
    slices = record.analysis.get("slices")
    if slices:
        sections.append(_slices(slices))
    return sections


def _loss_name(record: RunResults) -> str:
    return get_task(record.task).ROW_LOSS_NAME


def _importance_paragraphs(record: RunResults, importance: dict[str, Any]) -> list[str]:
    paragraphs = [
        f"Permutation importance: each column is shuffled among {importance['rows']:,} test rows, "
        f"{importance['repeats']} times. The importance is the increase of the {_loss_name(record)}, which is "
        f"{format_number(importance['loss'])} without shuffling. Columns with the same information share their "
        "importance."
    ]
    if importance["num_skipped"]:
        paragraphs.append(f"{importance['num_skipped']:,} more columns were not analyzed.")
    return paragraphs


def _importance_figure(importance: dict[str, Any], record: RunResults) -> Figure:
    shown = importance["columns"][:MAX_FEATURES]
    positions = list(range(len(shown) - 1, -1, -1))
    increases = [feature["increase"] for feature in shown]

    def plot(axes: Any) -> None:
        axes.barh(positions, increases, 0.62, color=BLUE, alpha=0.6)
        for feature, position in zip(shown, positions, strict=True):
            axes.plot(feature["interval"], [position, position], color=MUTED, lw=1.6, solid_capstyle="butt")
        axes.axvline(0, color=MUTED, lw=0.8)
        axes.set_yticks(positions, [feature["column"][:22] for feature in shown])
        axes.grid(axis="y", visible=False)

    loss_name = _loss_name(record)
    rows = [
        [feature["column"], format_number(feature["increase"]), format_interval(feature["interval"])]
        for feature in importance["columns"][:MAX_FEATURE_ROWS]
    ]
    return draw(
        "Permutation importance",
        f"most important: {shown[0]['column']}; shuffling it increases the {loss_name} by "
        f"{format_number(increases[0])}",
        plot,
        x=f"increase of the {loss_name}",
        height=1.1 + 0.24 * len(shown),
        data=Table(f"Increase of the {loss_name}", ["column", "increase", "95% interval"], rows),
    )


def _slices(slices: dict[str, Any]) -> Section:
    metric = slices["metric"]
    as_text = format_percent if metric == "error rate" else format_number
    head = ["slice", "rows", metric, "all other rows", "95% interval of the difference"]

    def table_row(entry: dict[str, Any]) -> list[str]:
        interval = "" if entry["other_rows"] is None else " to ".join(as_text(end) for end in entry["interval"])
        other_rows = "" if entry["other_rows"] is None else as_text(entry["other_rows"])
        name = f"{entry['column']} = {entry['value']}"
        return [name, format_number(entry["rows"]), as_text(entry["score"]), other_rows, interval]

    paragraphs = [
        f"{slices['num_slices']:,} slices (column = value) with at least 30 test rows were analyzed. The {metric} on "
        f"all test rows is {as_text(slices['all'])}."
    ]
    if not slices["worst"]:
        paragraphs.append("No slice is significantly worse than the rest (Bonferroni-corrected).")
    if slices["unknown_columns"]:
        paragraphs.append(f"Not among the input columns: {', '.join(slices['unknown_columns'])}.")
    tables = []
    if slices["worst"]:
        tables.append(Table("Slices that are significantly worse", head, [table_row(e) for e in slices["worst"]]))
    if slices["selected"]:
        tables.append(Table("Slices from the settings", head, [table_row(entry) for entry in slices["selected"]]))
    return Section("Slices", paragraphs, [], tables)


def images(record: RunResults) -> list[Section]:
    """Return the worst and the least confident images, with saliency maps."""
    analysis = record.analysis.get("images")
    if not analysis:
        return []
    groups = []
    titles = (("worst", "Largest errors"), ("least_confident", "Least confident"))
    for group, title in titles:
        shown: list[ImageFigure] = []
        for example in analysis.get(group, []):
            caption = _caption(example)
            name = example.get("name", "")
            shown += [
                ImageFigure(example["image"], f"Test image: {caption}", caption, name),
                ImageFigure(example["saliency_map"], f"Saliency map: {caption}", "saliency map"),
            ]
        if shown:
            groups.append((title, shown))
    paragraphs = [_number_of_mistakes(analysis, len(analysis.get("worst", [])), record)]
    if groups:
        paragraphs.append(
            "Next to each image is its saliency map: orange marks the regions that support the prediction "
            f"({analysis['method']})."
        )
    return [Section("Worst images", paragraphs, images=groups)]


def _number_of_mistakes(analysis: dict[str, Any], shown: int, record: RunResults) -> str:
    """Return a sentence on how many test rows are wrong, and how many of them are shown."""
    wrong, rows = analysis["num_wrong"], record.provenance["rows"][2]
    if not wrong:
        return f"No errors in the {rows:,} test rows."
    if wrong == shown:
        return f"Errors in only {wrong:,} of the {rows:,} test rows; all are shown."
    return f"Errors in {wrong:,} of the {rows:,} test rows; the {shown:,} largest are shown."


def _caption(example: dict[str, Any]) -> str:
    """Return label and prediction of an example as text."""
    if "probability" in example:
        correct = "correct" if example["label"] == example["predicted"] else f"predicted {example['predicted']}"
        return f"label {example['label']}, {correct} (probability {format_percent(example['probability'])})"
    return f"label {format_number(example['label'])}, predicted {format_number(example['predicted'])}"


def texts(record: RunResults) -> list[Section]:
    """Return the texts with the largest errors, with highlighted words."""
    analysis = record.analysis.get("texts")
    if not analysis:
        return []
    highlighted = []
    for example in analysis["worst"]:
        largest = max((abs(change) for _, change in example["segments"]), default=0) or 1
        segments = [(segment, change / largest) for segment, change in example["segments"]]
        highlighted.append(HighlightedText(_caption(example), segments))
    number = _number_of_mistakes(analysis, len(highlighted), record)
    if not highlighted:
        return [Section("Worst texts", [number])]
    paragraphs = [
        number,
        "Each word was removed in turn (occlusion). Words with a solid underline support the prediction: without them "
        "its probability is lower. Words with a dotted underline oppose it. A stronger color means a larger change.",
    ]
    return [Section("Worst texts", paragraphs, texts=highlighted)]


def series(record: RunResults) -> list[Section]:
    """Return plots of the time series with the largest errors."""
    analysis = record.analysis.get("series")
    if not analysis:
        return []
    figures = [_series_figure(example, analysis["channels"], rank) for rank, example in enumerate(analysis["worst"], 1)]
    return [Section("Worst series", [_number_of_mistakes(analysis, len(figures), record)], figures)]


def _series_figure(example: dict[str, Any], channels: list[str], rank: int) -> Figure:
    def plot(axes: Any) -> None:
        for values, name, color, dash in zip(example["values"], channels, SERIES, DASHES, strict=False):
            axes.plot([np.nan if v is None else v for v in values], ls=dash, color=color, lw=1.2, label=name)
        if len(example["values"]) > 1:
            legend(axes)

    description = f"a series with {len(example['values'][0])} plotted steps"
    return draw(f"{rank}: {_caption(example)}", description, plot, x="step", height=2.2)


def label_issues(record: RunResults) -> list[Section]:
    """Return the rows whose label is least likely according to the model."""
    issues = record.analysis.get("label_issues")
    if not issues or not issues["first"]:
        return []
    first = issues["first"]
    names = list(dict.fromkeys(name for issue in first for name in issue["cells"]))[:8]
    keys = [key for key in ("split", "row", "label", "predicted", "probability_of_label") if key in first[0]]
    rows = []
    for issue in first:
        values = [str(issue[key]) if key == "row" else _cell(issue[key]) for key in keys]
        rows.append(values + [_cell(issue["cells"].get(name, "")) for name in names])
    criterion = f"the largest errors ({_loss_name(record)})"
    paragraphs = [
        f"Of the {issues['num_rows']:,} validation and test rows, these have {criterion}. Labels of such rows are "
        f"often wrong. The first {issues['num_issues']:,} rows are in label_issues.csv in the run folder."
    ]
    head = ["probability of label" if key == "probability_of_label" else key for key in keys]
    return [Section("Possible label errors", paragraphs, tables=[Table("Least likely labels", [*head, *names], rows)])]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= MAX_CHARACTERS else value[: MAX_CHARACTERS - 1] + "…"
    return format_number(value)
