"""Batched prediction of arrays and datasets by a model or layer."""

from collections.abc import Callable
from typing import Any

import numpy as np

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
    import tensorflow as tf

    sample = keras.tree.map_structure(lambda rows: tf.convert_to_tensor(rows[:1]), sample)
    spec = keras.tree.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), sample)
    cache = model.__dict__.setdefault("_tfkit_predictors", {}) if isinstance(model, keras.Model) else {}
    run = cache.get(repr(spec))
    if run is None:
        function = tf.function(lambda rows: model(rows, training=False), autograph=False)
        run = cache[repr(spec)] = function.get_concrete_function(spec)
    size = batch_size or rows_per_call(sample)

    def predict_batches(x: Any) -> Any:
        x = keras.tree.map_structure(tf.convert_to_tensor, x)
        rows, outputs = len(keras.tree.flatten(x)[0]), []
        for start in range(0, max(rows, 1), size):
            output = run(keras.tree.map_structure(lambda tensor: tensor[start : start + size], x))  # noqa: B023
            outputs.append(keras.tree.map_structure(np.asarray, output))
        return keras.tree.map_structure(lambda *batches: np.concatenate(batches), *outputs)

    return predict_batches


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
