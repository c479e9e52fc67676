"""Baselines for each kind of data, fitted on the training rows of the network."""

from tfkit.evaluation.baselines.forecasting import naive, seasonal_naive
from tfkit.evaluation.baselines.image import linear_pixels
from tfkit.evaluation.baselines.series import linear_series, nearest_neighbor
from tfkit.evaluation.baselines.table import dummy, gradient_boosting, linear
from tfkit.evaluation.baselines.text import tfidf

__all__ = [
    "dummy",
    "gradient_boosting",
    "linear",
    "linear_pixels",
    "linear_series",
    "naive",
    "nearest_neighbor",
    "seasonal_naive",
    "tfidf",
]
