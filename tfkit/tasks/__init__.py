"""Tasks: what a model predicts, its losses and metrics, and how predictions are written and read."""

from typing import Any

from tfkit.tasks.losses import default_loss, make_loss, validate_loss
from tfkit.tasks.make_data import balance_classes, make_data
from tfkit.tasks.primary_metric import primary_metric, resolve_metric
from tfkit.tasks.registry import get_task, task_names
from tfkit.tasks.task import Task

__all__ = [
    "Task",
    "balance_classes",
    "default_loss",
    "get_task",
    "make_data",
    "make_loss",
    "num_outputs",
    "output_activation",
    "primary_metric",
    "resolve_metric",
    "task_names",
    "validate_loss",
]


def num_outputs(metadata: Any) -> int:
    """The number of model outputs for the target: one per class, one number, one per quantile."""
    return get_task(metadata.task).num_outputs(metadata)


def output_activation(metadata: Any) -> str:
    """What makes predictions of model outputs: "softmax" or "sigmoid" of logits, or "linear"."""
    return get_task(metadata.task).OUTPUT_ACTIVATION
