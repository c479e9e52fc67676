"""Errors section of a regression: predictions, residuals, error by decile."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, MUTED, ORANGE, Figure, Table, draw, evenly_spaced_indices, legend, log_axis
from tfkit.reporting.formatting import format_number
from tfkit.reporting.run_results import RunResults


def regression(record: RunResults) -> list[Section]:
    """Return the size of the errors with figures."""
    if record.y_true is None or len(record.y_true) < 2:
        return []
    residuals = record.y_pred - record.y_true
    median, p90 = float(np.median(np.abs(residuals))), float(np.quantile(np.abs(residuals), 0.9))
    bias = float(residuals.mean())
    paragraphs = [
        f"The absolute error is below {format_number(median)} for half of the test rows and below "
        f"{format_number(p90)} for 90%. On average, predictions are too {'high' if bias > 0 else 'low'} by "
        f"{format_number(abs(bias))}."
    ]
    figures = [_predicted_against_true(record), _residual_histogram(residuals), _error_by_decile(record, residuals)]
    return [Section("Errors", paragraphs, figures)]


def _predicted_against_true(record: RunResults) -> Figure:
    """Plot predictions against true values, on log axes if the range is large."""
    y_true, y_pred = record.y_true, record.y_pred
    plotted = np.argsort(y_true, kind="stable")[evenly_spaced_indices(len(y_true))]
    ends = [float(y_true.min()), float(y_true.max())]
    log = y_true.min() > 0 and y_pred.min() > 0 and np.quantile(y_true, 0.99) > 30 * np.quantile(y_true, 0.01)

    def plot(axes: Any) -> None:
        axes.scatter(y_true[plotted], y_pred[plotted], s=7, color=BLUE, alpha=0.5, lw=0)
        axes.plot(ends, ends, ":", color=MUTED, lw=1.2)
        if log:
            log_axis(axes.xaxis)
            log_axis(axes.yaxis)

    r2 = record.metrics["test"].get("r2")
    description = f"{len(plotted)} test rows; a perfect model is on the dotted line; R2 is {format_number(r2)}"
    return draw("Predicted against true", description, plot, x=f"true {record.target}", y="predicted", height=3.2)


def _residual_histogram(residuals: np.ndarray) -> Figure:
    """Plot the distribution of the residuals without the outermost 1%."""
    low, high = np.quantile(residuals, [0.005, 0.995])
    inside = residuals[(residuals >= low) & (residuals <= high)]
    counts, edges = np.histogram(inside, 40)

    def plot(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.6)
        axes.axvline(0, color=MUTED, lw=1.2, ls=":")

    rows = [
        [format_number(left), format_number(right), int(count)]
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
    ]
    q25, q75 = (format_number(np.quantile(residuals, q)) for q in (0.25, 0.75))
    return draw(
        "Residuals",
        f"predicted minus true; half of the residuals are between {q25} and {q75}; the outermost 1% is not shown",
        plot,
        x="predicted minus true",
        y="test rows",
        data=Table("Test rows by residual", ["from", "to", "rows"], rows),
    )


def _error_by_decile(record: RunResults, residuals: np.ndarray) -> Figure:
    """Plot mean absolute error and bias by decile of the true value."""
    deciles = [rows for rows in np.array_split(np.argsort(record.y_true, kind="stable"), 10) if len(rows)]
    error = [float(np.abs(residuals[rows]).mean()) for rows in deciles]
    bias = [float(residuals[rows].mean()) for rows in deciles]

    def plot(axes: Any) -> None:
        positions = np.arange(1, len(deciles) + 1)
        axes.bar(positions, error, 0.7, color=BLUE, alpha=0.6, label="error")
        axes.plot(positions, bias, "o-", color=ORANGE, ms=4, label="bias")
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.set_xticks(positions)
        legend(axes)

    ends = [(format_number(record.y_true[rows].min()), format_number(record.y_true[rows].max())) for rows in deciles]
    table_rows = [[i + 1, *ends[i], format_number(error[i]), format_number(bias[i])] for i in range(len(deciles))]
    description = (
        f"bars: mean absolute error, from {format_number(min(error))} to {format_number(max(error))}; line: bias "
    )
    description += "(mean of predicted minus true)"
    return draw(
        "Error by decile of the true value",
        description,
        plot,
        x="decile of the true value",
        data=Table("Error by decile", ["decile", "true from", "to", "error", "bias"], table_rows),
    )
