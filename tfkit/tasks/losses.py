"""Losses by name, for every task that has some."""

from typing import TYPE_CHECKING

from tfkit.errors import UserError
from tfkit.metadata import Metadata, Target
from tfkit.tasks.registry import get_task

if TYPE_CHECKING:
    import keras


def validate_loss(name: str, target: Target, *, quantile: float = 0.5) -> str:
    """Validate the name of the loss, and replace "auto" by the default of the task.

    Raises:
        UserError: If the loss does not fit the target.
    """
    names = get_task(target.task).LOSSES
    name = names[0] if name == "auto" else name
    if name not in names:
        raise UserError(
            f"`loss` must fit the task: with task={target.task} it can be {', '.join(names)}. "
            f"Received: loss={name}, target {target.name!r}"
        )
    if name == "quantile" and not 0 < quantile < 1:
        raise UserError(f"`quantile` must be above 0 and below 1. Received: quantile={quantile}")
    return name


def make_loss(name: str, metadata: Metadata, *, soft_targets: bool = False) -> "keras.losses.Loss":
    """Create the loss with a name that `validate_loss` accepts.

    With `soft_targets`, targets are averages such as those of MixUp: class probabilities instead of class codes.

    The loss "quantile" is that of the quantiles in the metadata: of its target, or of a forecast.
    """
    name = validate_loss(name, metadata.target, quantile=metadata.target.quantile or 0.5)
    task = get_task(metadata.task)
    return task.make_soft_loss(name, metadata) if soft_targets else task.make_loss(name, metadata)


def default_loss(metadata: Metadata, *, prefer: str) -> str:
    """The name of the preferred loss if the task has it, else that of the default loss of the task."""
    names = get_task(metadata.task).LOSSES
    return prefer if prefer in names else names[0]
