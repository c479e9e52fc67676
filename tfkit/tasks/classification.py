"""The classification task: one of several classes per row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.metadata import Metadata, Target
from tfkit.tasks.classification_metrics import class_counts, class_metrics, probability_metrics, ranking_metrics
from tfkit.tasks.validation import check_predictions, dataset_targets
from tfkit.tasks.weighted_sums import Metric, ratio

if TYPE_CHECKING:
    import keras
    import pandas as pd

LOSSES = ("cross_entropy", "label_smoothing", "focal")  # the first is the default
PRIMARY_METRIC = ("accuracy", "max")
PRUNING_METRIC = "log_loss"  # varies more smoothly with the settings than the primary metric
REPORT_SECTIONS = ("classification",)
ANALYSES = ("label_issues", "slices")


def make_loss(name: str, metadata: Metadata) -> "keras.losses.Loss":
    """Create a loss on logits by its name."""
    import keras

    from tfkit import losses

    if name == "cross_entropy":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if name == "label_smoothing":
        return losses.SparseLabelSmoothingCrossentropy(0.1)
    return losses.SparseCategoricalFocalCrossentropy(2.0)


def num_outputs(metadata: Metadata) -> int:
    """The number of model outputs: logits, one per class."""
    return len(metadata.target.classes or ())


def make_postprocessor(metadata: Metadata) -> "keras.Sequential":
    """Convert logits to probabilities `(rows, classes)`."""
    import keras

    return keras.Sequential([keras.layers.Reshape((num_outputs(metadata),)), keras.layers.Softmax()], name="restore")


def num_bootstrap_columns(metadata: Metadata) -> int:
    """The number of rankings to resample: one, or one per class of several."""
    return 1 if metadata.target.is_binary else num_outputs(metadata)


def validate_predictions(y_true: Any, y_pred: Any, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
    """Class codes `(rows,)` and probabilities `(rows, classes)` as arrays; raise if shapes or values are invalid."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    check_predictions(y_pred, len(y_true), (len(y_true), num_outputs(metadata)))
    return y_true.reshape(-1).astype("int64"), y_pred.astype("float32" if y_pred.dtype == "float32" else "float64")


def make_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> list[Metric]:
    """Create the metrics of validated predictions."""
    return [make(y_true, y_pred, metadata) for make in (class_metrics, ranking_metrics, probability_metrics)]


def score_warnings(scores: dict[str, float], metadata: Metadata) -> list[str]:
    """No warnings."""
    return []


def per_class_metrics(y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each class, of validated predictions."""
    hits, predicted, support = (add(np.ones((len(y_true), 1)))[:, 0] for add in class_counts(y_true, y_pred))
    metrics = {
        "precision": ratio(hits, predicted, predicted + support > 0),
        "recall": ratio(hits, support, support > 0),
        "f1": ratio(2 * hits, predicted + support, predicted + support > 0),
    }
    return {
        str(label): {name: float(values[code]) for name, values in metrics.items() if np.isfinite(values[code])}
        | {"support": int(support[code])}
        for code, label in enumerate(metadata.target.classes or ())
    }


def per_row_loss(y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> np.ndarray:
    """The log loss of each row, `(rows,)`."""
    probability = np.take_along_axis(y_pred, np.asarray(y_true).reshape(-1, 1).astype(int), 1)[:, 0]
    return -np.log(np.clip(probability.astype("float64"), 1e-7, 1))


def label_and_prediction(y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> dict[str, Any]:
    """Label, predicted class and its probability, of one row."""
    classes, code = metadata.target.classes or [], int(np.argmax(y_pred))
    return {"label": classes[int(y_true)], "predicted": classes[code], "probability": float(y_pred[code])}


def targets(dataset: Any, metadata: Metadata) -> np.ndarray:
    """The class codes of a dataset, `(rows,)`."""
    return dataset_targets(dataset)


def predictions_to_frame(outputs: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
    """The columns `predicted` and `probability_CLASS`."""
    import pandas as pd

    classes, codes = metadata.target.classes or [], outputs.argmax(axis=1)
    return pd.DataFrame(
        {"predicted": _to_labels(codes, metadata.target)}
        | {f"probability_{name}": outputs[:, i] for i, name in enumerate(classes)}
    )


def test_frame(dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
    """The rows of predictions.csv: `actual`, then the columns of `predictions_to_frame`."""
    frame = predictions_to_frame(y_pred, metadata)
    frame.insert(0, "actual", _to_labels(y_true, metadata.target))
    return frame


def _to_labels(codes: np.ndarray, target: Target) -> np.ndarray:
    """The labels of class codes in the type that they have in the data of the user."""
    labels = target.labels
    return np.array(labels, object if target.label_type == "string" else None)[codes]


def read_test_frame(path: Path, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of a predictions.csv."""
    import pandas as pd

    frame = pd.read_csv(path, dtype={"actual": str, "predicted": str}, keep_default_na=False)
    classes = metadata.target.classes or []
    codes = {str(name): code for names in (metadata.target.labels, classes) for code, name in enumerate(names)}
    return frame["actual"].map(codes).to_numpy("int64"), frame.iloc[:, -len(classes) :].to_numpy("float64")


def comparable_targets(y_true: Any) -> np.ndarray:
    """The targets as an array, to see whether two runs were tested on the same rows."""
    return np.asarray(y_true)
