"""Diagnoses of exploding and vanishing gradients, and dead units."""

from typing import Any

import numpy as np

from tfkit.reporting.diagnostics.diagnosis import Diagnosis, retrain_command, scale_learning_rate
from tfkit.reporting.formatting import format_number, format_percent
from tfkit.reporting.run_results import RunResults

EXPLODING_RATIO = 50.0  # largest gradient norm of an epoch divided by the median

VANISHING_RATIO = 1e-6  # smallest gradient norm of a weight divided by the largest

MAX_DEAD_FRACTION = 0.6  # dead units of a layer


def exploding(record: RunResults) -> Diagnosis | None:
    """Diagnose exploding gradients: a gradient norm far above the median."""
    norms = record.curve("gradient_norm")
    norms = norms[np.isfinite(norms)]
    if len(norms) < 4 or norms[1:].max() < EXPLODING_RATIO * max(float(np.median(norms)), 1e-12):
        return None
    epoch = int(norms[1:].argmax()) + 2
    gradients = [gradient for gradient in _gradients(record) if gradient["norm"] is not None]
    largest = max(gradients, key=lambda gradient: gradient["norm"], default=None)
    source = f" The largest at the end is {format_number(largest['norm'])}, of {largest['weight']}." if largest else ""
    return Diagnosis(
        "Gradients explode",
        f"The median gradient norm is {format_number(np.median(norms))}; in epoch {epoch} it is "
        f"{format_number(norms[1:].max())}.{source} Try gradient clipping.",
        retrain_command(record, global_clipnorm=float(f"{2 * np.median(norms):.2g}")),
    )


def vanishing(record: RunResults) -> Diagnosis | None:
    """Diagnose vanishing gradients: a weight has a far smaller gradient than another."""
    kernels = [gradient for gradient in _gradients(record) if _is_kernel(gradient) and gradient["norm"] is not None]
    if len(kernels) < 2:
        return None
    largest = max(kernels, key=lambda kernel: kernel["norm"])
    smallest = [k for k in kernels if k["norm"] < VANISHING_RATIO * largest["norm"] and k["weight_norm"] > 0]
    if not smallest:
        return None
    names = ", ".join(f"{kernel['weight']} ({format_number(kernel['norm'])})" for kernel in smallest[:3])
    return Diagnosis(
        "Gradients vanish: some layers hardly learn",
        f"At the end the gradient norm of {names}{' and others' if len(smallest) > 3 else ''} is less than a millionth "
        f"of that of {largest['weight']} ({format_number(largest['norm'])}).",
        retrain_command(record, **_fewer_layers(record)),
    )


def dead_units(record: RunResults) -> Diagnosis | None:
    """Diagnose dead units: most units of a layer output 0 for all rows."""
    layers = (record.analysis.get("learning") or {}).get("dead") or []
    mostly_dead = [
        layer for layer in layers if layer["units"] >= 4 and layer["dead"] > MAX_DEAD_FRACTION * layer["units"]
    ]
    if not mostly_dead:
        return None
    counts = "; ".join(
        f"{layer['layer']}: {layer['dead']} of {layer['units']} ({format_percent(layer['dead'] / layer['units'])})"
        for layer in mostly_dead[:4]
    )
    return Diagnosis(
        "Most units of a layer are dead",
        f"These units output 0 for all training rows of a sample, so they have no gradient: {counts}.",
        retrain_command(record, **scale_learning_rate(record, 0.3)),
    )


def _gradients(record: RunResults) -> list[dict[str, Any]]:
    return (record.analysis.get("learning") or {}).get("gradients") or []


def _is_kernel(gradient: dict[str, Any]) -> bool:
    return "kernel" in gradient["weight"].rsplit("/", 1)[-1]


def _fewer_layers(record: RunResults) -> dict[str, Any]:
    """Return a setting with one layer less, or with a higher learning rate."""
    num_layers = record.config.get("num_layers")
    return (
        {"num_layers": num_layers - 1}
        if isinstance(num_layers, int) and num_layers > 1
        else scale_learning_rate(record, 3)
    )
