"""Compute the metrics of predictions, which the task of the metadata defines."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfkit.metadata import Metadata
from tfkit.tasks.registry import get_task
from tfkit.tasks.weighted_sums import Metric

AVERAGES = ("macro", "weighted")  # suffixes of metrics that are other averages over classes


def task_metrics(y_true: Any, y_pred: Any, metadata: Metadata) -> list[Metric]:
    """Create the metrics of a task; none for an unknown task or no rows.

    Undefined values are NaN.
    """
    if not len(y_true):
        return []
    task = get_task(metadata.task)
    y_true, y_pred = task.validate_predictions(y_true, y_pred, metadata)
    with np.errstate(over="ignore"):
        return task.make_metrics(y_true, y_pred, metadata)


def printed_metrics(names: Iterable[str]) -> list[str]:
    """The metrics to show: without other averages of a metric, which are in metrics.json.

    Example:
        >>> printed_metrics(["f1", "f1_macro", "f1_weighted"]), printed_metrics(["f1_micro", "f1_macro"])
        (['f1'], ['f1_micro', 'f1_macro'])
    """
    names = list(names)
    return [name for name in names if not any(name == f"{base}_{suffix}" for base in names for suffix in AVERAGES)]


def compute_metrics(y_true: Any, y_pred: Any, metadata: Metadata, *, weight: Any = None) -> dict[str, float]:
    """Compute the metrics of a task, named as in scikit-learn (without `_score`).

    Classification: `precision`, `recall`, `f1`, `roc_auc` and `average_precision` are those of the positive class if
    the target is binary, else the mean over classes (one vs rest) without classes that have no rows.
    `expected_calibration_error` uses 15 bins of equal width of the top probability (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). Undefined metrics, such as ROC AUC with one class, are left out: never NaN.

    Args:
        y_true: Class codes, or values in the units of the user; `(rows,)`. For a forecast, a structured array
            with the series code and the values of each window.
        y_pred: Probabilities `(rows, classes)` in the order of `metadata.target.classes`, or values `(rows,)`.
        metadata: Its task and target are used. Unknown tasks have no metrics: `{}`.
        weight: Sample weights, `(rows,)`. The default is equal weights.

    Returns:
        Metric values by name.

    Raises:
        NotFiniteError: If a prediction is NaN or infinite.
        ValueError: If targets and predictions differ in length or number of classes.

    Example:
        >>> metrics = compute_metrics([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], Metadata())
        >>> {name: round(value, 3) for name, value in metrics.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'root_mean_squared_error': 0.577, 'mean_absolute_error': 0.333, 'r2': 0.786, 'median_absolute_error': 0.0}
    """
    weights = np.ones((len(y_true), 1)) if weight is None else np.asarray(weight, "float64").reshape(-1, 1)
    metrics = task_metrics(y_true, y_pred, metadata)
    values = {name: float(value[0]) for metric in metrics for name, value in metric(weights).items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def per_class_metrics(y_true: Any, y_pred: Any, metadata: Metadata) -> dict[str, dict[str, float]]:
    """Compute precision, recall, F1 and support of each class; `{}` where there are no classes.

    Precision is 0 for a class that is never predicted, as in scikit-learn. Undefined metrics of a class without rows
    are left out.

    Example:
        >>> from tfkit.metadata import Target
        >>> target = Target(task="classification", classes=["no", "yes"], positive_class="yes")
        >>> per_class_metrics([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], Metadata(target=target))["yes"]
        {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'support': 1}
    """
    task = get_task(metadata.task)
    return task.per_class_metrics(*task.validate_predictions(y_true, y_pred, metadata), metadata)
