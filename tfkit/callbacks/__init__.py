"""Callbacks: what watches a training, each of use in any Keras `fit`."""

from tfkit.callbacks.early_stopping import EarlyStopping
from tfkit.callbacks.journal import Journal
from tfkit.callbacks.learning_rate import LearningRateDecay
from tfkit.callbacks.non_finite import StopOnNonFinite

__all__ = ["EarlyStopping", "Journal", "LearningRateDecay", "StopOnNonFinite"]
