"""Checks that the tasks share: shapes of predictions, targets of a dataset."""

from typing import Any

import numpy as np

from tfkit.datasets.batch_predict import index_chunks
from tfkit.errors import NotFiniteError


def check_predictions(y_pred: np.ndarray, rows: int, expected_shape: tuple[int, ...]) -> None:
    """Raise if predictions have another shape, or are NaN or infinite."""
    if y_pred.shape != expected_shape:
        raise ValueError(
            "Every row must have one prediction (a number, or a probability for each class). "
            f"Received: {rows} rows, predictions of shape {y_pred.shape}, expected {expected_shape}"
        )
    invalid = int((~np.isfinite(y_pred.reshape(rows, -1))).any(1).sum())
    if invalid:
        raise NotFiniteError(
            "Predictions must be finite numbers; train with a lower `learning_rate` or with `global_clipnorm`. "
            f"Received: {invalid} of {rows} rows with NaN or infinity"
        )


def dataset_targets(dataset: Any) -> np.ndarray:
    """The targets of all rows of a dataset, as they are learned."""
    return np.concatenate([np.asarray(dataset.take(indices)[1]) for indices in index_chunks(dataset)])
