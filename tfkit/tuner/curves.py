"""What is known of a trial while it runs and after: its curve, its score, and whether it is poor among its like."""

import json
import math
from pathlib import Path
from statistics import median
from typing import Any

from tfkit.metrics import direction
from tfkit.scores import headline

COMPARED = 4  # trials that a poor one must have been compared with
GRACE = 1 / 3  # of its epochs, in which no trial is stopped
IN_THE_LOSS = {"l1", "l2", "loss", "class_weights"}  # settings that change what the loss is made of


def newest_run(folder: Path) -> Path | None:
    """The run that was begun last in the folder of a trial."""
    found = sorted(folder.glob("*/about.json"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None


def curve(run: Path | None, monitor: str) -> list[float]:
    """The monitored value epoch by epoch; what is not finite is infinitely bad for either direction: NaN."""
    if run is None or not (run / "journal.jsonl").exists():
        return []
    found = []
    for line in (run / "journal.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            value = json.loads(line).get(monitor)
        except ValueError:  # it is being written
            break
        found.append(math.nan if value is None else float(value))
    return found


def best(values: list[float], mode: str) -> float | None:
    """The best of a curve, None where nothing is finite."""
    finite = [value for value in values if math.isfinite(value)]
    return (min if mode == "min" else max)(finite) if finite else None


def default_objective(metrics: dict[str, Any], monitor: str) -> str:
    """What trials of a task are compared by: for classes the log loss, which no setting of the loss changes."""
    name = "log_loss" if metrics["task"] in ("binary", "multiclass") else headline(metrics["task"])[0]
    return name if name in metrics.get("val", {}) else monitor


def score(run: Path, objective: str, monitor: str, mode: str) -> float | None:
    """The objective of a finished run on its validation rows, or, where it is the monitor, its best epoch."""
    if objective == monitor:
        return best(curve(run, monitor), mode)
    found = json.loads((run / "metrics.json").read_text(encoding="utf-8")).get("val", {}).get(objective)
    return found if found is not None and math.isfinite(found) else None


def mode_of(objective: str, monitor: str, mode: str | None) -> str | None:
    """Where an objective is best; None where nobody knows."""
    return mode or direction(monitor) if objective == monitor else direction(objective)


def poor(values: list[float], others: list[list[float]], mode: str, epochs: int) -> bool:
    """Whether a trial is worse, at its best so far, than half of the others were by then (the median rule).

    Golovin et al. 2017 (https://doi.org/10.1145/3097983.3098043), with the best value so far on both sides.

    Example:
        >>> others = [[0.5, 0.4, 0.3], [0.6, 0.5, 0.4], [0.7, 0.6, 0.5], [0.8, 0.7, 0.6]]
        >>> poor([0.9, 0.8, 0.7], others, "min", 3), poor([0.9, 0.8, 0.4], others, "min", 3)
        (True, False)
    """
    epoch = len(values)
    if epoch < max(1, math.ceil(GRACE * epochs)):
        return False
    known = [best(other[:epoch], mode) for other in others if len(other) >= epoch]
    there = [value for value in known if value is not None]
    if len(there) < COMPARED:
        return False
    own, middle = best(values, mode), median(there)
    return own is None or (own > middle if mode == "min" else own < middle)
