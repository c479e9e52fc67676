"""Where predicted numbers are off."""

import numpy as np

from tfkit.report.figures import MUTED, ONE, TWO, Figure, Table, draw, in_powers, legend, thinned
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number


def regression(record: Record) -> list[Section]:
    """Predicted against true, residuals, error by decile."""
    if record.truth is None or len(record.truth) < 2:
        return []
    residual = record.answer - record.truth
    far = float(np.quantile(np.abs(residual), 0.9))
    words = [
        f"Half of the test rows are off by less than {number(float(np.median(np.abs(residual))))}, nine in ten by "
        f"less than {number(far)}. On average it says {number(abs(float(residual.mean())))} too "
        f"{'much' if residual.mean() > 0 else 'little'}."
    ]
    figures = [_beside(record), _residuals(record, residual), _deciles(record, residual)]
    return [Section("Where it fails", words, figures)]


def _beside(record: Record) -> Figure:
    truth, answer = record.truth, record.answer
    some = np.argsort(truth, kind="stable")[thinned(len(truth))]
    ends = [float(truth.min()), float(truth.max())]
    log = truth.min() > 0 and answer.min() > 0 and np.quantile(truth, 0.99) > 30 * np.quantile(truth, 0.01)

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.scatter(truth[some], answer[some], s=7, color=ONE, alpha=0.5, lw=0)
        axes.plot(ends, ends, ":", color=MUTED, lw=1.2)
        if log:
            in_powers(axes.xaxis)
            in_powers(axes.yaxis)

    r2 = record.metrics["test"].get("r2")
    says = f"{len(some)} test rows; on the dotted line predicted and true are equal; R2 is {number(r2)}"
    return draw("Predicted against true", says, paint, x=f"true {record.target}", y="predicted", height=3.2)


def _residuals(record: Record, residual: np.ndarray) -> Figure:
    low, high = np.quantile(residual, [0.005, 0.995])
    inside = residual[(residual >= low) & (residual <= high)]
    counts, edges = np.histogram(inside, 40)

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.stairs(counts, edges, fill=True, color=ONE, alpha=0.6)
        axes.axvline(0, color=MUTED, lw=1.2, ls=":")

    rows = [[number(float(a)), number(float(b)), int(n)] for a, b, n in zip(edges, edges[1:], counts, strict=False)]
    says = f"predicted less true; the middle half lies from {number(float(np.quantile(residual, 0.25)))} to "
    says += f"{number(float(np.quantile(residual, 0.75)))}; the outermost hundredth is left out"
    return draw(
        "Residuals",
        says,
        paint,
        x="predicted less true",
        y="test rows",
        numbers=Table("Test rows by residual", ["from", "to", "rows"], rows),
    )


def _deciles(record: Record, residual: np.ndarray) -> Figure:
    """Error and bias of each tenth of the rows by their true value."""
    parts = [part for part in np.array_split(np.argsort(record.truth, kind="stable"), 10) if len(part)]
    error = [float(np.abs(residual[part]).mean()) for part in parts]
    bias = [float(residual[part].mean()) for part in parts]

    def paint(axes):  # type: ignore[no-untyped-def]
        places = np.arange(1, len(parts) + 1)
        axes.bar(places, error, 0.7, color=ONE, alpha=0.6, label="error")
        axes.plot(places, bias, "o-", color=TWO, ms=4, label="bias")
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.set_xticks(places)
        legend(axes)

    ends = [(number(float(record.truth[p].min())), number(float(record.truth[p].max()))) for p in parts]
    rows = [[i + 1, *ends[i], number(error[i]), number(bias[i])] for i in range(len(parts))]
    says = f"bars: mean absolute error, from {number(min(error))} to {number(max(error))}; line: predicted less true"
    return draw(
        "Error by decile of the true value",
        says,
        paint,
        x="tenth of the rows, by true value",
        numbers=Table("Error by decile", ["tenth", "true from", "to", "error", "bias"], rows),
    )
