"""The decision threshold of a run: given for a prediction, chosen by the costs of errors, or stored by the report."""

import logging
from typing import Any

from tfkit.atomic_files import write_json
from tfkit.errors import UserError
from tfkit.evaluation.thresholds import threshold_scores
from tfkit.metadata import Metadata
from tfkit.run_dir import RunDir
from tfkit.tasks.registry import get_task

DECISION_FILE = "decision.json"  # of a run: the threshold that later predictions use

log = logging.getLogger("tfkit")


def decision_threshold(
    run: RunDir, metadata: Metadata, threshold: float | None = None, false_negative_cost: float | None = None
) -> float | None:
    """The threshold of the positive class for predictions; None for the default, the most likely class.

    Args:
        run: The run.
        metadata: Its metadata.
        threshold: Probability of the positive class from which it is predicted, in [0, 1].
        false_negative_cost: Cost of a false negative in false positives; the threshold with the lowest cost on the test
            rows is used.

    Raises:
        UserError: If both are given, a value is out of range, or the target does not have two classes or tags.
    """
    if threshold is not None and false_negative_cost is not None:
        raise UserError("Give `threshold` or `false_negative_cost`, not both.")
    if threshold is None and false_negative_cost is None:
        stored = read_decision(run)
        if stored is None:
            return None
        log.info(
            "%s is predicted from a probability of %.4g: a false negative costs %g false positives, as in the report; "
            "--threshold 0.5 is the default",
            metadata.target.positive_class,
            stored["threshold"],
            stored["false_negative_cost"],
        )
        return float(stored["threshold"])
    if threshold is not None:
        if not 0 <= threshold <= 1:
            raise UserError(f"`threshold` is a probability, from 0 to 1. Received: threshold={threshold}")
        get_task(metadata.task).check_threshold(metadata)
        return threshold
    assert false_negative_cost is not None
    chosen = lowest_cost_threshold(run, metadata, false_negative_cost)
    log.info("%s is predicted from a probability of %.4g", metadata.target.positive_class, chosen)
    return chosen


def lowest_cost_threshold(run: RunDir, metadata: Metadata, false_negative_cost: float) -> float:
    """The threshold with the lowest cost on the test rows of a run.

    Raises:
        UserError: If the cost is not above 0, or the run does not have test rows of two classes.
    """
    if not false_negative_cost > 0:
        raise UserError(
            "`false_negative_cost` is the cost of a false negative in false positives, and must be above 0. "
            f"Received: {false_negative_cost}"
        )
    code = metadata.target.positive_code
    if code is None:
        raise UserError(
            f"`false_negative_cost` is for a target of two classes. Received: {metadata.target.name!r}, task "
            f"{metadata.task}"
        )
    path = run.path("predictions.csv")
    y_true, y_pred = get_task(metadata.task).read_test_frame(path, metadata) if path.is_file() else (None, None)
    if y_true is None or y_pred is None or not 0 < (y_true == code).sum() < len(y_true):
        raise UserError(
            f"A threshold is chosen on test rows of both classes; give threshold=. Received: {run.folder}, without"
        )
    scores = threshold_scores(y_true == code, y_pred[:, code], false_negative_cost)
    return float(scores.thresholds[int(scores.costs.argmin())])


def read_decision(run: RunDir) -> dict[str, Any] | None:
    """The threshold and cost that the report stored in a run, or None."""
    return run.read_json(DECISION_FILE) if run.path(DECISION_FILE).is_file() else None


def store_decision(run: RunDir, metadata: Metadata, false_negative_cost: float) -> None:
    """Store the threshold with the lowest cost in a run, for later predictions; a cost of 1 restores the default."""
    threshold = lowest_cost_threshold(run, metadata, false_negative_cost)
    if false_negative_cost == 1:
        run.path(DECISION_FILE).unlink(missing_ok=True)
        return
    write_json(run.path(DECISION_FILE), {"false_negative_cost": false_negative_cost, "threshold": threshold})
