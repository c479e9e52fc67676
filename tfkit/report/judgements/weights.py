"""What the gradients and the units of the trained model say."""

from typing import Any

import numpy as np

from tfkit.report.judgements.judgement import Judgement, again, rate
from tfkit.report.reading import Record
from tfkit.report.words import number, percent

EXPLODED, VANISHED, DEAD = 50.0, 1e-6, 0.6


def exploding(record: Record) -> Judgement | None:
    """The gradient grew far beyond what it was."""
    norms = record.curve("gradient_norm")
    norms = norms[np.isfinite(norms)]
    if len(norms) < 4 or norms[1:].max() < EXPLODED * max(float(np.median(norms)), 1e-12):
        return None
    epoch = int(norms[1:].argmax()) + 2
    known = [one for one in _gradients(record) if one["norm"] is not None]
    steep = max(known, key=lambda one: one["norm"], default=None)
    where = f" At the end it is longest for {steep['weight']}, {number(steep['norm'])}." if steep else ""
    return Judgement(
        "Gradients explode",
        f"The gradient norm is {number(float(np.median(norms)))} in the middle of training and "
        f"{number(float(norms[1:].max()))} in epoch {epoch}.{where}",
        again(record, clip_norm=float(f"{2 * np.median(norms):.2g}")),
    )


def vanishing(record: Record) -> Judgement | None:
    """Some layer gets next to no gradient, while another does."""
    kernels = [one for one in _gradients(record) if _kernel(one) and one["norm"] is not None]
    if len(kernels) < 2:
        return None
    most = max(kernels, key=lambda one: one["norm"])
    still = [one for one in kernels if one["norm"] < VANISHED * most["norm"] and one["size"] > 0]
    if not still:
        return None
    names = ", ".join(f"{one['weight']} ({number(one['norm'])})" for one in still[:3])
    return Judgement(
        "Gradients vanish: some layers learn next to nothing",
        f"At the end the gradient of {names}{' and others' if len(still) > 3 else ''} is less than a millionth of that "
        f"of {most['weight']} ({number(most['norm'])}).",
        again(record, **_shallower(record)),
    )


def dead_units(record: Record) -> Judgement | None:
    """Most units of a layer say 0 whatever comes in."""
    layers = (record.evidence.get("learning") or {}).get("dead") or []
    poor = [one for one in layers if one["units"] >= 4 and one["dead"] > DEAD * one["units"]]
    if not poor:
        return None
    said = "; ".join(
        f"{one['layer']}: {one['dead']} of {one['units']} ({percent(one['dead'] / one['units'])})" for one in poor[:4]
    )
    return Judgement(
        "Most units of a layer are dead",
        f"They give 0 for every one of the training rows that were looked at, and learn no more: {said}.",
        again(record, **rate(record, 0.3)),
    )


def _gradients(record: Record) -> list[dict[str, Any]]:
    return (record.evidence.get("learning") or {}).get("gradients") or []


def _kernel(one: dict[str, Any]) -> bool:
    return "kernel" in one["weight"].rsplit("/", 1)[-1]


def _shallower(record: Record) -> dict[str, Any]:
    depth = record.config.get("depth")
    return {"depth": depth - 1} if isinstance(depth, int) and depth > 1 else rate(record, 3)
