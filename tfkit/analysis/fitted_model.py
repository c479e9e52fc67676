"""A trained model with its data and predictions, as input of the analyses."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tfkit.datasets.batch_predict import squeeze_outputs
from tfkit.recipe import Data
from tfkit.run_dir import RunDir

BATCH_ROWS = 1024  # raw rows of an inference call


@dataclass
class FittedModel:
    """A run in memory after evaluation: settings, data, model and predictions.

    Args:
        run: The run.
        config: Its settings.
        data: Its data.
        model: The trained model, on preprocessed rows.
        inference_model: The model from raw rows to predictions.
        predictions: Targets and predictions of all rows by split: "val", and "test" if it was evaluated.
    """

    run: RunDir
    config: Any
    data: Data
    model: Any
    inference_model: Any
    predictions: dict[str, tuple[Any, Any]]

    @property
    def info(self) -> dict[str, Any]:
        """Metadata of the data."""
        return self.data.info

    @property
    def test(self) -> Any:
        """The test split."""
        return self.data.test

    def random(self) -> np.random.Generator:
        """Return a random generator seeded by the settings."""
        return np.random.default_rng(self.config.seed)

    def sample_test_rows(self, most: int) -> np.ndarray:
        """Return indices of at most `most` randomly sampled test rows, in ascending order."""
        rows = len(self.test)
        return np.arange(rows) if rows <= most else np.sort(self.random().choice(rows, most, replace=False))

    @cached_property
    def compiled(self) -> Callable[[Any], Any]:
        """The inference model as one traced function for all analyses."""
        import tensorflow as tf

        raw = tensors(self.test.raw(np.arange(1)))
        specs = {
            name: tf.TensorSpec((None, *([None] * (tensor.ndim - 1))), tensor.dtype)
            if tensor.ndim > 2
            else tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)
            for name, tensor in raw.items()
        }
        function = tf.function(lambda rows: self.inference_model(rows, training=False), autograph=False)
        return function.get_concrete_function(specs)

    def predict(self, raw: Any) -> np.ndarray:
        """Return the predictions for raw rows."""
        raw = tensors(raw)
        rows = len(next(iter(raw.values())))
        outputs = [
            np.asarray(self.compiled({name: tensor[start : start + BATCH_ROWS] for name, tensor in raw.items()}))
            for start in range(0, rows, BATCH_ROWS)
        ]
        return squeeze_outputs(np.concatenate(outputs))


def tensors(raw: Any) -> dict[str, Any]:
    """Convert raw rows to tensors."""
    import tensorflow as tf

    return {name: tf.convert_to_tensor(values) for name, values in raw.items()}


def per_row_loss(y_true: Any, y_pred: np.ndarray, info: dict[str, Any]) -> np.ndarray:
    """Compute the log loss or absolute error of each row, `(rows,)`."""
    if info["target"]["classes"]:
        probability = np.take_along_axis(y_pred, np.asarray(y_true).reshape(-1, 1).astype(int), 1)[:, 0]
        return -np.log(np.clip(probability.astype("float64"), 1e-7, 1))
    return np.abs(np.asarray(y_true, "float64").reshape(-1) - y_pred.reshape(-1))


def label_and_prediction(y_true: Any, y_pred: Any, classes: Any) -> dict[str, Any]:
    """Return label and prediction of a row, and for a class its probability (`sure`)."""
    if not classes:
        return {"label": float(y_true), "predicted": float(np.reshape(y_pred, -1)[0])}
    predicted = int(np.argmax(y_pred))
    return {"label": str(classes[int(y_true)]), "predicted": str(classes[predicted]), "sure": float(y_pred[predicted])}
