"""Directions of metrics, and metrics that Keras does not provide."""

import re
from typing import Any, Literal

import keras
from keras import ops

from tfkit.errors import did_you_mean
from tfkit.losses import QuantileLoss

HIGHER_IS_BETTER = """accuracy acc binary_accuracy categorical_accuracy sparse_categorical_accuracy balanced_accuracy
top_k_categorical_accuracy sparse_top_k_categorical_accuracy precision recall f1 f1_score fbeta_score f_beta_score
roc_auc auc average_precision label_ranking_average_precision exact_match r2 r2_score io_u mean_io_u binary_io_u
one_hot_io_u one_hot_mean_io_u cosine_similarity
pearson_correlation concordance_correlation precision_at_recall recall_at_precision sensitivity_at_specificity
specificity_at_sensitivity""".split()

LOWER_IS_BETTER = """loss log_loss mse mae mape msle bce mean_squared_error root_mean_squared_error mean_absolute_error
median_absolute_error mean_absolute_percentage_error mean_squared_logarithmic_error mean_relative_error huber logcosh
log_cosh_error kl_divergence poisson hinge squared_hinge categorical_hinge binary_crossentropy
categorical_crossentropy sparse_categorical_crossentropy crossentropy smoothed_crossentropy sparse_focal pinball
mean_pinball hamming_loss gaussian_nll expected_calibration_error error smape mase standardized_mean_squared_error
standardized_mean_absolute_error""".split()

DIRECTIONS: dict[str, Literal["min", "max"]] = {
    **dict.fromkeys(HIGHER_IS_BETTER, "max"),
    **dict.fromkeys(LOWER_IS_BETTER, "min"),
}

CAMEL_CASE_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

IGNORED_AFFIXES = re.compile(r"^val_|_macro$|_weighted$|_micro$|_[0-9]+$")


def direction(name: str) -> Literal["min", "max"] | None:
    """Return whether a metric is better when higher ("max") or lower ("min").

    None for an unknown name, and for a metric without a direction. These parts of the name are ignored: the prefix
    `val_`, the averaging over classes (`_macro`, `_weighted`, `_micro`) and the number that Keras adds to make names
    unique (`auc_1`). A class name is accepted too (`F1Score`). Keras and Keras Tuner infer the direction from the name,
    for some metrics wrongly. `coverage` has no direction: too high is as wrong as too low.

    Example:
        >>> direction("val_f1"), direction("val_loss"), direction("precision_weighted"), direction("mood")
        ('max', 'min', 'max', None)
    """
    return DIRECTIONS.get(IGNORED_AFFIXES.sub("", CAMEL_CASE_BOUNDARY.sub("_", name).lower()))


def similar_metric(name: str) -> str:
    """Return the end of a message about an unknown metric: the nearest known name, or "".

    Example:
        >>> similar_metric("val_acuracy"), similar_metric("mood")
        (" Did you mean 'val_accuracy'?", '')
    """
    return did_you_mean(name, [*DIRECTIONS, *(f"val_{metric}" for metric in DIRECTIONS)])


@keras.saving.register_keras_serializable(package="tfkit")
class MeanQuantileLoss(keras.metrics.MeanMetricWrapper):
    """Mean quantile (pinball) loss over all rows, independent of the batch size.

    The metric of `tfkit.losses.QuantileLoss`: it measures the quality of predicted quantiles.

    Args:
        quantile: The quantile level, in `(0, 1)`, or a list of levels, as in the loss.

    Example:
        >>> import numpy as np, tfkit
        >>> metric = tfkit.metrics.MeanQuantileLoss(0.9)
        >>> metric.update_state(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
        >>> round(float(metric.result()), 4)
        0.9
    """

    def __init__(self, quantile: float = 0.5, name: str = "mean_pinball", dtype: Any = None) -> None:
        super().__init__(QuantileLoss(quantile, reduction="none", dtype=dtype), name=name, dtype=dtype)
        self.quantile = quantile

    def get_config(self):
        return {"quantile": self.quantile, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="tfkit")
class Coverage(keras.metrics.MeanMetricWrapper):
    """Coverage of prediction intervals: the fraction of targets inside, ends included.

    The ideal value is the level of the interval: 0.8 for an interval of 80%.

    Args:
        lower: Index of the lower end of the interval in the last axis of `y_pred`.
        upper: Index of the upper end.

    Input shape:
        `y_true` `(batch, ...)` or `(batch, ..., 1)`; `y_pred` `(batch, ..., quantiles)`.

    Example:
        >>> import numpy as np, tfkit
        >>> metric = tfkit.metrics.Coverage()
        >>> metric.update_state(np.array([1.0, 5.0]), np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]))
        >>> float(metric.result())
        0.5
    """

    def __init__(self, lower: int = 0, upper: int = -1, name: str = "coverage", dtype: Any = None) -> None:
        super().__init__(self._is_inside, name=name, dtype=dtype)
        self.lower, self.upper = lower, upper

    def _is_inside(self, y_true, y_pred):
        lower, upper = y_pred[..., self.lower], y_pred[..., self.upper]
        y_true = ops.reshape(y_true, ops.shape(lower))
        return ops.cast(ops.logical_and(lower <= y_true, y_true <= upper), self.dtype)

    def get_config(self):
        return {"lower": self.lower, "upper": self.upper, "name": self.name, "dtype": self.dtype}
