"""The base class of tasks: all that depends on what a model predicts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from tfkit.errors import UserError
from tfkit.metadata import Target
from tfkit.tasks.validation import dataset_targets
from tfkit.tasks.weighted_sums import Metric

if TYPE_CHECKING:
    import keras
    import pandas as pd

Predict = Callable[[Any], np.ndarray]  # features (rows, columns) -> predictions in the units of the user


class Task:
    """What a model predicts; a new task is a subclass in a module of this package, and no edit elsewhere.

    Methods take `metadata`, the `Metadata` of the data, because outputs depend on its target. The methods of this class
    are right for a task without losses and metrics; those that raise an error are for tasks that can be more.

    Attributes:
        NAME: Name of the task and of its module.
        LOSSES: Names for `make_loss`, the default first.
        METRICS: The metrics that runs can be compared by, and whether "max" or "min" is best; the default first.
        PRUNING_METRIC: The validation metric that trials of a search are compared by.
        OUTPUT_ACTIVATION: What makes predictions of outputs: "softmax" or "sigmoid" of logits, or "linear".
        ROW_LOSS_NAME: Name of `row_losses` in sentences.
        ROW_ERROR_NAME: Name of the mean of `row_errors` in sentences.
        REPORT_SECTIONS: Modules of `tfkit.reporting.sections` that the report shows for this task.
        ANALYSES: Analyses of `tfkit.analysis` that need targets and predictions of this task.
    """

    NAME: str
    LOSSES: Sequence[str] = ()
    METRICS: Mapping[str, Literal["max", "min"]] = {"loss": "min"}
    PRUNING_METRIC: str = "loss"
    OUTPUT_ACTIVATION: Literal["linear", "softmax", "sigmoid"] = "linear"
    ROW_LOSS_NAME: str = "loss"
    ROW_ERROR_NAME: str = "mean error"
    REPORT_SECTIONS: Sequence[str] = ()
    ANALYSES: Sequence[str] = ()

    # Model

    def make_loss(self, name: str, metadata: Any) -> "keras.losses.Loss":
        """Create a loss by its name."""
        self._refuse(f"losses by name, such as {name}")

    def make_soft_loss(self, name: str, metadata: Any) -> "keras.losses.Loss":
        """Create a loss by its name for targets that are averages, see `tfkit.data.columns.targets.soft_targets`."""
        return self.make_loss(name, metadata)

    def num_outputs(self, metadata: Any) -> int:
        """The number of model outputs."""
        self._refuse("a number of outputs")

    def make_postprocessor(self, metadata: Any) -> "keras.Model":
        """Create Keras layers from model outputs to predictions in the units of the user."""
        self._refuse("a postprocessor")

    def targets(self, dataset: Any, metadata: Any) -> np.ndarray:
        """The targets of a dataset in the units of the user."""
        return dataset.targets() if callable(getattr(dataset, "targets", None)) else dataset_targets(dataset)

    def balanced_weights(self, y: np.ndarray, target: Target) -> np.ndarray:
        """Sample weights `(rows,)` with which all classes have the same total weight."""
        raise UserError(f"`balance_classes` needs a target of classes. Received: {target.name}, task {self.NAME}")

    def target_notes(self, target: Target) -> list[str]:
        """Describe how the target was read, where that is an assumption."""
        return []

    # Scores

    def default_metric(self, metadata: Any, *, balance_classes: bool = False) -> str:
        """The name of the metric that runs are compared by, unless the user sets one."""
        return next(iter(self.METRICS))

    def num_bootstrap_columns(self, metadata: Any) -> int:
        """The number of rankings to resample, for the cost of the bootstrap."""
        return 1

    def validate_predictions(self, y_true: Any, y_pred: Any, metadata: Any) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions as arrays; raise if shapes or values are invalid."""
        return np.asarray(y_true), np.asarray(y_pred)

    def make_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Any) -> list[Metric]:
        """Create the metrics of validated predictions."""
        return []

    def score_warnings(self, scores: Mapping[str, float], metadata: Any) -> list[str]:
        """Describe test scores that are not as they should be, such as the coverage of intervals."""
        return []

    def per_class_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Any) -> dict[str, dict[str, float]]:
        """Metrics of each class, of validated predictions."""
        return {}

    def row_losses(self, y_true: Any, y_pred: np.ndarray, metadata: Any) -> np.ndarray:
        """The loss of each row `(rows,)`, by which rows are sorted, the worst first."""
        self._refuse("a loss of each row")

    def row_errors(self, y_true: Any, y_pred: np.ndarray, metadata: Any) -> np.ndarray:
        """The error of each row `(rows,)`, 0 where the prediction is right."""
        return self.row_losses(y_true, y_pred, metadata)

    def confidence(self, y_pred: np.ndarray) -> np.ndarray | None:
        """How confident each prediction is, `(rows,)`; None if predictions do not tell."""
        return None

    def label_and_prediction(self, y_true: Any, y_pred: np.ndarray, metadata: Any) -> dict[str, Any]:
        """Target (`label`) and prediction (`predicted`) of one row, to show."""
        self._refuse("predictions of single rows")

    # Baselines

    def predict_constant(self, y: np.ndarray, weight: np.ndarray | None, metadata: Any) -> np.ndarray:
        """The best constant prediction for learned targets `(rows, ...)`: one row of predictions `(1, ...)`."""
        self._refuse("a constant baseline")

    def fit_estimator(
        self, make_classifier: Any, make_regressor: Any, x: Any, y: np.ndarray, weight: np.ndarray | None, metadata: Any
    ) -> Predict:
        """Fit estimators of scikit-learn; return a function from features to predictions.

        Args:
            make_classifier: Takes class codes `(rows,)` of two or more classes, and the number of such classifiers that
                are needed; returns a classifier.
            make_regressor: Returns a regressor.
            x: Features `(rows, columns)`, an array or a sparse matrix.
            y: Learned targets `(rows, ...)`.
            weight: Sample weights `(rows,)` or None.
            metadata: The metadata of the data.
        """
        self._refuse("baselines of scikit-learn")

    def predict_neighbors(self, y: np.ndarray, num_train: int, metadata: Any) -> np.ndarray:
        """Predictions from learned targets `(rows, ...)` of nearest neighbors among `num_train` rows."""
        self._refuse("a baseline of nearest neighbors")

    # Linear models that are solved, not trained

    def fit_linear(
        self, make_classifier: Any, make_regressor: Any, x: Any, y: np.ndarray, weight: np.ndarray | None, metadata: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit linear estimators of scikit-learn, with the arguments of `fit_estimator`.

        Returns:
            Kernel `(columns, outputs)` and bias `(outputs,)` of the outputs of the model.
        """
        self._refuse("linear models of scikit-learn")

    def signed_targets(self, y: np.ndarray, metadata: Any) -> np.ndarray:
        """Targets of linear regression `(rows, outputs)`: +1 and -1 for classes, or the learned numbers."""
        self._refuse("ridge regression")

    def logit_targets(self, y: np.ndarray, metadata: Any) -> np.ndarray | None:
        """Smoothed probabilities `(rows, outputs)` to which logits are fitted; None if outputs are not logits."""
        return None

    # Files

    def predictions_to_frame(self, outputs: np.ndarray, metadata: Any) -> "pd.DataFrame":
        """The column `predicted`, or one for each output."""
        import pandas as pd

        values = np.asarray(outputs).reshape(len(outputs), -1)
        names = ["predicted"] if values.shape[1] == 1 else [f"predicted_{i}" for i in range(values.shape[1])]
        return pd.DataFrame(values, columns=names)

    def check_threshold(self, metadata: Any) -> None:
        """Raise if predictions do not depend on a decision threshold."""
        name = metadata.target.name
        raise UserError(f"`threshold` is for a target of two classes, or tags. Received: {name!r}, task {self.NAME}")

    def decide(self, outputs: np.ndarray, threshold: float, metadata: Any) -> Any:
        """The column `predicted` with another threshold than 0.5."""
        self.check_threshold(metadata)

    def test_frame(self, dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Any) -> "pd.DataFrame":
        """The rows of predictions.csv: `actual`, where it is one value, and the predictions."""
        frame = self.predictions_to_frame(y_pred, metadata)
        if np.ndim(y_true) == 1:
            frame.insert(0, "actual", y_true)
        return frame

    def read_test_frame(self, path: Path, metadata: Any) -> tuple[Any, Any]:
        """Targets and predictions of a predictions.csv; None and None if they cannot be scored."""
        return None, None

    def comparable_targets(self, y_true: Any) -> np.ndarray:
        """The targets as an array, to see whether two runs were tested on the same rows."""
        return np.asarray(y_true)

    def _refuse(self, what: str) -> NoReturn:
        raise UserError(f"The task {self.NAME} has no {what}; give the recipe its own.")
