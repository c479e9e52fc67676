"""What is left behind where the loss is no number any more: enough to find out why without training again."""

import math

import keras

from tfkit.callbacks.gradient_norm import gradient_norms

CHANGES = [
    "learning_rate: a tenth of what it is",
    "clip_norm: 1",
    "the columns, or the rows below, in which values are extreme",
]


def bundle(model, *, what, epoch, first, sample, where):
    """JSON of what can be known when training must stop.

    Args:
        model: The model, with the weights that it was last good with.
        what: Which number was not finite, in words.
        epoch: The epoch, counted from 1.
        first: The first layer, weight or input that was not finite, or None.
        sample: `(x, y)` or `(x, y, weight)` to take the gradient on, or None.
        where: What is known of the last steps, a dictionary of JSON: their numbers, the rows in them.

    Returns:
        `what`, `epoch`, `first_not_finite`, `gradient_norms` of the weights by their paths, a word where one is not
        finite, what `where` tells, and `change`, what may help.
    """
    return {
        "what": what,
        "epoch": epoch,
        "first_not_finite": first,
        "gradient_norms": _norms(model, sample),
        **where,
        "change": CHANGES,
    }


def _norms(model, sample):
    """Of each weight the norm of its gradient; nothing where the model's own step has no one gradient."""
    if sample is None or type(model).train_step is not keras.Model.train_step:
        return {}
    norms = {weight.path: norm for weight, norm in gradient_norms(model, sample)}
    return {path: norm if math.isfinite(norm) else str(norm) for path, norm in norms.items()}
