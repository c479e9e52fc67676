"""Script that loads an exported model in a separate process, predicts twice, and measures the latency.

Called as `python -P inference_probe.py FORMAT EXPORT FOLDER`, it reads FOLDER/inputs.npz and writes
FOLDER/predictions.npz and FOLDER/latency.json. It imports only the runtime of the format and NumPy, because a
deployment has nothing else.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LATENCY_ROWS = (1, 256)  # batch sizes that are timed

MIN_TIMING_SECONDS = 0.4  # for each batch size

MIN_REPEATS = 3

MAX_REPEATS = 100

Predictor = Callable[[dict[str, np.ndarray]], np.ndarray]


def keras(path: str) -> Predictor:
    """Load a `.keras` file with Keras and the layers of tfkit."""
    import keras
    import tensorflow as tf

    from tfkit.inference.load_model import load_model

    model = load_model(path)
    run = tf.function(lambda rows: model(rows, training=False), autograph=False, reduce_retracing=True)
    return lambda rows: run(keras.tree.map_structure(tf.constant, rows)).numpy()


def savedmodel(path: str) -> Predictor:
    """Load a SavedModel with TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)  # the lambda keeps the reference, without which the variables are freed
    return lambda rows: loaded.serve({name: tf.constant(values) for name, values in rows.items()}).numpy()


def onnx(path: str) -> Predictor:
    """Load an ONNX file with onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    return _split_rows(shapes, lambda rows: session.run(None, {name: rows[name] for name in shapes})[0])


def litert(path: str) -> Predictor:
    """Load a LiteRT file with the LiteRT interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(path).get_signature_runner()
    shapes = {name: details["shape_signature"].tolist() for name, details in run.get_input_details().items()}
    return _split_rows(shapes, lambda rows: next(iter(run(**{name: rows[name] for name in shapes}).values())))


def _split_rows(shapes: dict[str, list[Any]], predict: Predictor) -> Predictor:
    """Predict row by row if the model has a fixed batch size of 1."""
    if any(shape[0] != 1 for shape in shapes.values()):
        return predict

    def predict_rows(rows: dict[str, np.ndarray]) -> np.ndarray:
        indices = range(len(next(iter(rows.values()))))
        return np.concatenate([predict({name: values[i : i + 1] for name, values in rows.items()}) for i in indices])

    return predict_rows


def milliseconds(predict: Predictor, rows: dict[str, np.ndarray], count: int) -> float:
    """Median latency of a batch of `count` rows."""
    batch = {name: np.resize(values, (count, *values.shape[1:])) for name, values in rows.items()}
    predict(batch)
    seconds: list[float] = []
    while len(seconds) < MIN_REPEATS or (sum(seconds) < MIN_TIMING_SECONDS and len(seconds) < MAX_REPEATS):
        start = time.perf_counter()
        predict(batch)
        seconds.append(time.perf_counter() - start)
    return round(1000 * float(np.median(seconds)), 3)


def main(format: str, path: str, folder: str) -> None:
    """Read the inputs, predict twice, and write predictions and latency."""
    with np.load(Path(folder, "inputs.npz"), allow_pickle=False) as arrays:
        rows = dict(arrays)
    for name in json.loads(rows.pop("strings").tobytes()):
        rows[name] = np.array(json.loads(rows[name].tobytes()), object)
    predict = {"keras": keras, "savedmodel": savedmodel, "onnx": onnx, "litert": litert}[format](path)
    np.savez(Path(folder, "predictions.npz"), first=predict(rows), second=predict(rows))
    latency = {"milliseconds": {str(count): milliseconds(predict, rows, count) for count in LATENCY_ROWS}}
    Path(folder, "latency.json").write_text(json.dumps(latency), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
