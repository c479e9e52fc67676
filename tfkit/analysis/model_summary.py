"""Summarize a model: layers, size, latency, gradient norms and dead units."""

import time
from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel, tensors

LATENCY_CALLS = 15  # calls with one row; the latency is their median

MAX_BATCH_ROWS = 256  # rows of the throughput measurement

MAX_SAMPLE_ROWS = 128  # training rows for gradients and dead units


def describe(fitted: FittedModel) -> dict[str, Any]:
    """Return layers, number of weights, file size and inference time."""
    model = fitted.model
    layers = [
        {"name": layer.name, "kind": type(layer).__name__, "weights": int(layer.count_params()), "shape": _shape(layer)}
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    ]
    file = fitted.run.path("model.keras")
    return {
        "layers": layers,
        "weights": int(model.count_params()),
        "trainable": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "bytes": file.stat().st_size if file.is_file() else None,
        **_latency(fitted),
    }


def _shape(layer: Any) -> str | None:
    """Return the output shape of a layer without batch axis; None if unknown."""
    try:
        output = layer.output
    except (AttributeError, ValueError):
        return None
    shape = getattr(output, "shape", None)
    return None if shape is None else " x ".join("any" if size is None else str(size) for size in shape[1:])


def _latency(fitted: FittedModel) -> dict[str, float]:
    """Measure milliseconds for one raw row, and rows per second in a batch."""
    rows = min(MAX_BATCH_ROWS, len(fitted.test))
    batch = tensors(fitted.test.raw_inputs(np.arange(rows)))
    single_row = {name: tensor[:1] for name, tensor in batch.items()}
    fitted.compiled(single_row), fitted.compiled(batch)
    seconds = []
    for _ in range(LATENCY_CALLS):
        start = time.perf_counter()
        fitted.compiled(single_row)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    fitted.compiled(batch)
    batch_seconds = max(time.perf_counter() - start, 1e-9)
    return {"milliseconds": round(1000 * float(np.median(seconds)), 3), "rows_per_second": round(rows / batch_seconds)}


def gradients_and_dead_units(fitted: FittedModel) -> dict[str, Any] | None:
    """Return gradient norms of weights and dead units of layers."""
    import keras

    from tfkit.analysis.dead_units import dead_units
    from tfkit.callbacks.gradient_norm import gradient_norms

    model, data = fitted.model, fitted.data
    rows = data.train.take(np.arange(min(MAX_SAMPLE_ROWS, len(data.train))))
    results: dict[str, Any] = {"dead": dead_units(model, rows[0])}
    if type(model).train_step is keras.Model.train_step:
        results["gradients"] = [
            {"weight": weight.path, "norm": norm, "weight_norm": float(np.linalg.norm(weight.numpy()))}
            for weight, norm in gradient_norms(model, rows)
        ]
    return results
