"""Readers and splits: from files to rows that a model can take. Names are imported when they are first asked for."""

from importlib import import_module
from typing import Any

PUBLIC = {
    "PADDING": "series_learning",
    "Rows": "splits",
    "Stored": "stored",
    "Windows": "windows",
    "augment_images": "augmentation",
    "calibrate_bands": "bands",
    "check_columns": "tables",
    "check_loss": "targets",
    "choose_horizon": "forecasts",
    "clean": "cleaning",
    "history_windows": "forecasts",
    "image_rows": "images",
    "infer": "columns",
    "inputs": "splits",
    "learn_history": "forecasts",
    "learn_images": "images",
    "learn_label": "images",
    "learn_series": "series_learning",
    "learn_series_label": "series",
    "learn_table": "learning",
    "learn_target": "targets",
    "learn_texts": "texts",
    "learn_ngrams": "texts",
    "frequent_ngrams": "ngrams",
    "solved_ngrams": "ngrams",
    "load_history": "forecasts",
    "load_images": "images",
    "load_series": "series",
    "load_table": "tables",
    "load_texts": "texts",
    "prepare_images": "images",
    "prepare_series": "series_learning",
    "prepare_table": "preparation",
    "prepare_texts": "texts",
    "prepare_windows": "forecasts",
    "read_frame": "files",
    "read_history": "history_files",
    "read_images": "images",
    "read_series": "series",
    "read_table": "tables",
    "read_texts": "texts",
    "restore_table": "targets",
    "restore_windows": "bands",
    "ridge_head": "ridge",
    "series_rows": "series_learning",
    "split_history": "forecasts",
    "split_images": "images",
    "split_rows": "splitting",
    "split_series": "series",
    "split_table": "splitting",
    "split_texts": "texts",
    "table_loss": "targets",
    "table_rows": "tables",
    "text_rows": "texts",
    "with_class_weights": "targets",
    "with_kernels": "series_learning",
    "write_frame": "files",
}

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit.data' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    return getattr(import_module(f"tfkit.data.{PUBLIC[name]}"), name)
