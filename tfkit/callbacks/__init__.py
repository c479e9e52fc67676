"""Keras callbacks of a training, usable with any Keras `fit`."""

from tfkit.callbacks.early_stopping import EarlyStopping
from tfkit.callbacks.first_not_finite import first_not_finite
from tfkit.callbacks.gradient_norm import gradient_norm
from tfkit.callbacks.journal import Journal
from tfkit.callbacks.learning_rate import LearningRateDecay
from tfkit.callbacks.learning_rate_finder import LearningRateFinder
from tfkit.callbacks.non_finite import StopOnNonFinite

__all__ = [
    "EarlyStopping",
    "Journal",
    "LearningRateDecay",
    "LearningRateFinder",
    "StopOnNonFinite",
    "first_not_finite",
    "gradient_norm",
]
