"""Run by a process of its own, with nothing of a page's code: load an export, ask it twice, and see how long it takes.

Called as `python -P asking.py FORMAT EXPORT FOLDER`, it reads FOLDER/asked.npz and writes FOLDER/said.npz and
FOLDER/said.json. It imports the runtime of the format and NumPy alone, for that is all that there is elsewhere.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS = (1, 256)  # of which the latency is measured
SECONDS = 0.4  # for each of them, and three times at least


def keras(path: str) -> Any:
    """tfkit's layers and Keras."""
    import keras
    import tensorflow as tf

    from tfkit.inference.load_model import load_model

    model = load_model(path)
    run = tf.function(lambda rows: model(rows, training=False), autograph=False, reduce_retracing=True)
    return lambda rows: run(keras.tree.map_structure(tf.constant, rows)).numpy()


def savedmodel(path: str) -> Any:
    """TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)  # kept by the function below: without a reference its variables are gone
    return lambda rows: loaded.serve({name: tf.constant(values) for name, values in rows.items()}).numpy()


def onnx(path: str) -> Any:
    """onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = {each.name: each.shape for each in session.get_inputs()}
    return _row_by_row(shapes, lambda rows: session.run(None, {name: rows[name] for name in shapes})[0])


def litert(path: str) -> Any:
    """LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(path).get_signature_runner()
    shapes = {name: told["shape_signature"].tolist() for name, told in run.get_input_details().items()}
    return _row_by_row(shapes, lambda rows: next(iter(run(**{name: rows[name] for name in shapes}).values())))


def _row_by_row(shapes: dict[str, list[Any]], answer: Any) -> Any:
    """The answer to any number of rows, of a file that takes one at a time too."""
    if any(shape[0] != 1 for shape in shapes.values()):
        return answer

    def each(rows: dict[str, Any]) -> Any:
        numbers = range(len(next(iter(rows.values()))))
        return np.concatenate([answer({name: values[i : i + 1] for name, values in rows.items()}) for i in numbers])

    return each


def milliseconds(answer: Any, rows: dict[str, Any], count: int) -> float:
    """The median of how long so many rows take."""
    some = {name: np.resize(values, (count, *values.shape[1:])) for name, values in rows.items()}
    answer(some)
    taken: list[float] = []
    while len(taken) < 3 or (sum(taken) < SECONDS and len(taken) < 100):
        start = time.perf_counter()
        answer(some)
        taken.append(time.perf_counter() - start)
    return round(1000 * float(np.median(taken)), 3)


def main(format: str, path: str, folder: str) -> None:
    with np.load(Path(folder, "asked.npz"), allow_pickle=False) as kept:
        rows = dict(kept)
    for name in json.loads(rows.pop("strings").tobytes()):
        rows[name] = np.array(json.loads(rows[name].tobytes()), object)
    answer = {"keras": keras, "savedmodel": savedmodel, "onnx": onnx, "litert": litert}[format](path)
    np.savez(Path(folder, "said.npz"), first=answer(rows), second=answer(rows))
    said = {"milliseconds": {str(count): milliseconds(answer, rows, count) for count in ROWS}}
    Path(folder, "said.json").write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
