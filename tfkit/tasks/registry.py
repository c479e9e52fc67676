"""Tasks by name: each is a module of this package with the attributes of `Task`."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from tfkit.tasks.weighted_sums import Metric

NOT_TASKS = {"registry", "validation", "weighted_sums", "losses", "make_data", "classification_metrics"}


class Task(Protocol):
    """What a module of a task has; a new task is a new module, and no edit elsewhere.

    LOSSES: Names for `make_loss`, the default first.
    PRIMARY_METRIC: The metric that runs are compared by, and whether "max" or "min" is best.
    PRUNING_METRIC: The validation metric that trials of a search are compared by.
    REPORT_SECTIONS: Modules of `tfkit.reporting.sections` that the report shows for this task.
    ANALYSES: Analyses of `tfkit.analysis` that need targets and predictions of this task.
    """

    LOSSES: Sequence[str]
    PRIMARY_METRIC: tuple[str, str]
    PRUNING_METRIC: str
    REPORT_SECTIONS: Sequence[str]
    ANALYSES: Sequence[str]

    def make_loss(self, name: str, metadata: Any) -> Any:
        """Create a loss by its name."""

    def num_outputs(self, metadata: Any) -> int:
        """The number of model outputs."""

    def make_postprocessor(self, metadata: Any) -> Any:
        """Keras layers from model outputs to predictions in the units of the user."""

    def num_bootstrap_columns(self, metadata: Any) -> int:
        """The number of rankings to resample, for the cost of the bootstrap."""

    def validate_predictions(self, y_true: Any, y_pred: Any, metadata: Any) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions as arrays; raise if shapes or values are invalid."""

    def make_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Any) -> list[Metric]:
        """Create the metrics of validated predictions."""

    def per_class_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Any) -> dict[str, dict[str, float]]:
        """Metrics of each class."""

    def score_warnings(self, scores: Any, metadata: Any) -> list[str]:
        """Describe test scores that are not as they should be, such as the coverage of intervals."""

    def per_row_loss(self, y_true: Any, y_pred: np.ndarray, metadata: Any) -> np.ndarray:
        """The error of each row, `(rows,)`."""

    def label_and_prediction(self, y_true: Any, y_pred: np.ndarray, metadata: Any) -> dict[str, Any]:
        """Target and prediction of one row, to show."""

    def targets(self, dataset: Any, metadata: Any) -> np.ndarray:
        """The targets of a dataset in the units of the user."""

    def predictions_to_frame(self, outputs: np.ndarray, metadata: Any) -> Any:
        """Predictions as columns of a DataFrame."""

    def test_frame(self, dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Any) -> Any:
        """The rows of predictions.csv."""

    def read_test_frame(self, path: Path, metadata: Any) -> tuple[Any, Any]:
        """Targets and predictions of a predictions.csv."""

    def comparable_targets(self, y_true: Any) -> np.ndarray:
        """The targets as an array, to see whether two runs were tested on the same rows."""


def get_task(name: str) -> Task:
    """The module of a task; `tfkit.tasks.custom` for a task that is not known.

    Example:
        >>> get_task("classification").PRIMARY_METRIC, get_task("poetry").PRIMARY_METRIC
        (('accuracy', 'max'), ('loss', 'min'))
    """
    module = f"tfkit.tasks.{name}"
    is_task = name.isidentifier() and name not in NOT_TASKS and find_spec(module) is not None
    return cast(Task, import_module(module if is_task else "tfkit.tasks.custom"))
