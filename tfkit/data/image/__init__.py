"""Images: loading, schema, preprocessing, dataset, reading."""

from tfkit.data.columns.targets import TARGET_SETTINGS
from tfkit.data.image.augmentation import AUGMENTATION_SETTINGS, augment_images
from tfkit.data.image.dataset import make_dataset
from tfkit.data.image.loading import LOAD_SETTINGS, SPLIT_SETTINGS, load, split
from tfkit.data.image.metadata import ImageMetadata
from tfkit.data.image.preprocessing import make_preprocessor
from tfkit.data.image.reading import read
from tfkit.data.image.schema import SCHEMA_SETTINGS, fit_schema, infer_target

__all__ = [
    "AUGMENTATION_SETTINGS",
    "LOAD_SETTINGS",
    "SCHEMA_SETTINGS",
    "SPLIT_SETTINGS",
    "TARGET_SETTINGS",
    "ImageMetadata",
    "augment_images",
    "fit_schema",
    "infer_target",
    "load",
    "make_dataset",
    "make_preprocessor",
    "read",
    "split",
]
