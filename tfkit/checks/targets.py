"""Targets that a loss cannot take are refused before the first step, where a compiled one would say something else."""

from typing import Any

import numpy as np

from tfkit.errors import UserError
from tfkit.recipe import Data

ROWS = 4096  # that are looked at where a split is not in memory
CLASS_NUMBERS = {"sparsecategoricalcrossentropy", "sparsefocal", "smoothedcrossentropy"}
# loss -> the least and the most that a target may be
RANGES = {
    "binarycrossentropy": (0.0, 1.0),
    "binaryfocalcrossentropy": (0.0, 1.0),
    "poisson": (0.0, np.inf),
    "meansquaredlogarithmicerror": (-1.0, np.inf),
    "hinge": (-1.0, 1.0),
    "squaredhinge": (-1.0, 1.0),
}


def check_targets(model: Any, data: Data) -> None:
    """Refuse targets outside of what the model's loss is made for: class numbers without an answer, counts below 0.

    Only a model with one loss and one array of targets is looked at.

    Raises:
        UserError: With the loss, what it takes, and what came.
    """
    name = _name(getattr(model, "loss", None))
    width = getattr(model, "output_shape", None)
    if name in CLASS_NUMBERS and isinstance(width, tuple) and width[-1]:
        least, most, what = 0.0, width[-1] - 1.0, "class numbers, one for each answer of the model,"
    elif name in RANGES:
        (least, most), what = RANGES[name], "targets"
    else:
        return
    for split in ("train", "val", "test"):
        y = _targets(getattr(data, split))
        if y is None or not y.size or (np.nanmin(y) >= least and np.nanmax(y) <= most):
            continue
        allowed = f"from {least:g} to {most:g}" if np.isfinite(most) else f"of at least {least:g}"
        raise UserError(
            f"The loss {name} takes {what} {allowed}; look at the target, or choose another loss. "
            f"Received: {np.nanmin(y):g} to {np.nanmax(y):g} in the {split} split"
        )


def _name(loss: Any) -> str:
    """A loss, by its class, its function or its word, in one spelling; that of each member where it is of many."""
    inner = getattr(loss, "loss", None)
    loss = loss if inner is None else inner
    word = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return word.replace("_", "").lower()


def _targets(split: Any) -> np.ndarray | None:
    """All targets where they are in memory, else those of the first rows; None where they are no numbers."""
    y = split.arrays[1] if hasattr(split, "arrays") else split.take(np.arange(min(ROWS, len(split))))[1]
    if y is None or isinstance(y, dict):
        return None
    y = np.asarray(y)
    return y if y.dtype.kind in "iufb" else None
