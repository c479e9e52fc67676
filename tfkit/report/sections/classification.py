"""Where a classifier fails, and what its probabilities are worth."""

from typing import Any

import numpy as np

from tfkit.report.figures import DASHES, INK, MUTED, ONE, PAPER, SERIES, TWO, Figure, Table, draw, legend, thinned
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.sections.thresholds import thresholds
from tfkit.report.words import number, percent

CELLS, CURVES, PAIRS, BINS = 15, 6, 15, 10


def classification(record: Record) -> list[Section]:
    """Confusion, ROC and precision-recall, calibration, thresholds."""
    if record.truth is None:
        return []
    truth, answer = record.truth, record.answer
    figures = [_confusion(record)] if len(record.classes) <= CELLS else []
    tables = [_by_class(record)]
    if len(record.classes) > 2:
        tables.append(_confused(record))
    curves = _curves(truth, answer, record)
    return [
        Section("Where it fails", [], figures, tables),
        Section("What its probabilities are worth", _sure(record), [*curves, _calibration(record)]),
        *thresholds(record),
    ]


def _counts(record: Record) -> np.ndarray:
    """True class by predicted class."""
    num = len(record.classes)
    return np.bincount(record.truth * num + record.answer.argmax(1), minlength=num * num).reshape(num, num)


def _confusion(record: Record) -> Figure:
    counts, names = _counts(record), record.classes
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    num = len(names)

    def paint(axes):  # type: ignore[no-untyped-def]
        from matplotlib.patches import Rectangle

        for i in range(num):
            for j in range(num):
                colour = ONE if i == j else TWO
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fc=colour, alpha=0.75 * shares[i, j], lw=0))
                if counts[i, j] and num <= 12:
                    axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=9 if num < 6 else 7.5)
        axes.set_xlim(-0.5, num - 0.5)
        axes.set_ylim(num - 0.5, -0.5)
        axes.set_xticks(
            range(num),
            [_short(n, num) for n in names],
            rotation=45 if num > 4 else 0,
            ha="right" if num > 4 else "center",
        )
        axes.set_yticks(range(num), [_short(n, num) for n in names])
        axes.grid(visible=False)

    rows = [[names[i], *(f"{counts[i, j]:,}" for j in range(num))] for i in range(num)]
    hits = int(np.trace(counts))
    says = f"{hits:,} of {int(counts.sum()):,} test rows lie on the diagonal, where prediction and truth agree"
    return draw(
        "Confusion: what was taken for what",
        says,
        paint,
        x="predicted",
        y="true",
        numbers=Table("Test rows, true class by predicted class", ["true", *names], rows),
        height=2.8 if num < 6 else 3.6,
    )


def _short(word: str, among: int) -> str:
    most = 12 if among > 6 else 16
    return word if len(word) <= most else word[: most - 1] + "…"


def _by_class(record: Record) -> Table:
    rows = [
        [label, number(each["support"]), *(number(each.get(n)) for n in ("precision", "recall", "f1"))]
        for label, each in list(record.metrics.get("classes", {}).items())[:100]
    ]
    return Table("Each class of the test", ["class", "rows", "precision", "recall", "F1"], rows)


def _confused(record: Record) -> Table:
    counts = _counts(record)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:PAIRS]
    rows = []
    for place in order:
        i, j = divmod(int(place), len(record.classes))
        if counts[i, j]:
            of = int((record.truth == i).sum())
            rows.append([record.classes[i], record.classes[j], number(int(counts[i, j])), percent(counts[i, j] / of)])
    return Table("What is taken for what most often", ["true", "taken for", "rows", "share of the true class"], rows)


def _positives(record: Record) -> list[int]:
    """The classes that curves are drawn of: the positive one, or the largest few."""
    positive = record.info["target"].get("positive")
    if record.task == "binary" and positive is not None:
        return [record.classes.index(str(positive))]
    counts = np.bincount(record.truth, minlength=len(record.classes))
    return [int(code) for code in np.argsort(-counts, kind="stable")[:CURVES] if 0 < counts[code] < counts.sum()]


