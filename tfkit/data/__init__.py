"""Readers and splits: from files to rows that a model can take. Names are imported when they are first asked for."""

from importlib import import_module
from typing import Any

PUBLIC = {
    "Rows": "splits",
    "Stored": "stored",
    "augment_images": "augmentation",
    "check_loss": "targets",
    "clean": "cleaning",
    "image_rows": "images",
    "infer": "columns",
    "inputs": "splits",
    "learn_images": "images",
    "learn_label": "images",
    "learn_table": "learning",
    "learn_target": "targets",
    "learn_texts": "texts",
    "load_images": "images",
    "load_table": "tables",
    "load_texts": "texts",
    "prepare_images": "images",
    "prepare_table": "preparation",
    "prepare_texts": "texts",
    "read_frame": "files",
    "read_images": "images",
    "read_table": "tables",
    "read_texts": "texts",
    "restore_table": "targets",
    "split_images": "images",
    "split_rows": "splitting",
    "split_table": "splitting",
    "split_texts": "texts",
    "table_loss": "targets",
    "table_rows": "tables",
    "text_rows": "texts",
    "with_class_weights": "targets",
    "write_frame": "files",
}

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit.data' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    return getattr(import_module(f"tfkit.data.{PUBLIC[name]}"), name)
