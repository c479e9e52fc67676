"""Keras callbacks of a training, usable with any Keras `fit`."""

from tfkit.callbacks.early_stopping import EarlyStopping
from tfkit.callbacks.find_nonfinite_layer import find_nonfinite_layer
from tfkit.callbacks.gradient_norm import gradient_norm
from tfkit.callbacks.json_logger import JSONLogger
from tfkit.callbacks.learning_rate_decay import LearningRateDecay
from tfkit.callbacks.learning_rate_finder import LearningRateFinder
from tfkit.callbacks.nan_rollback import RollbackOnNaN

__all__ = [
    "EarlyStopping",
    "JSONLogger",
    "LearningRateDecay",
    "LearningRateFinder",
    "RollbackOnNaN",
    "find_nonfinite_layer",
    "gradient_norm",
]
