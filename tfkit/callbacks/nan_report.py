"""Report on a training that stopped because the loss became NaN or infinite."""

import math

import keras

from tfkit.callbacks.gradient_norm import gradient_norms

SUGGESTED_CHANGES = [
    "learning_rate: a tenth of its current value",
    "clip_norm: 1",
    "columns with extreme values, or the rows listed here",
]


def make_nan_report(model, *, reason, epoch, first_nonfinite, sample, step_info):
    """Collect diagnostics of a diverged training as JSON data.

    Args:
        model: The model, with the last good weights.
        reason: Which value was not finite, as text.
        epoch: The epoch, counted from 1.
        first_nonfinite: Name of the first layer, weight or input that was not finite, or None.
        sample: `(x, y)` or `(x, y, weight)` to compute the gradient on, or None.
        step_info: JSON dictionary about the last steps: their numbers and the row indices in them.

    Returns:
        A dictionary with `what`, `epoch`, `first_nonfinite_layer`, `gradient_norms` of the weights by their paths (a
        string if the norm is not finite), the entries of `step_info`, and `change`, a list of suggested changes.
    """
    return {
        "what": reason,
        "epoch": epoch,
        "first_nonfinite_layer": first_nonfinite,
        "gradient_norms": _json_gradient_norms(model, sample),
        **step_info,
        "change": SUGGESTED_CHANGES,
    }


def _json_gradient_norms(model, sample):
    """Return the gradient norm of each weight; empty for a model with its own `train_step`."""
    if sample is None or type(model).train_step is not keras.Model.train_step:
        return {}
    norms = {weight.path: norm for weight, norm in gradient_norms(model, sample)}
    return {path: norm if math.isfinite(norm) else str(norm) for path, norm in norms.items()}
