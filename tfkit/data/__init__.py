"""Readers and splits: from files to rows that a model can take. Names are imported when they are first asked for."""

from importlib import import_module
from typing import Any

PUBLIC = {
    "Rows": "splits",
    "check_loss": "targets",
    "clean": "cleaning",
    "infer": "columns",
    "inputs": "splits",
    "learn_table": "learning",
    "learn_target": "targets",
    "load_table": "tables",
    "prepare_table": "preparation",
    "read_frame": "files",
    "read_table": "tables",
    "restore_table": "targets",
    "split_rows": "splitting",
    "split_table": "splitting",
    "table_loss": "targets",
    "table_rows": "tables",
    "with_class_weights": "targets",
    "write_frame": "files",
}

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit.data' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    return getattr(import_module(f"tfkit.data.{PUBLIC[name]}"), name)
