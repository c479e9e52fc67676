"""Sections of a classifier: errors, calibration, ROC and precision-recall curves."""

from typing import Any

import numpy as np

from tfkit.evaluation.thresholds import threshold_curve
from tfkit.reporting.document import Section
from tfkit.reporting.figures import (
    BLUE,
    DASHES,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    SERIES,
    Figure,
    Table,
    draw,
    evenly_spaced_indices,
    legend,
)
from tfkit.reporting.formatting import format_alike, format_number, format_percent
from tfkit.reporting.run_results import RunResults
from tfkit.reporting.sections.thresholds import thresholds

MAX_MATRIX_CLASSES = 15  # classes of a confusion matrix

MAX_CURVES = 6  # classes with ROC and precision-recall curves

MAX_CONFUSIONS = 15  # rows of the table of confusions

MAX_CURVE_POINTS = 150
MAX_TABLE_POINTS = 12  # of each curve

CALIBRATION_BINS = 10


def classification(record: RunResults) -> list[Section]:
    """Return confusion matrix, ROC and PR curves, calibration and thresholds."""
    if record.y_true is None:
        return []
    figures = [_confusion_matrix(record)] if len(record.classes) <= MAX_MATRIX_CLASSES else []
    tables = [_class_metrics(record)]
    if len(record.classes) > 2:
        tables.append(_top_confusions(record))
    curves = _roc_and_pr_curves(record.y_true, record.y_pred, record)
    return [
        Section("Errors", [], figures, tables),
        Section("Calibration and ROC", _calibration_paragraphs(record), [*curves, _calibration_plot(record)]),
        *thresholds(record),
    ]


def _confusion_counts(record: RunResults) -> np.ndarray:
    """Count test rows by true class (rows) and predicted class (columns)."""
    num = len(record.classes)
    return np.bincount(record.y_true * num + record.y_pred.argmax(1), minlength=num * num).reshape(num, num)


def _confusion_matrix(record: RunResults) -> Figure:
    counts, names = _confusion_counts(record), record.classes
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    num = len(names)

    def plot(axes: Any) -> None:
        from matplotlib.patches import Rectangle

        for i in range(num):
            for j in range(num):
                color = BLUE if i == j else ORANGE
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fc=color, alpha=0.75 * shares[i, j], lw=0))
                if counts[i, j] and num <= 12:
                    axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=9 if num < 6 else 7.5)
        axes.set_xlim(-0.5, num - 0.5)
        axes.set_ylim(num - 0.5, -0.5)
        axes.set_xticks(
            range(num),
            [_shorten(name, num) for name in names],
            rotation=45 if num > 4 else 0,
            ha="right" if num > 4 else "center",
        )
        axes.set_yticks(range(num), [_shorten(name, num) for name in names])
        axes.grid(visible=False)

    rows = [[names[i], *(f"{counts[i, j]:,}" for j in range(num))] for i in range(num)]
    correct = int(np.trace(counts))
    return draw(
        "Confusion matrix",
        f"{correct:,} of {int(counts.sum()):,} test rows are correct (on the diagonal)",
        plot,
        x="predicted",
        y="true",
        data=Table("Test rows by true class (rows) and predicted class (columns)", ["true", *names], rows),
        height=2.8 if num < 6 else 3.6,
    )


def _shorten(name: str, num_classes: int) -> str:
    """Truncate the name of a class, more so if there are many classes."""
    length = 12 if num_classes > 6 else 16
    return name if len(name) <= length else name[: length - 1] + "…"


def _class_metrics(record: RunResults) -> Table:
    rows = [
        [
            label,
            format_number(metrics["support"]),
            *format_alike([metrics.get(name) for name in ("precision", "recall", "f1")]),
        ]
        for label, metrics in list(record.metrics.get("classes", {}).items())[:100]
    ]
    return Table("Metrics per class on the test set", ["class", "rows", "precision", "recall", "F1"], rows)


def _top_confusions(record: RunResults) -> Table:
    counts = _confusion_counts(record)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MAX_CONFUSIONS]
    rows = []
    for index in order:
        i, j = divmod(int(index), len(record.classes))
        if counts[i, j]:
            support = int((record.y_true == i).sum())
            share = format_percent(counts[i, j] / support)
            rows.append([record.classes[i], record.classes[j], format_number(int(counts[i, j])), share])
    return Table("Most frequent confusions", ["true", "predicted", "rows", "share of the true class"], rows)


def _plotted_classes(record: RunResults) -> list[int]:
    """Return the classes with curves: the positive class, or the largest ones."""
    positive = record.metadata.target.positive_class
    if record.metadata.target.is_binary and positive is not None:
        return [record.classes.index(str(positive))]
    counts = np.bincount(record.y_true, minlength=len(record.classes))
    return [int(code) for code in np.argsort(-counts, kind="stable")[:MAX_CURVES] if 0 < counts[code] < counts.sum()]


