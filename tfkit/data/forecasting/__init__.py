"""Forecasting: loading, schema, preprocessing, dataset, reading."""

from tfkit.data.forecasting.calibration import calibrate_intervals
from tfkit.data.forecasting.dataset import make_dataset
from tfkit.data.forecasting.loading import LOAD_SETTINGS, SPLIT_SETTINGS, default_horizon, load, split
from tfkit.data.forecasting.metadata import ForecastingMetadata
from tfkit.data.forecasting.preprocessing import make_postprocessor, make_preprocessor
from tfkit.data.forecasting.reading import read
from tfkit.data.forecasting.schema import SCHEMA_SETTINGS, fit_schema, validate_quantiles

PREDICTS_FOLLOWING_ROWS = True  # the rows of a source are the past; predictions are of what follows

__all__ = [
    "LOAD_SETTINGS",
    "PREDICTS_FOLLOWING_ROWS",
    "SCHEMA_SETTINGS",
    "SPLIT_SETTINGS",
    "ForecastingMetadata",
    "calibrate_intervals",
    "default_horizon",
    "fit_schema",
    "load",
    "make_dataset",
    "make_postprocessor",
    "make_preprocessor",
    "read",
    "split",
    "validate_quantiles",
]
