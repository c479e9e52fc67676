"""A model that was trained just now, with its data and what it said of them, ready to be asked more."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tfkit.datasets.batch_predict import squeeze_outputs
from tfkit.recipe import Data
from tfkit.run_dir import RunDir

AT_ONCE = 1024  # rows of a table, or fewer of what is larger


@dataclass
class Trained:
    """What a run has in memory when its scores are known.

    Args:
        run: The run.
        config: Its settings.
        data: Its data.
        model: The trained model, on prepared rows.
        joined: From raw rows to answers.
        said: val, and test where there is one -> truth and answer of every row.
    """

    run: RunDir
    config: Any
    data: Data
    model: Any
    joined: Any
    said: dict[str, tuple[Any, Any]]

    @property
    def info(self) -> dict[str, Any]:
        """What was learnt from the data."""
        return self.data.info

    @property
    def test(self) -> Any:
        """The test split."""
        return self.data.test

    def random(self) -> Any:
        """Chance that is the same again for the same settings."""
        return np.random.default_rng(self.config.seed)

    def some(self, most: int) -> np.ndarray:
        """The numbers of at most so many test rows, drawn by chance."""
        rows = len(self.test)
        return np.arange(rows) if rows <= most else np.sort(self.random().choice(rows, most, replace=False))

    @cached_property
    def compiled(self) -> Callable[[Any], Any]:
        """The joined model, compiled once for all that is asked of it."""
        import tensorflow as tf

        raw = tensors(self.test.raw(np.arange(1)))
        some = {
            n: tf.TensorSpec((None, *([None] * (t.ndim - 1))), t.dtype)
            if t.ndim > 2
            else tf.TensorSpec((None, *t.shape[1:]), t.dtype)
            for n, t in raw.items()
        }
        run = tf.function(lambda rows: self.joined(rows, training=False), autograph=False)
        return run.get_concrete_function(some)

    def answer(self, raw: Any) -> np.ndarray:
        """What the model says of raw rows."""
        raw = tensors(raw)
        rows = len(next(iter(raw.values())))
        pieces = [
            np.asarray(self.compiled({name: tensor[start : start + AT_ONCE] for name, tensor in raw.items()}))
            for start in range(0, rows, AT_ONCE)
        ]
        return squeeze_outputs(np.concatenate(pieces))


def tensors(raw: Any) -> dict[str, Any]:
    """Raw rows as tensors."""
    import tensorflow as tf

    return {name: tf.convert_to_tensor(values) for name, values in raw.items()}


def row_loss(truth: Any, answer: np.ndarray, info: dict[str, Any]) -> np.ndarray:
    """How wrong each answer is, `(rows,)`: log loss of a class, absolute error of a number."""
    if info["target"]["classes"]:
        given = np.take_along_axis(answer, np.asarray(truth).reshape(-1, 1).astype(int), 1)[:, 0]
        return -np.log(np.clip(given.astype("float64"), 1e-7, 1))
    return np.abs(np.asarray(truth, "float64").reshape(-1) - answer.reshape(-1))


def beside(truth: Any, answer: Any, classes: Any) -> dict[str, Any]:
    """What is true of a row beside what the model says of it."""
    if not classes:
        return {"label": float(truth), "predicted": float(np.reshape(answer, -1)[0])}
    guess = int(np.argmax(answer))
    return {"label": str(classes[int(truth)]), "predicted": str(classes[guess]), "sure": float(answer[guess])}
