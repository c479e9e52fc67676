"""The multilabel task: any number of tags per row."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.tags import LISTS, join_tags
from tfkit.data.columns.targets import read_target
from tfkit.metadata import Metadata, Target
from tfkit.tasks.multilabel_metrics import THRESHOLD, probability_metrics, ranking_metrics, tag_losses, tag_metrics
from tfkit.tasks.task import Predict, Task
from tfkit.tasks.validation import check_predictions, dataset_targets
from tfkit.tasks.weighted_sums import Metric, ratio

if TYPE_CHECKING:
    import keras
    import pandas as pd


class Multilabel(Task):
    """The multilabel task: any number of tags per row, each with a logit of its own.

    Targets are `(rows, tags)` of 0 and 1, predictions the probability of each tag.
    """

    NAME = "multilabel"
    LOSSES = ("binary_cross_entropy", "binary_focal")  # the first is the default
    METRICS = {
        **dict.fromkeys(("f1_micro", "f1_macro", "precision_micro", "precision_macro"), "max"),
        **dict.fromkeys(("recall_micro", "recall_macro", "exact_match"), "max"),
        **dict.fromkeys(("roc_auc", "average_precision", "label_ranking_average_precision"), "max"),
        **dict.fromkeys(("hamming_loss", "log_loss"), "min"),
    }
    PRUNING_METRIC = "log_loss"
    OUTPUT_ACTIVATION = "sigmoid"
    ROW_LOSS_NAME = "log loss"
    ROW_ERROR_NAME = "fraction of wrong tags"
    REPORT_SECTIONS = ("multilabel",)
    ANALYSES = ("label_issues", "slices")

    def make_loss(self, name: str, metadata: Metadata) -> "keras.losses.Loss":
        """Create a loss on logits `(rows, tags)` by its name."""
        import keras

        losses = {
            "binary_cross_entropy": keras.losses.BinaryCrossentropy,
            "binary_focal": keras.losses.BinaryFocalCrossentropy,
        }
        return losses[name](from_logits=True)

    def num_outputs(self, metadata: Metadata) -> int:
        """The number of model outputs: logits, one per tag."""
        return len(metadata.target.classes or ())

    def make_postprocessor(self, metadata: Metadata) -> "keras.Sequential":
        """Convert logits to probabilities `(rows, tags)`."""
        import keras

        layers = [keras.layers.Reshape((self.num_outputs(metadata),)), keras.layers.Activation("sigmoid")]
        return keras.Sequential(layers, name="restore")

    def targets(self, dataset: Any, metadata: Metadata) -> np.ndarray:
        """The tags of a dataset `(rows, tags)`."""
        return dataset_targets(dataset)

    def target_notes(self, target: Target) -> list[str]:
        """Say how cells were split, because a delimiter is an assumption."""
        separator = "lists" if target.tag_delimiter == LISTS else f"separated by {target.tag_delimiter!r}"
        return [
            f"the cells of {target.name} are several tags ({separator}), {len(target.classes or ()):,} different ones, "
            "and each tag is predicted; task=classification learns each combination as a class"
        ]

    def num_bootstrap_columns(self, metadata: Metadata) -> int:
        """One ranking per tag."""
        return self.num_outputs(metadata)

    def validate_predictions(self, y_true: Any, y_pred: Any, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
        """Tags and probabilities `(rows, tags)` as arrays; raise if shapes or values are invalid."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        check_predictions(y_pred, len(y_true), (len(y_true), self.num_outputs(metadata)))
        return y_true.astype("int64"), y_pred.astype("float32" if y_pred.dtype == "float32" else "float64")

    def make_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> list[Metric]:
        """Create the metrics of validated predictions."""
        return [make(y_true, y_pred, metadata) for make in (tag_metrics, ranking_metrics, probability_metrics)]

    def per_class_metrics(
        self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata
    ) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and support of each tag."""
        is_tag, is_predicted = y_true > 0, y_pred >= THRESHOLD
        hits, predicted, support = (counts.sum(axis=0) for counts in (is_tag & is_predicted, is_predicted, is_tag))
        metrics = {
            "precision": ratio(hits, predicted, predicted + support > 0),
            "recall": ratio(hits, support, support > 0),
            "f1": ratio(2 * hits, predicted + support, predicted + support > 0),
        }
        return {
            tag: {name: float(values[code]) for name, values in metrics.items() if np.isfinite(values[code])}
            | {"support": int(support[code])}
            for code, tag in enumerate(metadata.target.classes or ())
        }

    def row_losses(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> np.ndarray:
        """The mean binary cross-entropy of the tags of each row, `(rows,)`."""
        return tag_losses(np.asarray(y_true), y_pred).mean(axis=1)

    def row_errors(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> np.ndarray:
        """The fraction of wrong tags of each row, `(rows,)`."""
        return ((np.asarray(y_true) > 0) != (y_pred >= THRESHOLD)).mean(axis=1)

    def confidence(self, y_pred: np.ndarray) -> np.ndarray:
        """The distance of the least certain tag from the threshold, `(rows,)`."""
        return np.abs(y_pred - THRESHOLD).min(axis=1)

    def label_and_prediction(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> dict[str, Any]:
        """Tags and predicted tags of one row, as text, and the lowest probability of a right tag decision."""
        probability = np.where(np.asarray(y_true) > 0, y_pred, 1 - y_pred).min()
        label, predicted = (_to_cells(row, metadata.target)[0] for row in (y_true[None] > 0, y_pred[None] >= THRESHOLD))
        return {"label": label, "predicted": predicted, "probability_of_label": float(probability)}

    def predict_constant(self, y: np.ndarray, weight: np.ndarray | None, metadata: Metadata) -> np.ndarray:
        """The frequency of each tag, `(1, tags)`."""
        return y.astype("float64").mean(axis=0, keepdims=True)

    def fit_estimator(
        self, make_classifier: Any, make_regressor: Any, x: Any, y: np.ndarray, weight: np.ndarray | None, metadata: Any
    ) -> Predict:
        """Fit a classifier per tag (binary relevance); a tag that no row or every row has is constant."""
        y = y.astype("int64")
        num_tags, constant = y.shape[1], self.predict_constant(y, weight, metadata)[0]
        models = {
            code: make_classifier(y[:, code], num_tags).fit(x, y[:, code], sample_weight=weight)
            for code in range(num_tags)
            if 0 < constant[code] < 1
        }

        def predict(x: Any) -> np.ndarray:
            y_prob = np.tile(constant, (x.shape[0], 1))
            for code, model in models.items():
                y_prob[:, code] = model.predict_proba(x)[:, 1]
            return y_prob

        return predict

    def predict_neighbors(self, y: np.ndarray, num_train: int, metadata: Metadata) -> np.ndarray:
        """With n training rows, a tag of the neighbor has the probability (n + 1) / (n + 2)."""
        return (num_train * np.asarray(y, "float64") + 1) / (num_train + 2)

    def fit_linear(
        self, make_classifier: Any, make_regressor: Any, x: Any, y: np.ndarray, weight: np.ndarray | None, metadata: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit a linear classifier per tag; a tag that no row or every row has gets the logit of its smoothed share."""
        y = y.astype("int64")
        counts, num_tags = y.sum(axis=0), y.shape[1]
        kernel, bias = np.zeros((x.shape[1], num_tags)), np.log((counts + 1) / (len(y) - counts + 1))
        for code in np.flatnonzero((counts > 0) & (counts < len(y))):
            model = make_classifier(y[:, code], num_tags).fit(x, y[:, code], sample_weight=weight)
            kernel[:, code], bias[code] = model.coef_[0], model.intercept_[0]
        return kernel, bias

    def signed_targets(self, y: np.ndarray, metadata: Metadata) -> np.ndarray:
        """+1 for the tags of a row, -1 for all others, `(rows, tags)`."""
        return 2.0 * y - 1

    def logit_targets(self, y: np.ndarray, metadata: Metadata) -> np.ndarray:
        """Tag probabilities smoothed by one extra row with and without each tag, `(rows, tags)`."""
        return self.predict_neighbors(y, len(y), metadata)

    def predictions_to_frame(self, outputs: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
        """The column `predicted`, lists or text as in the target's cells, and `probability_TAG`."""
        import pandas as pd

        tags = metadata.target.classes or []
        return pd.DataFrame(
            {"predicted": _to_lists(outputs >= THRESHOLD, metadata.target)}
            | {f"probability_{tag}": outputs[:, i] for i, tag in enumerate(tags)}
        )

    def check_threshold(self, metadata: Metadata) -> None:
        """Every tag has a threshold."""

    def decide(self, outputs: np.ndarray, threshold: float, metadata: Metadata) -> list[Any]:
        """The tags whose probability is at least the threshold."""
        return _to_lists(outputs >= threshold, metadata.target)

    def test_frame(self, dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
        """The rows of predictions.csv: `actual`, then the columns of `predictions_to_frame`, lists as text."""
        frame = self.predictions_to_frame(y_pred, metadata)
        frame["predicted"] = _to_cells(y_pred >= THRESHOLD, metadata.target)
        frame.insert(0, "actual", _to_cells(np.asarray(y_true) > 0, metadata.target))
        return frame

    def read_test_frame(self, path: Path, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
        """Tags and probabilities of a predictions.csv."""
        import pandas as pd

        target = metadata.target
        frame = pd.read_csv(path, dtype={"actual": str, "predicted": str}, keep_default_na=False)
        y_true = read_target({target.name: frame["actual"]}, target)
        return y_true.astype("int64"), frame.iloc[:, -len(target.classes or ()) :].to_numpy("float64")


def _to_cells(is_tag: np.ndarray, target: Target) -> list[str]:
    """Write the tags of each row as a cell of the target."""
    labels, delimiter = target.labels, target.tag_delimiter or LISTS
    return [join_tags([labels[code] for code in np.flatnonzero(row)], delimiter) for row in is_tag]


def _to_lists(is_tag: np.ndarray, target: Target) -> list[Any]:
    """The tags of each row in the type of the target: a list, or text with a delimiter."""
    cells = _to_cells(is_tag, target)
    return [json.loads(cell) for cell in cells] if target.tag_delimiter == LISTS else cells


TASK = Multilabel()
