"""Keras callbacks of a training, usable with any Keras `fit`."""

from tfkit.callbacks.early_stopping import EarlyStopping
from tfkit.callbacks.find_nonfinite_layer import first_not_finite
from tfkit.callbacks.gradient_norm import gradient_norm
from tfkit.callbacks.json_logger import Journal
from tfkit.callbacks.learning_rate_finder import LearningRateFinder
from tfkit.callbacks.nan_rollback import StopOnNonFinite
from tfkit.callbacks.reduce_lr_on_plateau import LearningRateDecay

__all__ = [
    "EarlyStopping",
    "Journal",
    "LearningRateDecay",
    "LearningRateFinder",
    "StopOnNonFinite",
    "first_not_finite",
    "gradient_norm",
]
