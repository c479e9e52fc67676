"""The metric that matters: what runs, baselines and trials are compared by."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from tfkit.errors import UserError, did_you_mean
from tfkit.metadata import Metadata
from tfkit.tasks.registry import get_task

ALIASES = {
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "lrap": "label_ranking_average_precision",
}


def resolve_metric(name: str, metadata: Metadata, *, balance_classes: bool = False) -> str:
    """The name of a metric as in metrics.json: "auto" is the choice of the task, `rmse` is `root_mean_squared_error`.

    Args:
        name: The setting `metric` of a recipe.
        metadata: The metadata of the data, with the counts of the classes.
        balance_classes: Whether all classes have the same total weight.

    Raises:
        UserError: If the task has no such metric.

    Example:
        >>> from tfkit.metadata import Target
        >>> resolve_metric("rmse", Metadata()), resolve_metric("auto", Metadata(target=Target(task="forecasting")))
        ('root_mean_squared_error', 'mase')
    """
    task = get_task(metadata.task)
    if name == "auto":
        return task.default_metric(metadata, balance_classes=balance_classes)
    resolved = ALIASES.get(name, name)
    if resolved not in task.METRICS:
        names = [*task.METRICS, *(alias for alias, long_name in ALIASES.items() if long_name in task.METRICS)]
        raise UserError(
            f"`metric` must be one of task={metadata.task}: {', '.join(names)}.{did_you_mean(name, names)} "
            f"Received: metric={name}"
        )
    return resolved


def primary_metric(metadata: Metadata) -> tuple[str, Literal["min", "max"]]:
    """The metric that runs are compared by, and whether "max" or "min" is best.

    Example:
        >>> from tfkit.metadata import Target
        >>> primary_metric(Metadata()), primary_metric(Metadata(metric="r2"))
        (('root_mean_squared_error', 'min'), ('r2', 'max'))
    """
    metrics = get_task(metadata.task).METRICS
    name = metadata.metric or next(iter(metrics))
    return name, metrics.get(name, "min")


def comparable_metric(metadata: Metadata, scores: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The primary metric, or the next metric of the task if one of the scores lacks it; None if all lack one.

    Example:
        >>> comparable_metric(Metadata(), [{"r2": 0.5, "mean_absolute_error": 2.0}, {"mean_absolute_error": 3.0}])
        ('mean_absolute_error', 'min')
    """
    scores, metrics = list(scores), get_task(metadata.task).METRICS
    names = [primary_metric(metadata)[0], *metrics]
    name = next((name for name in names if all(values.get(name) is not None for values in scores)), None)
    return None if name is None else (name, metrics.get(name, "min"))
