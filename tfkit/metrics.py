"""Which way is better: the direction of every metric that a page may monitor; and the metrics that Keras has not."""

import re

import keras
from keras import ops

from tfkit.losses import Pinball

UP = """accuracy acc binary_accuracy categorical_accuracy sparse_categorical_accuracy balanced_accuracy
top_k_categorical_accuracy sparse_top_k_categorical_accuracy precision recall f1 f1_score fbeta_score f_beta_score
roc_auc auc average_precision r2 r2_score io_u mean_io_u binary_io_u one_hot_io_u one_hot_mean_io_u cosine_similarity
pearson_correlation concordance_correlation precision_at_recall recall_at_precision sensitivity_at_specificity
specificity_at_sensitivity""".split()
DOWN = """loss log_loss mse mae mape msle bce mean_squared_error root_mean_squared_error mean_absolute_error
median_absolute_error mean_absolute_percentage_error mean_squared_logarithmic_error mean_relative_error huber logcosh
log_cosh_error kl_divergence poisson hinge squared_hinge categorical_hinge binary_crossentropy
categorical_crossentropy sparse_categorical_crossentropy crossentropy smoothed_crossentropy sparse_focal pinball
mean_pinball gaussian_nll expected_calibration_error error""".split()
DIRECTIONS = {**dict.fromkeys(UP, "max"), **dict.fromkeys(DOWN, "min")}
BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
PASSED_OVER = re.compile(r"^val_|_macro$|_weighted$|_micro$|_[0-9]+$")


def direction(name: str) -> str | None:
    """Whether a metric should rise ("max") or fall ("min"); None for a name that is not known, or has no direction.

    Of the name, a leading `val_`, what averages over classes (`_macro`, `_weighted`, `_micro`) and the number by which
    Keras tells two of a kind apart (`auc_1`) do not count; the name of a class will do (`F1Score`). Keras and Keras
    Tuner guess, and guess some wrongly. A `coverage` has no direction: too much is as wrong as too little.

    Example:
        >>> direction("val_f1"), direction("val_loss"), direction("precision_weighted"), direction("mood")
        ('max', 'min', 'max', None)
    """
    return DIRECTIONS.get(PASSED_OVER.sub("", BETWEEN_WORDS.sub("_", name).lower()))


@keras.saving.register_keras_serializable(package="tfkit")
class MeanPinball(keras.metrics.MeanMetricWrapper):
    """The pinball loss over all rows, whatever the batches (`tfkit.losses.Pinball`): how good a quantile is.

    Args:
        quantile: The share, in `(0, 1)`, or a list of shares, as the loss takes them.

    Example:
        >>> import numpy as np, tfkit
        >>> metric = tfkit.metrics.MeanPinball(0.9)
        >>> metric.update_state(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
        >>> round(float(metric.result()), 4)
        0.9
    """

    def __init__(self, quantile=0.5, name="mean_pinball", dtype=None):
        super().__init__(Pinball(quantile, reduction="none", dtype=dtype), name=name, dtype=dtype)
        self.quantile = quantile

    def get_config(self):
        return {"quantile": self.quantile, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="tfkit")
class Coverage(keras.metrics.MeanMetricWrapper):
    """The share of targets that lie in their interval, the ends counted: what an interval of 80% should say is 0.8.

    Args:
        lower: Index of the interval's lower end in the last axis of the answers.
        upper: Index of its upper end.

    Input shape:
        Target `(batch, ...)` or `(batch, ..., 1)`; answers `(batch, ..., quantiles)`.

    Example:
        >>> import numpy as np, tfkit
        >>> metric = tfkit.metrics.Coverage()
        >>> metric.update_state(np.array([1.0, 5.0]), np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]))
        >>> float(metric.result())
        0.5
    """

    def __init__(self, lower=0, upper=-1, name="coverage", dtype=None):
        super().__init__(self._inside, name=name, dtype=dtype)
        self.lower, self.upper = lower, upper

    def _inside(self, y_true, y_pred):
        lower, upper = y_pred[..., self.lower], y_pred[..., self.upper]
        y_true = ops.reshape(y_true, ops.shape(lower))
        return ops.cast(ops.logical_and(lower <= y_true, y_true <= upper), self.dtype)

    def get_config(self):
        return {"lower": self.lower, "upper": self.upper, "name": self.name, "dtype": self.dtype}
