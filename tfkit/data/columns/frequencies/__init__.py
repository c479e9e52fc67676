"""Frequencies of time series: infer the step, convert times to time indices and back, seasons, calendar features."""

from tfkit.data.columns.frequencies.calendar_features import (
    CALENDAR_DAYS,
    CALENDAR_PERIODS,
    calendar_features,
    learnable_calendar_features,
    season_length,
)
from tfkit.data.columns.frequencies.inference import infer_frequency
from tfkit.data.columns.frequencies.text import format_frequency, format_timestamp
from tfkit.data.columns.frequencies.time_index import to_time_index, to_timestamps

__all__ = [
    "CALENDAR_DAYS",
    "CALENDAR_PERIODS",
    "calendar_features",
    "format_frequency",
    "format_timestamp",
    "infer_frequency",
    "learnable_calendar_features",
    "season_length",
    "to_time_index",
    "to_timestamps",
]