def _curves(truth: np.ndarray, answer: np.ndarray, record: Record) -> list[Figure]:
    """ROC and precision-recall of each class against the rest."""
    codes = [code for code in _positives(record) if 0 < (truth == code).sum() < len(truth)]
    if not codes:
        return []
    traced = {record.classes[code]: _traced(truth == code, answer[:, code]) for code in codes}

    def paint_roc(axes):  # type: ignore[no-untyped-def]
        axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1)
        for (name, one), colour, dash in zip(traced.items(), SERIES, DASHES, strict=False):
            axes.plot(one["false"], one["true"], ls=dash, color=colour, label=name)
        legend(axes, ncols=3)

    def paint_pr(axes):  # type: ignore[no-untyped-def]
        for (name, one), colour, dash in zip(traced.items(), SERIES, DASHES, strict=False):
            axes.plot(one["true"], one["precision"], ls=dash, color=colour, label=name)
        axes.set_ylim(0, 1.03)
        legend(axes, ncols=3)

    metrics = record.metrics["test"]
    roc, average = metrics.get("roc_auc"), metrics.get("average_precision")
    all_of_them = record.task == "binary" or len(traced) == len(record.classes)
    of = "" if all_of_them else f"; drawn are the {len(traced)} largest classes"
    rows = [
        [
            name,
            number(float(one["cut"][i])),
            percent(one["true"][i]),
            percent(one["false"][i]),
            percent(one["precision"][i]),
        ]
        for name, one in traced.items()
        for i in thinned(len(one["cut"]), 12)
    ]
    numbers = Table("Points of the curves", ["class", "probability from", "found", "false alarms", "precision"], rows)
    return [
        draw(
            "ROC: rows found against false alarms",
            f"area under the curve {number(roc)}, 0.5 is chance{of}",
            paint_roc,
            x="share of false alarms",
            y="share found",
            numbers=numbers,
        ),
        draw(
            "Precision against recall",
            f"average precision {number(average)}{of}",
            paint_pr,
            x="recall: share found",
            y="precision",
        ),
    ]


def _traced(positive: np.ndarray, value: np.ndarray) -> dict[str, np.ndarray]:
    """Both curves of a class, at no more points than can be seen."""
    order = np.argsort(-value, kind="stable")
    hits, cut = np.cumsum(positive[order]), value[order]
    last = np.r_[np.diff(cut) != 0, True]
    told: np.ndarray = np.arange(1, len(value) + 1)[last]
    hits, cut = hits[last], cut[last]
    kept = thinned(len(cut), 150)
    hits, told, cut = hits[kept], told[kept], cut[kept]
    false = (told - hits) / max(1, (~positive).sum())
    return {"true": hits / positive.sum(), "false": false, "precision": hits / told, "cut": cut}


def _sure(record: Record) -> list[str]:
    error = record.metrics["test"].get("expected_calibration_error")
    sure, right = float(record.answer.max(1).mean()), float((record.answer.argmax(1) == record.truth).mean())
    gap = 100 * abs(sure - right)
    much = "surer" if sure > right else "less sure"
    judged = "as sure as it is right" if gap < 0.5 else f"{much} than it is right, by {gap:.1f} points"
    return [
        f"It is {percent(sure)} sure on average and right on {percent(right)} of the rows: {judged}. "
        f"The expected calibration error is {number(error)}."
    ]


def _calibration(record: Record) -> Figure:
    """How often an answer is right that is so sure."""
    codes = _positives(record) if record.task == "binary" else []
    said = record.answer[:, codes[0]] if codes else record.answer.max(1)
    true = (record.truth == codes[0]) if codes else (record.answer.argmax(1) == record.truth)
    bins = np.clip((said * BINS).astype(int), 0, BINS - 1)
    groups: list[dict[str, Any]] = []
    for each in range(BINS):
        here = bins == each
        count = int(here.sum())
        if count:
            share = float(true[here].mean())
            half = 1.96 * np.sqrt(max(share * (1 - share), 0.25 / count) / count)
            groups.append({"said": float(said[here].mean()), "share": share, "half": half, "rows": count})

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1)
        x, y, half = ([g[k] for g in groups] for k in ("said", "share", "half"))
        low = [min(h, s) for h, s in zip(half, y, strict=True)]
        high = [min(h, 1 - s) for h, s in zip(half, y, strict=True)]
        axes.errorbar(x, y, yerr=[low, high], fmt="o-", color=ONE, ms=4, lw=1.2, ecolor=INK, elinewidth=0.8, mfc=PAPER)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)

    what = f"are {record.classes[codes[0]]}" if codes else "are right"
    rows = [[percent(g["said"]), percent(g["share"]), number(g["rows"])] for g in groups]
    error = number(record.metrics["test"].get("expected_calibration_error"))
    return draw(
        "Calibration: how sure, how right",
        f"on the dotted line it would be as right as it is sure; expected calibration error {error}",
        paint,
        x="how sure on average",
        y=f"share that {what}",
        numbers=Table("Answers by how sure they are", ["sure", f"of these {what}", "rows"], rows),
    )
