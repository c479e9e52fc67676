"""Tasks by name: each is an instance of `Task` in a module of this package."""

from importlib import import_module
from pkgutil import iter_modules

from tfkit.errors import UserError, did_you_mean
from tfkit.tasks.task import Task

HELPERS = {"task", "registry", "validation", "weighted_sums", "losses", "make_data", "primary_metric"}
HELPERS |= {"classification_metrics", "multilabel_metrics"}


def task_names() -> list[str]:
    """The names of all tasks.

    Example:
        >>> task_names()
        ['classification', 'custom', 'forecasting', 'multilabel', 'regression']
    """
    return sorted({module.name for module in iter_modules(import_module("tfkit.tasks").__path__)} - HELPERS)


def get_task(name: str) -> Task:
    """The task with a name.

    Raises:
        UserError: If there is none; a recipe with losses and outputs of its own has the task "custom".

    Example:
        >>> get_task("classification").LOSSES, get_task("custom").METRICS
        (('cross_entropy', 'label_smoothing', 'focal'), {'loss': 'min'})
    """
    if name not in (names := task_names()):
        raise UserError(
            f"The task must be one of {', '.join(names)}.{did_you_mean(name, names)} Received: {name!r}; a recipe with "
            "losses and outputs of its own has the task custom"
        )
    task: Task = import_module(f"tfkit.tasks.{name}").TASK
    return task
