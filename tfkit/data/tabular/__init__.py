"""Tables: loading, schema, preprocessing, dataset, reading."""

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.targets import TARGET_SETTINGS, infer_target
from tfkit.data.tabular.dataset import make_dataset
from tfkit.data.tabular.loading import LOAD_SETTINGS, READ_OPTIONS, SPLIT_SETTINGS, load, split
from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.data.tabular.preprocessing import make_preprocessor
from tfkit.data.tabular.reading import read, stream
from tfkit.data.tabular.schema import SCHEMA_SETTINGS, fit_schema

__all__ = [
    "LOAD_SETTINGS",
    "READ_OPTIONS",
    "SCHEMA_SETTINGS",
    "SPLIT_SETTINGS",
    "TARGET_SETTINGS",
    "TabularMetadata",
    "fit_schema",
    "infer_target",
    "load",
    "make_dataset",
    "make_preprocessor",
    "read",
    "require_columns",
    "split",
    "stream",
]
