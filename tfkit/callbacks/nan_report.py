"""Report on a training that stopped because the loss became NaN or infinite."""

import math

import keras

from tfkit.callbacks.gradient_norm import gradient_norms

CAUSES = {  # -> what to do
    "data": "The data cause it: correct or drop these cells, whose rows are in nan_report.json",
    "layer": (
        "This layer causes it, with finite weights and inputs, so another learning rate does not help: add a small "
        "number to the input of a logarithm, division or square root in it"
    ),
    "loss": (
        "The loss is not finite for finite outputs and targets, so another learning rate does not help: check its "
        "logarithms, divisions and square roots, and whether outputs and targets are in its range"
    ),
    "learning_rate": (
        "The weights became too large: lower learning_rate to a tenth and set global_clipnorm=1; if that does not "
        "help, look for extreme values in the rows of nan_report.json"
    ),
}


def make_nan_report(model, *, reason, epoch, first_nonfinite, cause, sample, step_info):
    """Collect diagnostics of a diverged training as JSON data.

    Args:
        model: The model, with the last good weights.
        reason: Which value was not finite, as text.
        epoch: The epoch, counted from 1.
        first_nonfinite: Name of the first layer, weight or input that was not finite, or None.
        cause: data, layer, loss or learning_rate.
        sample: `(x, y)` or `(x, y, weight)` to compute the gradient on, or None.
        step_info: JSON dictionary about the last steps: their numbers and the row indices in them.

    Returns:
        A dictionary with `what`, `epoch`, `first_nonfinite_layer`, `cause`, `gradient_norms` of the weights by their
        paths (a string if the norm is not finite), the entries of `step_info`, and `remedy`, a sentence.
    """
    return {
        "what": reason,
        "epoch": epoch,
        "first_nonfinite_layer": first_nonfinite,
        "cause": cause,
        "gradient_norms": _json_gradient_norms(model, sample),
        **step_info,
        "remedy": CAUSES[cause],
    }


def _json_gradient_norms(model, sample):
    """Return the gradient norm of each weight; empty for a model with its own `train_step`."""
    if sample is None or type(model).train_step is not keras.Model.train_step:
        return {}
    norms = {weight.path: norm for weight, norm in gradient_norms(model, sample)}
    return {path: norm if math.isfinite(norm) else str(norm) for path, norm in norms.items()}
