"""Loading of saved models."""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

from tfkit.datasets.keras_settings import check_process


def load_model(path: str | os.PathLike[str]) -> "keras.Model":
    """Load a `.keras` file with the classes of tfkit registered.

    Without them Keras raises "Could not locate class".

    Args:
        path: The file, such as a run's `model.keras`.

    Returns:
        A `keras.Model`. The model of a run takes a dictionary of raw columns, `(rows, 1)` each: float32 with NaN where
        missing, or strings with "" where missing. A column that `metadata.json` lists as float64 keeps its digits if
        tensors are passed to the model itself: Keras' `predict` casts NumPy arrays to float32.
    """
    import keras

    check_process()
    importlib.import_module("tfkit.layers")
    return keras.saving.load_model(path, compile=False)
