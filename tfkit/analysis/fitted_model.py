"""A fitted model with its data and predictions, as input of the analyses."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tfkit.datasets.batch_predict import squeeze_outputs
from tfkit.metadata import Metadata
from tfkit.recipe import Data
from tfkit.run_dir import RunDir
from tfkit.tasks.registry import Task, get_task

BATCH_ROWS = 1024  # raw rows of an inference call


@dataclass
class FittedModel:
    """A run in memory after evaluation: settings, data, model and predictions.

    Args:
        run: The run.
        config: Its settings.
        data: Its data.
        model: The fitted model, on preprocessed rows.
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
    def metadata(self) -> Metadata:
        """Metadata of the data."""
        return self.data.metadata

    @property
    def task(self) -> Task:
        """The task: losses, errors and names of what is predicted."""
        return get_task(self.metadata.task)

    def row_losses(self, y_true: Any, y_pred: np.ndarray) -> np.ndarray:
        """The loss of each row by the task, `(rows,)`."""
        return self.task.row_losses(y_true, y_pred, self.metadata)

    def worst_rows(self, y_true: Any, y_pred: np.ndarray, most: int) -> tuple[np.ndarray, int]:
        """Return at most `most` rows with an error, the largest loss first, and the number of all such rows."""
        order = np.argsort(-self.row_losses(y_true, y_pred), kind="stable")
        wrong = order[self.task.row_errors(y_true, y_pred, self.metadata)[order] > 0]
        return wrong[:most], len(wrong)

    def label_and_prediction(self, y_true: Any, y_pred: np.ndarray) -> dict[str, Any]:
        """Label and prediction of a row, and for a class its `probability`."""
        return self.task.label_and_prediction(y_true, y_pred, self.metadata)

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

        raw = tensors(self.test.raw_inputs(np.arange(1)))
        # Rows and sizes vary, the last axis does not: layers such as PatchEmbedding need the number of channels.
        specs = {
            name: tf.TensorSpec((*[None] * (max(tensor.ndim, 2) - 1), *tensor.shape[1:][-1:]), tensor.dtype)
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
