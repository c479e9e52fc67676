"""Tasks: what a model predicts, its losses and metrics, and how predictions are written and read."""

from typing import Any

from tfkit.tasks.losses import make_loss, validate_loss
from tfkit.tasks.make_data import balance_classes, make_data
from tfkit.tasks.registry import Task, get_task

__all__ = ["Task", "balance_classes", "get_task", "make_data", "make_loss", "num_outputs", "validate_loss"]


def num_outputs(metadata: Any) -> int:
    """The number of model outputs for the target: one per class, one number, one per quantile."""
    return get_task(metadata.task).num_outputs(metadata)
