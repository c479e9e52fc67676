"""Readers and splits: from files to rows that a model can take. Names are imported when they are first asked for."""

from importlib import import_module
from typing import Any

PUBLIC = {
    "PADDING": "tfkit.data.series.preprocessing",
    "ArrayDataset": "tfkit.datasets.array",
    "MemmapDataset": "tfkit.datasets.memmap",
    "WindowDataset": "tfkit.datasets.windows",
    "augment_images": "tfkit.data.image.augmentation",
    "calibrate_intervals": "tfkit.data.forecasting.calibration",
    "require_columns": "tfkit.data.columns.names",
    "validate_loss": "tfkit.tasks.losses",
    "default_horizon": "tfkit.data.forecasting.loading",
    "drop_unusable_rows": "tfkit.data.rows.duplicates",
    "history_windows": "tfkit.data.forecasting.dataset",
    "image_rows": "tfkit.data.image.dataset",
    "infer_column_type": "tfkit.data.columns.infer_type",
    "keras_inputs": "tfkit.datasets.array",
    "learn_history": "tfkit.data.forecasting.schema",
    "learn_images": "tfkit.data.image.schema",
    "infer_label": "tfkit.data.image.schema",
    "learn_series": "tfkit.data.series.schema",
    "learn_series_label": "tfkit.data.series.schema",
    "learn_table": "tfkit.data.tabular.schema",
    "infer_target": "tfkit.data.columns.target",
    "learn_texts": "tfkit.data.text.schema",
    "learn_ngrams": "tfkit.data.text.dataset",
    "fit_ngram_vocabulary": "tfkit.data.text.ngrams",
    "fit_ngram_classifier": "tfkit.data.text.ngrams",
    "load_history": "tfkit.data.forecasting.loading",
    "load_images": "tfkit.data.image.loading",
    "load_series": "tfkit.data.series.loading",
    "load_table": "tfkit.data.tabular.loading",
    "load_texts": "tfkit.data.text.loading",
    "prepare_images": "tfkit.data.image.preprocessing",
    "prepare_series": "tfkit.data.series.preprocessing",
    "prepare_table": "tfkit.data.tabular.preprocessing",
    "prepare_texts": "tfkit.data.text.preprocessing",
    "prepare_windows": "tfkit.data.forecasting.preprocessing",
    "read_frame": "tfkit.data.files.read",
    "read_history": "tfkit.data.forecasting.reading",
    "read_images": "tfkit.data.image.reading",
    "read_series": "tfkit.data.series.reading",
    "read_table": "tfkit.data.tabular.reading",
    "read_texts": "tfkit.data.text.reading",
    "make_postprocessor": "tfkit.tasks.losses",
    "restore_windows": "tfkit.data.forecasting.preprocessing",
    "fit_ridge_head": "tfkit.data.series.ridge",
    "series_rows": "tfkit.data.series.dataset",
    "split_history": "tfkit.data.forecasting.loading",
    "split_images": "tfkit.data.image.loading",
    "split_indices": "tfkit.data.rows.splits",
    "split_series": "tfkit.data.series.loading",
    "train_val_test_split": "tfkit.data.rows.splits",
    "split_texts": "tfkit.data.text.loading",
    "make_loss": "tfkit.tasks.losses",
    "table_rows": "tfkit.data.tabular.dataset",
    "text_rows": "tfkit.data.text.dataset",
    "balance_classes": "tfkit.tasks.losses",
    "fit_minirocket": "tfkit.data.series.minirocket",
    "write_frame": "tfkit.data.files.write",
}

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit.data' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    return getattr(import_module(PUBLIC[name]), name)
