"""The model itself: its layers, how fast it answers, how its gradients run, and which of its units are dead."""

import time
from typing import Any

import numpy as np

from tfkit.report.evidence.trained import Trained, tensors

CALLS = 15  # of one row; the middle one counts
SAMPLE = 128  # training rows that gradients and units are looked at with


def describe(trained: Trained) -> dict[str, Any]:
    """Layers, weights, size of the file and time of an answer."""
    model = trained.model
    layers = [
        {"name": layer.name, "kind": type(layer).__name__, "weights": int(layer.count_params()), "shape": _shape(layer)}
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    ]
    file = trained.run.path("model.keras")
    return {
        "layers": layers,
        "weights": int(model.count_params()),
        "trained": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "bytes": file.stat().st_size if file.is_file() else None,
        **_latency(trained),
    }


def _shape(layer: Any) -> str | None:
    """The shape of what a layer gives, where it is known."""
    try:
        output = layer.output
    except (AttributeError, ValueError):
        return None
    shape = getattr(output, "shape", None)
    return None if shape is None else " x ".join("any" if size is None else str(size) for size in shape[1:])


def _latency(trained: Trained) -> dict[str, float]:
    """Milliseconds for one raw row, and rows a second where many come at once."""
    rows = min(256, len(trained.test))
    many = tensors(trained.test.raw(np.arange(rows)))
    one = {name: tensor[:1] for name, tensor in many.items()}
    trained.compiled(one), trained.compiled(many)
    spent = []
    for _ in range(CALLS):
        start = time.perf_counter()
        trained.compiled(one)
        spent.append(time.perf_counter() - start)
    start = time.perf_counter()
    trained.compiled(many)
    whole = max(time.perf_counter() - start, 1e-9)
    return {"milliseconds": round(1000 * float(np.median(spent)), 3), "rows_per_second": round(rows / whole)}


def learning(trained: Trained) -> dict[str, Any] | None:
    """Of each weight the length of its gradient beside its own, and of each layer its dead units."""
    import keras

    from tfkit.callbacks.gradient_norm import gradient_norms
    from tfkit.report.evidence.units import dead_units

    model, data = trained.model, trained.data
    rows = data.train.take(np.arange(min(SAMPLE, len(data.train))))
    found: dict[str, Any] = {"dead": dead_units(model, rows[0])}
    if type(model).train_step is keras.Model.train_step:
        found["gradients"] = [
            {"weight": weight.path, "norm": norm, "size": float(np.linalg.norm(weight.numpy()))}
            for weight, norm in gradient_norms(model, rows)
        ]
    return found