def _roc_and_pr_curves(y_true: np.ndarray, y_prob: np.ndarray, record: RunResults) -> list[Figure]:
    """Plot one-vs-rest ROC and precision-recall curves."""
    codes = [code for code in _plotted_classes(record) if 0 < (y_true == code).sum() < len(y_true)]
    if not codes:
        return []
    curves = {record.classes[code]: _curve_points(y_true == code, y_prob[:, code]) for code in codes}

    def plot_roc(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1)
        for (name, curve), color, dash in zip(curves.items(), SERIES, DASHES, strict=False):
            axes.plot(curve["fpr"], curve["tpr"], ls=dash, color=color, label=name)
        legend(axes, ncols=3)

    def plot_pr(axes: Any) -> None:
        for (name, curve), color, dash in zip(curves.items(), SERIES, DASHES, strict=False):
            axes.plot(curve["tpr"], curve["precision"], ls=dash, color=color, label=name)
        axes.set_ylim(0, 1.03)
        legend(axes, ncols=3)

    metrics = record.metrics["test"]
    roc_auc, average_precision = metrics.get("roc_auc"), metrics.get("average_precision")
    all_classes = record.metadata.target.is_binary or len(curves) == len(record.classes)
    note = "" if all_classes else f"; shown are the {len(curves)} largest classes"
    return [
        draw(
            "ROC curve",
            f"ROC AUC {format_number(roc_auc)}; 0.5 is random{note}",
            plot_roc,
            x="false positive rate",
            y="true positive rate",
            data=_curve_table(curves),
        ),
        draw(
            "Precision-recall curve",
            f"average precision {format_number(average_precision)}{note}",
            plot_pr,
            x="recall",
            y="precision",
        ),
    ]


def _curve_table(curves: dict[str, dict[str, np.ndarray]]) -> Table:
    """Return a table of some points of each curve."""
    rows = [
        [
            name,
            format_number(curve["threshold"][i]),
            format_percent(curve["tpr"][i]),
            format_percent(curve["fpr"][i]),
            format_percent(curve["precision"][i]),
        ]
        for name, curve in curves.items()
        for i in evenly_spaced_indices(len(curve["threshold"]), MAX_TABLE_POINTS)
    ]
    return Table(
        "Points of the curves", ["class", "threshold", "true positive rate", "false positive rate", "precision"], rows
    )


def _curve_points(is_positive: np.ndarray, y_score: np.ndarray) -> dict[str, np.ndarray]:
    """Return at most MAX_CURVE_POINTS points of the ROC and PR curves of a class."""
    points = threshold_curve(is_positive, y_score)
    plotted = evenly_spaced_indices(len(points[0]), MAX_CURVE_POINTS)
    cuts, hits, predicted = (values[plotted] for values in points)
    fpr = (predicted - hits) / max(1, (~is_positive).sum())
    return {"tpr": hits / is_positive.sum(), "fpr": fpr, "precision": hits / predicted, "threshold": cuts}


def _calibration_paragraphs(record: RunResults) -> list[str]:
    error = record.metrics["test"].get("expected_calibration_error")
    confidence = float(record.y_pred.max(1).mean())
    accuracy = float((record.y_pred.argmax(1) == record.y_true).mean())
    gap = 100 * abs(confidence - accuracy)
    direction = "overconfident" if confidence > accuracy else "underconfident"
    conclusion = "well calibrated on average" if gap < 0.5 else f"{direction} by {gap:.1f} percentage points"
    return [
        f"The mean confidence is {format_percent(confidence)} and the accuracy is {format_percent(accuracy)}: the "
        f"model is {conclusion}. The expected calibration error is {format_number(error)}."
    ]


def _calibration_plot(record: RunResults) -> Figure:
    """Plot observed frequency by predicted probability, with 95% intervals."""
    codes = _plotted_classes(record) if record.metadata.target.is_binary else []
    y_prob = record.y_pred[:, codes[0]] if codes else record.y_pred.max(1)
    is_hit = (record.y_true == codes[0]) if codes else (record.y_pred.argmax(1) == record.y_true)
    bins = np.clip((y_prob * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
    groups: list[dict[str, Any]] = []
    for i in range(CALIBRATION_BINS):
        in_bin = bins == i
        count = int(in_bin.sum())
        if count:
            share = float(is_hit[in_bin].mean())
            half = 1.96 * np.sqrt(max(share * (1 - share), 0.25 / count) / count)
            groups.append({"probability": float(y_prob[in_bin].mean()), "share": share, "half": half, "rows": count})

    def plot(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1)
        x, y, half = ([group[key] for group in groups] for key in ("probability", "share", "half"))
        low = [min(h, s) for h, s in zip(half, y, strict=True)]
        high = [min(h, 1 - s) for h, s in zip(half, y, strict=True)]
        axes.errorbar(x, y, yerr=[low, high], fmt="o-", color=BLUE, ms=4, lw=1.2, ecolor=INK, elinewidth=0.8, mfc=PAPER)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)

    observed = f"fraction of {record.classes[codes[0]]}" if codes else "accuracy"
    predicted = f"mean predicted probability of {record.classes[codes[0]]}" if codes else "mean confidence"
    rows = [
        [format_percent(group["probability"]), format_percent(group["share"]), format_number(group["rows"])]
        for group in groups
    ]
    error = format_number(record.metrics["test"].get("expected_calibration_error"))
    return draw(
        "Calibration curve",
        f"a perfectly calibrated model is on the dotted line; expected calibration error {error}",
        plot,
        x=predicted,
        y=observed,
        data=Table("Test rows by predicted probability", [predicted, observed, "rows"], rows),
    )
