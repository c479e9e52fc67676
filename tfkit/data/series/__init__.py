"""Time series as rows: loading, schema, preprocessing, dataset, reading."""

from tfkit.data.columns.targets import TARGET_SETTINGS
from tfkit.data.series.dataset import make_dataset
from tfkit.data.series.files import READ_OPTIONS
from tfkit.data.series.loading import SPLIT_SETTINGS, load, split
from tfkit.data.series.metadata import SeriesMetadata
from tfkit.data.series.minirocket import fit_minirocket
from tfkit.data.series.preprocessing import PADDING_VALUE, make_preprocessor
from tfkit.data.series.reading import read
from tfkit.data.series.schema import SCHEMA_SETTINGS, fit_schema, infer_target

__all__ = [
    "PADDING_VALUE",
    "READ_OPTIONS",
    "SCHEMA_SETTINGS",
    "SPLIT_SETTINGS",
    "TARGET_SETTINGS",
    "SeriesMetadata",
    "fit_minirocket",
    "fit_schema",
    "infer_target",
    "load",
    "make_dataset",
    "make_preprocessor",
    "read",
    "split",
]
