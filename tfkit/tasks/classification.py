"""The classification task: one of several classes per row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.metadata import Metadata, Target
from tfkit.tasks.classification_metrics import class_counts, class_metrics, probability_metrics, ranking_metrics
from tfkit.tasks.task import Predict, Task
from tfkit.tasks.validation import check_predictions
from tfkit.tasks.weighted_sums import Metric, ratio

if TYPE_CHECKING:
    import keras
    import pandas as pd

IMBALANCED_SHARE = 0.8  # of training rows in one class, from which accuracy says little

ABSENT_LOGIT = -30.0  # of a class without training rows


class Classification(Task):
    """The classification task: one of several classes per row."""

    NAME = "classification"
    LOSSES = ("cross_entropy", "label_smoothing", "focal")  # the first is the default
    METRICS = {
        **dict.fromkeys(("accuracy", "balanced_accuracy", "precision", "recall", "f1"), "max"),
        **dict.fromkeys(("precision_macro", "recall_macro", "f1_macro"), "max"),
        **dict.fromkeys(("precision_weighted", "recall_weighted", "f1_weighted"), "max"),
        **dict.fromkeys(("roc_auc", "average_precision"), "max"),
        **dict.fromkeys(("log_loss", "expected_calibration_error"), "min"),
    }
    PRUNING_METRIC = "log_loss"  # varies more smoothly with the settings than the primary metric
    OUTPUT_ACTIVATION = "softmax"
    ROW_LOSS_NAME = "log loss"
    ROW_ERROR_NAME = "error rate"
    REPORT_SECTIONS = ("classification",)
    ANALYSES = ("label_issues", "slices")

    def make_loss(self, name: str, metadata: Metadata) -> "keras.losses.Loss":
        """Create a loss on logits by its name."""
        import keras

        from tfkit import losses

        if name == "cross_entropy":
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if name == "label_smoothing":
            return losses.SparseLabelSmoothingCrossentropy(0.1)
        return losses.SparseCategoricalFocalCrossentropy(2.0)

    def make_soft_loss(self, name: str, metadata: Metadata) -> "keras.losses.Loss":
        """Create a loss for class probabilities: with label smoothing if that is the name, else cross-entropy."""
        from tfkit import losses

        return losses.SparseLabelSmoothingCrossentropy(0.1 if name == "label_smoothing" else 0.0)

    def num_outputs(self, metadata: Metadata) -> int:
        """The number of model outputs: logits, one per class."""
        return len(metadata.target.classes or ())

    def make_postprocessor(self, metadata: Metadata) -> "keras.Sequential":
        """Convert logits to probabilities `(rows, classes)`."""
        import keras

        return keras.Sequential(
            [keras.layers.Reshape((self.num_outputs(metadata),)), keras.layers.Softmax()], name="restore"
        )

    def balanced_weights(self, y: np.ndarray, target: Target) -> np.ndarray:
        """Weights by inverse class frequency, with mean 1."""
        counts = np.bincount(y, minlength=len(target.classes or ()))
        weights = len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return weights[y].astype("float32")

    def default_metric(self, metadata: Metadata, *, balance_classes: bool = False) -> str:
        """Accuracy; balanced accuracy if most training rows have one class, or classes are balanced in training."""
        counts = list((metadata.target.counts or {}).values())
        is_imbalanced = bool(counts) and max(counts) >= IMBALANCED_SHARE * sum(counts)
        return "balanced_accuracy" if is_imbalanced or balance_classes else "accuracy"

    def num_bootstrap_columns(self, metadata: Metadata) -> int:
        """The number of rankings to resample: one, or one per class of several."""
        return 1 if metadata.target.is_binary else self.num_outputs(metadata)

    def validate_predictions(self, y_true: Any, y_pred: Any, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
        """Class codes `(rows,)` and probabilities `(rows, classes)` as arrays; raise if they are invalid."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        check_predictions(y_pred, len(y_true), (len(y_true), self.num_outputs(metadata)))
        return y_true.reshape(-1).astype("int64"), y_pred.astype("float32" if y_pred.dtype == "float32" else "float64")

    def make_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> list[Metric]:
        """Create the metrics of validated predictions."""
        return [make(y_true, y_pred, metadata) for make in (class_metrics, ranking_metrics, probability_metrics)]

    def per_class_metrics(
        self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata
    ) -> dict[str, dict[str, float]]:
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

    def row_losses(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> np.ndarray:
        """The log loss of each row, `(rows,)`."""
        probability = np.take_along_axis(y_pred, np.asarray(y_true).reshape(-1, 1).astype(int), 1)[:, 0]
        return -np.log(np.clip(probability.astype("float64"), 1e-7, 1))

    def row_errors(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> np.ndarray:
        """1 for a wrong class, 0 for the right one, `(rows,)`."""
        return (y_pred.argmax(1) != np.asarray(y_true).reshape(-1)).astype("float64")

    def confidence(self, y_pred: np.ndarray) -> np.ndarray:
        """The difference of the two highest probabilities, `(rows,)`."""
        ordered = np.sort(y_pred, axis=1)
        return ordered[:, -1] - ordered[:, -2]

    def label_and_prediction(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> dict[str, Any]:
        """Label, predicted class and its probability, and the probability of the label, of one row."""
        classes, label, code = metadata.target.classes or [], int(y_true), int(np.argmax(y_pred))
        probabilities = {"probability": float(y_pred[code]), "probability_of_label": float(y_pred[label])}
        return {"label": classes[label], "predicted": classes[code], **probabilities}

    def predict_constant(self, y: np.ndarray, weight: np.ndarray | None, metadata: Metadata) -> np.ndarray:
        """Class frequencies `(1, classes)`; weights are ignored, because balanced classes would be equally frequent."""
        counts = np.bincount(y.astype("int64"), minlength=self.num_outputs(metadata))
        return (counts / counts.sum())[None]

    def fit_estimator(
        self,
        make_classifier: Any,
        make_regressor: Any,
        x: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        metadata: Metadata,
    ) -> Predict:
        """Fit a classifier; it predicts probabilities `(rows, classes)`, 0 for a class without training rows."""
        y = y.astype("int64")
        if len(np.unique(y)) < 2:
            constant = self.predict_constant(y, weight, metadata)
            return lambda x: np.tile(constant, (x.shape[0], 1))
        model = make_classifier(y, 1).fit(x, y, sample_weight=weight)

        def predict(x: Any) -> np.ndarray:
            y_prob = np.zeros((x.shape[0], self.num_outputs(metadata)))
            y_prob[:, model.classes_] = model.predict_proba(x)
            return y_prob

        return predict

    def predict_neighbors(self, y: np.ndarray, num_train: int, metadata: Metadata) -> np.ndarray:
        """With n training rows and k classes, the class of the neighbor has the probability (n + 1) / (n + k)."""
        num_classes = self.num_outputs(metadata)
        return (num_train * np.eye(num_classes)[y] + 1) / (num_train + num_classes)

    def fit_linear(
        self,
        make_classifier: Any,
        make_regressor: Any,
        x: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        metadata: Metadata,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit a linear classifier; a class without training rows has the logit `ABSENT_LOGIT`."""
        num_classes, present = self.num_outputs(metadata), np.unique(y)
        kernel, bias = np.zeros((x.shape[1], num_classes)), np.full(num_classes, ABSENT_LOGIT)
        if len(present) == 1:
            bias[present] = 0.0
            return kernel, bias
        model = make_classifier(y, 1).fit(x, y, sample_weight=weight)
        if len(present) == 2:
            kernel[:, present], bias[present] = model.coef_.T * [-0.5, 0.5], model.intercept_ * [-0.5, 0.5]
        else:
            kernel[:, present], bias[present] = model.coef_.T, model.intercept_
        return kernel, bias

    def signed_targets(self, y: np.ndarray, metadata: Metadata) -> np.ndarray:
        """+1 for the class of a row, -1 for all others, `(rows, classes)`."""
        return 2.0 * np.eye(self.num_outputs(metadata))[y] - 1

    def logit_targets(self, y: np.ndarray, metadata: Metadata) -> np.ndarray:
        """Class probabilities smoothed by one extra row per class, similar to Platt 1999, `(rows, classes)`."""
        return self.predict_neighbors(y, len(y), metadata)

    def predictions_to_frame(self, outputs: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
        """The columns `predicted` and `probability_CLASS`."""
        import pandas as pd

        classes, codes = metadata.target.classes or [], outputs.argmax(axis=1)
        return pd.DataFrame(
            {"predicted": _to_labels(codes, metadata.target)}
            | {f"probability_{name}": outputs[:, i] for i, name in enumerate(classes)}
        )

    def check_threshold(self, metadata: Metadata) -> None:
        """Raise if there are more than two classes."""
        if metadata.target.positive_code is None:
            super().check_threshold(metadata)

    def decide(self, outputs: np.ndarray, threshold: float, metadata: Metadata) -> np.ndarray:
        """The positive class where its probability is at least the threshold, else the other."""
        self.check_threshold(metadata)
        code = metadata.target.positive_code or 0
        return _to_labels(np.where(outputs[:, code] >= threshold, code, 1 - code), metadata.target)

    def test_frame(self, dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
        """The rows of predictions.csv: `actual`, then the columns of `predictions_to_frame`."""
        frame = self.predictions_to_frame(y_pred, metadata)
        frame.insert(0, "actual", _to_labels(y_true, metadata.target))
        return frame

    def read_test_frame(self, path: Path, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions of a predictions.csv."""
        import pandas as pd

        frame = pd.read_csv(path, dtype={"actual": str, "predicted": str}, keep_default_na=False)
        classes = metadata.target.classes or []
        codes = {str(name): code for names in (metadata.target.labels, classes) for code, name in enumerate(names)}
        return frame["actual"].map(codes).to_numpy("int64"), frame.iloc[:, -len(classes) :].to_numpy("float64")


def _to_labels(codes: np.ndarray, target: Target) -> np.ndarray:
    """The labels of class codes in the type that they have in the data of the user."""
    labels = target.labels
    return np.array(labels, object if target.label_type == "string" else None)[codes]


TASK = Classification()
