"""Dates and times in tables: infer the format of a column, parse cells, write times in the same format."""

from tfkit.data.columns.dates.inference import (
    ambiguous_order,
    describe_format,
    first_unreadable,
    infer_format,
    is_time_of_day,
)
from tfkit.data.columns.dates.layouts import format_times, infer_layout
from tfkit.data.columns.dates.parsing import PARTS, extract_parts, to_datetimes, to_days
from tfkit.data.columns.dates.zones import infer_zone, to_local, to_utc

__all__ = [
    "PARTS",
    "ambiguous_order",
    "describe_format",
    "extract_parts",
    "first_unreadable",
    "format_times",
    "infer_format",
    "infer_layout",
    "infer_zone",
    "is_time_of_day",
    "to_datetimes",
    "to_days",
    "to_local",
    "to_utc",
]
