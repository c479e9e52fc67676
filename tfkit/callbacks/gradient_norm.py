"""How steep the loss is, measured once in a while instead of at every step."""

import math

import keras
import numpy as np


def gradient_norm(model, sample):
    """The length of the gradient of the loss over all trainable weights together, before any clipping.

    Runs the model's own `train_step` on the rows, without the step: weights, statistics, metrics and random states are
    as before. It is not compiled: some 40 ms for a table's model and 256 rows, mostly whatever the number of rows.

    Args:
        model: A built and compiled Keras model whose `train_step` goes through the optimizer of `compile`.
        sample: Rows as the model is fitted with: `(x, y)` or `(x, y, weight)`.

    Returns:
        A number, at least 0; NaN or infinite where the gradient is.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> tfkit.callbacks.gradient_norm(model, (np.array([[3.0, 4.0]]), np.array([[0.5]])))  # 2 * 0.5 * |(3, 4, 1)|
        5.0990195...
    """
    squares = (np.square(keras.ops.convert_to_numpy(g), dtype="float64").sum() for g in _gradients(model, sample))
    return math.sqrt(sum(squares))


def gradient_norms(model, sample):
    """The length of the gradient over each trainable weight, with the weight; else as `gradient_norm`.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> [norm for weight, norm in gradient_norms(model, (np.array([[3.0, 4.0]]), np.array([[0.5]])))]
        [5.0, 1.0]
    """
    pairs = zip(model.trainable_variables, _gradients(model, sample, all_of_them=True), strict=True)
    return [(weight, 0.0 if g is None else float(np.linalg.norm(keras.ops.convert_to_numpy(g)))) for weight, g in pairs]


def _gradients(model, sample, all_of_them=False):
    """The gradients that the model's own step would take; those of weights that have none are left out."""
    optimizer, gradients = model.optimizer, []
    instead = {
        "apply": lambda gradient, variables=None: gradients.extend(gradient),
        "apply_gradients": lambda pairs: gradients.extend(gradient for gradient, _ in pairs),
        "scale_loss": lambda loss: loss,  # of half precision
    }
    kept = [(variable, variable.numpy()) for variable in [*model.non_trainable_variables, *model.metrics_variables]]
    optimizer.__dict__.update(instead)  # not setattr, by which Keras would take notice
    try:
        model.train_step(tuple(sample))
    finally:
        for name in instead:
            del optimizer.__dict__[name]
    for variable, value in kept:
        variable.assign(value)
    return [gradient for gradient in gradients if gradient is not None or all_of_them]
