"""Baselines for each kind of data, fitted on the training rows of the network."""

from tfkit.baselines.forecasts import naive, seasonal_naive
from tfkit.baselines.pixels import linear_pixels
from tfkit.baselines.series import linear_series, nearest_series
from tfkit.baselines.tables import boosted_trees, constant, linear
from tfkit.baselines.texts import tfidf

__all__ = [
    "boosted_trees",
    "constant",
    "linear",
    "linear_pixels",
    "linear_series",
    "naive",
    "nearest_series",
    "seasonal_naive",
    "tfidf",
]
