"""What happened in training, epoch by epoch."""

import numpy as np

from tfkit.report.figures import DASHES, MUTED, SERIES, Figure, Table, draw, in_powers, legend
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number, spoken

APART = {"learning_rate", "gradient_norm", "seconds", "rows_per_second", "epoch"}


def curves(record: Record) -> list[Section]:
    """Loss and other metrics, learning rate and gradient norm of every epoch, with the best one marked."""
    if not record.history:
        return []
    names = [name for name in record.history[0] if name not in APART and not name.startswith("val_")]
    figures = [_pair(record, name) for name in names]
    logged = {"learning_rate": True, "gradient_norm": True}
    figures += [_line(record, name) for name in logged if np.isfinite(record.curve(name)).any()]
    best = record.about.get("best_epoch")
    head = list(dict.fromkeys(name for line in record.history for name in line))
    rows = [[int(line[n]) if n == "epoch" else number(line.get(n)) for n in head] for line in record.history]
    words = [
        f"{len(record.history)} epochs of {record.about['rows'][0]:,} rows in "
        f"{number(record.metrics.get('seconds', {}).get('fit'))} s."
    ]
    if best:
        words.append(f"Validation was best in epoch {best}; its weights are kept.")
    if "refit" in record.metrics.get("seconds", {}):
        words.append(
            "Then the model was fitted once more on training and validation rows together; the curves are of "
            "the first time."
        )
    return [Section("What happened in training", words, figures, [Table("Every epoch", list(map(spoken, head)), rows)])]


def _epochs(record: Record) -> np.ndarray:
    return record.curve("epoch")


def _pair(record: Record, name: str) -> Figure:
    """A metric of training and of validation."""
    lines = {
        which: record.curve(n)
        for which, n in (("training", name), ("validation", f"val_{name}"))
        if np.isfinite(record.curve(n)).any()
    }
    epochs, best = _epochs(record), record.about.get("best_epoch")

    def paint(axes):  # type: ignore[no-untyped-def]
        for (which, values), colour, dash in zip(lines.items(), SERIES, DASHES, strict=False):
            axes.plot(epochs, values, dash, color=colour, label=which, marker="o" if len(epochs) < 3 else None)
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
        whole(axes)
        legend(axes)

    last = "; ".join(f"{which} from {number(float(v[0]))} to {number(float(v[-1]))}" for which, v in lines.items())
    says = f"{spoken(name)} of {len(epochs)} epochs: {last}" + (f"; best in epoch {best}" if best else "")
    return draw(spoken(name), says, paint, x="epoch")


def _line(record: Record, name: str) -> Figure:
    values, epochs = record.curve(name), _epochs(record)

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.plot(epochs, values, color=SERIES[0], marker="o" if len(epochs) < 3 else None)
        positive = values[values > 0]
        if len(positive) and positive.max() > 30 * positive.min():
            in_powers(axes.yaxis)
        whole(axes)

    known = values[np.isfinite(values)]
    says = f"{spoken(name)} from {number(float(known[0]))} to {number(float(known[-1]))}"
    return draw(spoken(name), says, paint, x="epoch")


def whole(axes) -> None:  # type: ignore[no-untyped-def]
    """Epochs are whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
