"""Check before training that the loss accepts the targets."""

from typing import Any

import numpy as np

from tfkit.errors import UserError
from tfkit.recipe import Data

MAX_CHECKED_ROWS = 4096  # of a split that is not in memory

CLASS_INDEX_LOSSES = {
    "sparsecategoricalcrossentropy",
    "sparsecategoricalfocalcrossentropy",
    "sparselabelsmoothingcrossentropy",
}

# loss -> the smallest and the largest target
TARGET_RANGES = {
    "binarycrossentropy": (0.0, 1.0),
    "binaryfocalcrossentropy": (0.0, 1.0),
    "poisson": (0.0, np.inf),
    "meansquaredlogarithmicerror": (-1.0, np.inf),
    "hinge": (-1.0, 1.0),
    "squaredhinge": (-1.0, 1.0),
}


def check_targets(model: Any, data: Data) -> None:
    """Raise an error if targets are outside the range of the loss of the model.

    Examples are class indices without an output of the model, or negative counts. Only models with one loss and one
    array of targets are checked. A compiled step would raise a less clear error, or none.

    Raises:
        UserError: With the loss, the range that it accepts, and the range of the targets.
    """
    name = _loss_name(getattr(model, "loss", None))
    output_shape = getattr(model, "output_shape", None)
    if name in CLASS_INDEX_LOSSES and isinstance(output_shape, tuple) and output_shape[-1]:
        low, high, description = 0.0, output_shape[-1] - 1.0, "class indices, one for each output of the model,"
    elif name in TARGET_RANGES:
        (low, high), description = TARGET_RANGES[name], "targets"
    else:
        return
    for split in ("train", "val", "test"):
        y = _targets(getattr(data, split))
        if y is None or not y.size or (np.nanmin(y) >= low and np.nanmax(y) <= high):
            continue
        allowed = f"from {low:g} to {high:g}" if np.isfinite(high) else f"of at least {low:g}"
        raise UserError(
            f"The loss {name} accepts {description} {allowed}; check the target, or choose another loss. "
            f"Received: {np.nanmin(y):g} to {np.nanmax(y):g} in the {split} split"
        )


def _loss_name(loss: Any) -> str:
    """Return the normalized name of a loss; a wrapped loss is unwrapped.

    The loss is given as an object, a function or a name.
    """
    inner = getattr(loss, "loss", None)
    loss = loss if inner is None else inner
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return name.replace("_", "").lower()


def _targets(split: Any) -> np.ndarray | None:
    """Return the targets of a split; None if they are not numeric.

    If the split is not in memory, only those of the first rows are returned.
    """
    y = split.arrays[1] if hasattr(split, "arrays") else split.take(np.arange(min(MAX_CHECKED_ROWS, len(split))))[1]
    if y is None or isinstance(y, dict):
        return None
    y = np.asarray(y)
    return y if y.dtype.kind in "iufb" else None
