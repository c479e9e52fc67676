"""Learning curves and scores of trials, and the median rule that prunes poor trials."""

import json
import math
from pathlib import Path
from statistics import median
from typing import Any

from tfkit.metrics import direction
from tfkit.tasks.registry import get_task

MIN_COMPARED_TRIALS = 4  # a trial is pruned only if compared with at least this many

GRACE_FRACTION = 1 / 3  # no trial is pruned in this fraction of its epochs

LOSS_SETTINGS = {"l1", "l2", "loss", "quantile", "quantiles", "balance_classes"}  # they change the loss function


def newest_run(folder: Path) -> Path | None:
    """Return the most recently started run in the folder of a trial."""
    runs = sorted(folder.glob("*/provenance.json"), key=lambda path: path.stat().st_mtime)
    return runs[-1].parent if runs else None


def read_curve(run: Path | None, monitor: str) -> list[float]:
    """Read the monitored value of each epoch; NaN where it is not finite."""
    if run is None or not (run / "history.jsonl").exists():
        return []
    values = []
    for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            value = json.loads(line).get(monitor)
        except ValueError:  # the line is not complete yet
            break
        values.append(math.nan if value is None else float(value))
    return values


def best_value(values: list[float], mode: str) -> float | None:
    """Return the best value of a curve, or None if none is finite."""
    finite = [value for value in values if math.isfinite(value)]
    return (min if mode == "min" else max)(finite) if finite else None


def default_objective(metrics: dict[str, Any], monitor: str) -> str:
    """Return the score that ranks trials: for classification the log loss, which does not depend on loss settings."""
    name = get_task(metrics["task"]).PRUNING_METRIC
    return name if name in metrics.get("val", {}) else monitor


def read_score(run: Path, objective: str, monitor: str, mode: str) -> float | None:
    """Read the validation score of a finished run; if the objective is the monitor, that of the best epoch."""
    if objective == monitor:
        return best_value(read_curve(run, monitor), mode)
    value = json.loads((run / "metrics.json").read_text(encoding="utf-8")).get("val", {}).get(objective)
    return value if value is not None and math.isfinite(value) else None


def mode_of(objective: str, monitor: str, mode: str | None) -> str | None:
    """Return "min" or "max", whichever is better for the objective; None if unknown."""
    return mode or direction(monitor) if objective == monitor else direction(objective)


def should_prune(values: list[float], other_curves: list[list[float]], mode: str, epochs: int) -> bool:
    """Whether the best value so far is worse than the median of other trials (the median rule).

    Golovin et al. 2017 (https://doi.org/10.1145/3097983.3098043), with the best value so far for both the trial and the
    trials it is compared with.

    Args:
        values: Monitored value of each epoch of the trial so far.
        other_curves: The same of the trials it is compared with.
        mode: "min" or "max".
        epochs: Number of epochs of a complete training.

    Example:
        >>> curves = [[0.5, 0.4, 0.3], [0.6, 0.5, 0.4], [0.7, 0.6, 0.5], [0.8, 0.7, 0.6]]
        >>> should_prune([0.9, 0.8, 0.7], curves, "min", 3), should_prune([0.9, 0.8, 0.4], curves, "min", 3)
        (True, False)
    """
    epoch = len(values)
    if epoch < max(1, math.ceil(GRACE_FRACTION * epochs)):
        return False
    best_values = [best_value(curve[:epoch], mode) for curve in other_curves if len(curve) >= epoch]
    finite = [value for value in best_values if value is not None]
    if len(finite) < MIN_COMPARED_TRIALS:
        return False
    best_so_far, median_value = best_value(values, mode), median(finite)
    return best_so_far is None or (best_so_far > median_value if mode == "min" else best_so_far < median_value)
