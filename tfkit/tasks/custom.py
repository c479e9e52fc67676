"""A task that tfkit does not know: it has no metrics, and is judged by the loss."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.metadata import Metadata
from tfkit.tasks.validation import dataset_targets
from tfkit.tasks.weighted_sums import Metric

if TYPE_CHECKING:
    import pandas as pd

LOSSES = ()
PRIMARY_METRIC = ("loss", "min")
PRUNING_METRIC = "loss"
REPORT_SECTIONS = ()
ANALYSES = ()


def num_bootstrap_columns(metadata: Metadata) -> int:
    """The number of rankings to resample."""
    return 1


def validate_predictions(y_true: Any, y_pred: Any, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions as arrays."""
    return np.asarray(y_true), np.asarray(y_pred)


def make_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> list[Metric]:
    """No metrics."""
    return []


def score_warnings(scores: dict[str, float], metadata: Metadata) -> list[str]:
    """No warnings."""
    return []


def per_class_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> dict[str, dict[str, float]]:
    """No metrics."""
    return {}


def targets(dataset: Any, metadata: Metadata) -> np.ndarray:
    """The targets of a dataset."""
    return dataset.targets() if callable(getattr(dataset, "targets", None)) else dataset_targets(dataset)


def predictions_to_frame(outputs: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
    """The column `predicted`, or one for each output."""
    import pandas as pd

    values = np.asarray(outputs).reshape(len(outputs), -1)
    names = ["predicted"] if values.shape[1] == 1 else [f"predicted_{i}" for i in range(values.shape[1])]
    return pd.DataFrame(values, columns=names)


def test_frame(dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
    """The rows of predictions.csv: `actual`, where it is one value, and predictions."""
    frame = predictions_to_frame(y_pred, metadata)
    if np.ndim(y_true) == 1:
        frame.insert(0, "actual", y_true)
    return frame


def read_test_frame(path: Path, metadata: Metadata) -> tuple[Any, Any]:
    """No targets and predictions: they cannot be scored."""
    return None, None


def comparable_targets(y_true: Any) -> np.ndarray:
    """The targets as an array, to see whether two runs were tested on the same rows."""
    return np.asarray(y_true)
