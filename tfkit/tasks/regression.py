"""The regression task: a number per row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.metadata import Metadata, Target
from tfkit.tasks.task import Predict, Task
from tfkit.tasks.validation import check_predictions, dataset_targets
from tfkit.tasks.weighted_sums import Metric, ratio

if TYPE_CHECKING:
    import keras
    import pandas as pd

MAX_FLOAT32_LEVEL = 100  # largest mean of the target, in standard deviations, with which predictions are float32


class Regression(Task):
    """The regression task: a number per row."""

    NAME = "regression"
    LOSSES = ("mse", "mae", "huber", "quantile")  # the first is the default
    METRICS = {
        "root_mean_squared_error": "min",
        "mean_absolute_error": "min",
        "r2": "max",
        "median_absolute_error": "min",
    }
    PRUNING_METRIC = "root_mean_squared_error"
    ROW_LOSS_NAME = "mean absolute error"
    ROW_ERROR_NAME = "mean absolute error"
    REPORT_SECTIONS = ("regression",)
    ANALYSES = ("label_issues", "slices")

    def make_loss(self, name: str, metadata: Metadata) -> "keras.losses.Loss":
        """Create a loss on scaled numbers by its name."""
        import keras

        from tfkit import losses

        if name == "quantile":
            return losses.QuantileLoss(metadata.target.quantile or 0.5)
        return {
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
            "huber": keras.losses.Huber,
        }[name]()

    def num_outputs(self, metadata: Metadata) -> int:
        """The number of model outputs: one scaled number."""
        return 1

    def make_postprocessor(self, metadata: Metadata) -> "keras.Sequential":
        """Convert scaled numbers to the units of the user, `(rows, 1)`.

        In float64 if the level of the target is large and its spread small, since float32 would round the spread away.
        """
        import keras

        from tfkit.layers import Center

        target, flatten = metadata.target, keras.layers.Reshape((1,))
        if abs(target.mean) <= MAX_FLOAT32_LEVEL * target.scale:
            rescaling = [keras.layers.Rescaling(target.scale, target.mean, dtype="float32")]
        else:
            rescaling = [keras.layers.Rescaling(target.scale, dtype="float32"), Center(-target.mean, dtype="float64")]
        return keras.Sequential([flatten, *rescaling], name="restore")

    def validate_predictions(self, y_true: Any, y_pred: Any, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions as arrays `(rows,)`; raise if shapes or values are invalid."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if y_pred.shape != (len(y_true), 1):
            check_predictions(y_pred, len(y_true), (len(y_true),))
        check_predictions(y_pred, len(y_true), y_pred.shape)
        return y_true.reshape(-1).astype("float64"), y_pred.reshape(-1).astype("float64")

    def make_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Metadata) -> list[Metric]:
        """Create the metrics of validated predictions: RMSE, MAE, R2, median absolute error."""
        error, centered = np.abs(y_true - y_pred), y_true - y_true.mean()
        order = np.argsort(error, kind="stable")
        sorted_error = error[order]
        rounding = 4 * (np.finfo("float64").eps * np.abs(y_true).max()) ** 2

        @np.errstate(
            over="ignore", invalid="ignore"
        )  # metrics whose squares overflow are left out by `compute_metrics`
        def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
            total, squared, second_moment = weights.sum(0), error**2 @ weights, centered**2 @ weights
            variance = second_moment - ratio((centered @ weights) ** 2, total, total > 0)
            variance = np.where(variance > np.maximum(rounding * total, 1e-12 * second_moment), variance, np.nan)
            cumulative = np.cumsum(weights[order], 0)
            middle = [
                np.minimum(below(cumulative, total / 2).sum(0), len(error) - 1) for below in (np.less, np.less_equal)
            ]
            return {
                "root_mean_squared_error": np.sqrt(ratio(squared, total)),
                "mean_absolute_error": ratio(error @ weights, total),
                "r2": 1 - squared / variance,
                "median_absolute_error": np.where(total > 0, sorted_error[np.array(middle)].mean(0), np.nan),
            }

        return [metric]

    def row_losses(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> np.ndarray:
        """The absolute error of each row, `(rows,)`."""
        return np.abs(np.asarray(y_true, "float64").reshape(-1) - y_pred.reshape(-1))

    def label_and_prediction(self, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> dict[str, Any]:
        """Target and prediction of one row."""
        return {"label": float(y_true), "predicted": float(np.reshape(y_pred, -1)[0])}

    def targets(self, dataset: Any, metadata: Metadata) -> np.ndarray:
        """The targets of a dataset in the units of the user, `(rows,)`: their own cells where the dataset has them."""
        values = getattr(dataset, "target_values", None)
        if values is not None:
            return np.asarray(values, "float64")
        return dataset_targets(dataset).astype("float64") * metadata.target.scale + metadata.target.mean

    def predict_constant(self, y: np.ndarray, weight: np.ndarray | None, metadata: Metadata) -> np.ndarray:
        """The weighted mean, `(1,)`."""
        return _unscale(np.average(np.asarray(y, "float64"), weights=weight), metadata.target)[None]

    def fit_estimator(
        self,
        make_classifier: Any,
        make_regressor: Any,
        x: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        metadata: Metadata,
    ) -> Predict:
        """Fit a regressor; it predicts values `(rows,)`."""
        model = make_regressor().fit(x, y.astype("float64"), sample_weight=weight)
        return lambda x: _unscale(model.predict(x), metadata.target)

    def predict_neighbors(self, y: np.ndarray, num_train: int, metadata: Metadata) -> np.ndarray:
        """The values of the neighbors, `(rows,)`."""
        return _unscale(np.asarray(y), metadata.target)

    def fit_linear(
        self,
        make_classifier: Any,
        make_regressor: Any,
        x: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        metadata: Metadata,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit a linear regressor of the scaled number."""
        model = make_regressor().fit(x, y, sample_weight=weight)
        return model.coef_[:, None], np.array([model.intercept_])

    def signed_targets(self, y: np.ndarray, metadata: Metadata) -> np.ndarray:
        """The scaled numbers `(rows, 1)`."""
        return y[:, None].astype("float64")

    def predictions_to_frame(self, outputs: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
        """The column `predicted`."""
        import pandas as pd

        return pd.DataFrame({"predicted": outputs})

    def test_frame(self, dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Metadata) -> "pd.DataFrame":
        """The rows of predictions.csv: `actual` and `predicted`."""
        frame = self.predictions_to_frame(y_pred, metadata)
        frame.insert(0, "actual", y_true)
        return frame

    def read_test_frame(self, path: Path, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions of a predictions.csv."""
        import pandas as pd

        frame = pd.read_csv(path)
        return frame["actual"].to_numpy("float64"), frame["predicted"].to_numpy("float64")


def _unscale(y: Any, target: Target) -> Any:
    """Convert scaled numbers to the units of the user."""
    return y * target.scale + target.mean


TASK = Regression()
