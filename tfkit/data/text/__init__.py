"""Texts: loading, schema, preprocessing, dataset, reading."""

from tfkit.data.columns.targets import TARGET_SETTINGS, infer_target
from tfkit.data.text.dataset import fit_ngram_vocabularies, make_dataset
from tfkit.data.text.files import READ_OPTIONS
from tfkit.data.text.loading import SPLIT_SETTINGS, load, split
from tfkit.data.text.metadata import TextMetadata
from tfkit.data.text.ngrams import fit_ngram_vocabulary
from tfkit.data.text.preprocessing import make_preprocessor
from tfkit.data.text.reading import read
from tfkit.data.text.schema import SCHEMA_SETTINGS, fit_schema

__all__ = [
    "READ_OPTIONS",
    "SCHEMA_SETTINGS",
    "SPLIT_SETTINGS",
    "TARGET_SETTINGS",
    "TextMetadata",
    "fit_ngram_vocabularies",
    "fit_ngram_vocabulary",
    "fit_schema",
    "infer_target",
    "load",
    "make_dataset",
    "make_preprocessor",
    "read",
    "split",
]
