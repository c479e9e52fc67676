"""The task of a recipe with losses and outputs of its own."""

from tfkit.tasks.task import Task


class Custom(Task):
    """The task of a recipe with losses and outputs of its own: it has no metrics, and is judged by the loss."""

    NAME = "custom"


TASK = Custom()
