"""Batched prediction of arrays and datasets by a model or layer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfkit.datasets.keras_settings import check_process

VALUES_PER_CALL = 2**18  # input values of one call; what a layer computes from them is many times larger

CHUNK_ROWS = 65_536  # rows read at once from a dataset

CHUNK_VALUES = 2**26  # input values read at once, where rows are large


def predict(model: Any, x: Any, batch_size: int | None = None) -> Any:
    """Predict rows in batches, as NumPy arrays.

    Unlike Keras' own `predict` it takes strings, and any layer.

    Args:
        model: A Keras model or layer.
        x: Array `(rows, ...)` or a dictionary of them.
        batch_size: Rows at a time, at least 1; None for 4096, and fewer where rows are large.

    Returns:
        An array, or the structure of arrays that the model returns.

    Example:
        >>> import keras, numpy as np
        >>> predict(keras.layers.Rescaling(2.0), np.ones((3, 1), "float32")).ravel().tolist()
        [2.0, 2.0, 2.0]
    """
    return compiled_predictor(model, x, batch_size)(x)


def compiled_predictor(model: Any, sample: Any, batch_size: int | None = None) -> Callable[[Any], Any]:
    """Compile `predict` of one model for rows like the sample; cached on the model."""
    import keras

    check_process()
    cache = model.__dict__.setdefault("_tfkit_predictors", {}) if isinstance(model, keras.Model) else {}
    key = _signature(sample)
    if key not in cache:
        cache[key] = _compile(model, sample)
    run, rows_at_once = cache[key]
    size = batch_size or rows_at_once

    def predict_batches(x: Any) -> Any:
        rows = len(next(iter(x.values()))) if isinstance(x, dict) and x else len(keras.tree.flatten(x)[0])
        if rows <= size:
            return _to_numpy(run(_to_tensors(x)))
        x, outputs = keras.tree.map_structure(_to_tensor, x), []
        for start in range(0, rows, size):
            output = run(keras.tree.map_structure(lambda tensor: tensor[start : start + size], x))  # noqa: B023
            outputs.append(keras.tree.map_structure(np.asarray, output))
        return keras.tree.map_structure(lambda *batches: np.concatenate(batches), *outputs)

    return predict_batches


def _compile(model: Any, sample: Any) -> tuple[Callable[[Any], Any], int]:
    """Compile a model for rows like the sample; return the function and how many rows it takes at once."""
    import keras
    import tensorflow as tf

    sample = keras.tree.map_structure(lambda rows: tf.convert_to_tensor(rows[:1]), sample)
    spec = keras.tree.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), sample)
    function = tf.function(lambda rows: model(rows, training=False), autograph=False)
    return function.get_concrete_function(spec), rows_per_call(sample)


def _signature(x: Any) -> Any:
    """Structure, dtypes and shapes of the rows, hashable and computed in microseconds."""
    if isinstance(x, dict):
        return tuple((name, _signature(value)) for name, value in x.items())
    if isinstance(x, list | tuple):
        return type(x).__name__, tuple(map(_signature, x))
    dtype = getattr(x, "dtype", None)
    return str(dtype), tuple(np.shape(x)[1:])


def _to_tensor(rows: Any) -> Any:
    import tensorflow as tf

    return tf.convert_to_tensor(rows)


def _to_tensors(x: Any) -> Any:
    """Convert rows to tensors; a dictionary of arrays, the usual case, without the cost of `keras.tree`."""
    import keras

    if isinstance(x, dict) and not any(isinstance(value, dict | list | tuple) for value in x.values()):
        return {name: _to_tensor(value) for name, value in x.items()}
    return keras.tree.map_structure(_to_tensor, x)


def _to_numpy(outputs: Any) -> Any:
    import keras

    return outputs.numpy() if hasattr(outputs, "numpy") else keras.tree.map_structure(np.asarray, outputs)


def rows_per_call(x: Any) -> int:
    """The number of rows to compute at once, from 32 to 4096: fewer where a row is large."""
    import keras

    values = sum(int(np.prod(tensor.shape[1:])) for tensor in keras.tree.flatten(x))
    return min(4096, max(32, VALUES_PER_CALL // max(1, values)))


def squeeze_outputs(outputs: np.ndarray) -> np.ndarray:
    """Values `(rows, 1)` as `(rows,)`; any other shape is unchanged."""
    return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs


def index_chunks(dataset: Any) -> list[np.ndarray]:
    """All row indices of a dataset, in chunks whose inputs fit into memory."""
    import keras

    x, _, _ = dataset.take(np.arange(1))
    values = sum(int(np.prod(tensor.shape)) for tensor in keras.tree.flatten(x))
    rows = max(1, min(CHUNK_ROWS, CHUNK_VALUES // max(1, values)))
    return [np.arange(start, min(start + rows, len(dataset))) for start in range(0, len(dataset), rows)]
