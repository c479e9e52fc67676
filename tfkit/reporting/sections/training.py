"""Training section: loss, metrics, learning rate and gradient norm by epoch."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import DASHES, MUTED, SERIES, Figure, Table, draw, legend, log_axis
from tfkit.reporting.formatting import display_name, format_number
from tfkit.reporting.run_results import RunResults

NOT_METRICS = {"learning_rate", "gradient_norm", "seconds", "rows_per_second", "epoch"}


def curves(record: RunResults) -> list[Section]:
    """Return the training curves, with the best epoch marked."""
    if not record.history:
        return []
    names = [name for name in record.history[0] if name not in NOT_METRICS and not name.startswith("val_")]
    figures = []
    if len(record.history) > 1:  # one epoch has no curve; its values are in the table
        log_names = ("learning_rate", "gradient_norm")
        figures += [_train_and_val_curve(record, name) for name in names]
        figures += [_single_curve(record, name) for name in log_names if np.isfinite(record.curve(name)).any()]
    best = record.provenance.get("best_epoch")
    head = list(dict.fromkeys(name for line in record.history for name in line))
    rows = [
        [int(line[name]) if name == "epoch" else format_number(line.get(name)) for name in head]
        for line in record.history
    ]
    num_epochs = "1 epoch" if len(record.history) == 1 else f"{len(record.history)} epochs"
    paragraphs = [
        f"Trained for {num_epochs} on {record.provenance['rows'][0]:,} rows in "
        f"{format_number(record.metrics.get('seconds', {}).get('fit'))} s."
    ]
    if best:
        paragraphs.append(f"Validation was best in epoch {best}; the model has the weights of that epoch.")
    if "refit" in record.metrics.get("seconds", {}):
        paragraphs.append(
            "The model was then refit on training and validation rows together. The curves show the first fit."
        )
    return [Section("Training", paragraphs, figures, [Table("All epochs", list(map(display_name, head)), rows)])]


def _epochs(record: RunResults) -> np.ndarray:
    return record.curve("epoch")


def _train_and_val_curve(record: RunResults, name: str) -> Figure:
    """Plot a metric of the training and validation sets."""
    lines = {
        split: record.curve(column)
        for split, column in (("training", name), ("validation", f"val_{name}"))
        if np.isfinite(record.curve(column)).any()
    }
    epochs, best = _epochs(record), record.provenance.get("best_epoch")

    def plot(axes: Any) -> None:
        for (split, values), color, dash in zip(lines.items(), SERIES, DASHES, strict=False):
            axes.plot(epochs, values, dash, color=color, label=split, marker="o" if len(epochs) < 3 else None)
        if best:
            axes.axvline(best, color=MUTED, lw=1, ls=":")
            axes.annotate(
                f"best: {best}",
                (best, 1),
                (-3, -3),
                xycoords=("data", "axes fraction"),
                ha="right",
                textcoords="offset points",
                va="top",
                fontsize=8.5,
            )
        integer_axis(axes)
        legend(axes)

    ends = "; ".join(
        f"{split} from {format_number(values[0])} to {format_number(values[-1])}" for split, values in lines.items()
    )
    description = f"{display_name(name)} over {len(epochs)} epochs: {ends}" + (
        f"; best in epoch {best}" if best else ""
    )
    return draw(display_name(name), description, plot, x="epoch")


def _single_curve(record: RunResults, name: str) -> Figure:
    """Plot a column of the history, on a logarithmic axis if its range is large."""
    values, epochs = record.curve(name), _epochs(record)

    def plot(axes: Any) -> None:
        axes.plot(epochs, values, color=SERIES[0], marker="o" if len(epochs) < 3 else None)
        positive = values[values > 0]
        if len(positive) and positive.max() > 30 * positive.min():
            log_axis(axes.yaxis)
        integer_axis(axes)

    finite = values[np.isfinite(values)]
    description = f"{display_name(name)} from {format_number(finite[0])} to {format_number(finite[-1])}"
    return draw(display_name(name), description, plot, x="epoch")


def integer_axis(axes: Any) -> None:
    """Put ticks of the x axis at integers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
