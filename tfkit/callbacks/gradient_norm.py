"""Gradient norms of a model on a fixed sample of rows."""

import math

import keras
import numpy as np


def gradient_norm(model, sample):
    """Compute the global gradient norm of the loss, before any clipping.

    It is the L2 norm of the gradient over all trainable weights. Runs the model's own `train_step` on the rows without
    applying the gradient: weights, statistics, metrics and random states do not change. The call is not compiled: about
    40 ms for a tabular model and 256 rows, nearly independent of the number of rows.

    Args:
        model: A built and compiled Keras model whose `train_step` uses the optimizer of `compile`.
        sample: Rows in the form that `fit` takes: `(x, y)` or `(x, y, weight)`.

    Returns:
        A number, at least 0; NaN or infinite if the gradient is not finite.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> tfkit.callbacks.gradient_norm(model, (np.array([[3.0, 4.0]]), np.array([[0.5]])))  # 2 * 0.5 * |(3, 4, 1)|
        5.0990195...
    """
    gradients = map(keras.ops.convert_to_numpy, _compute_gradients(model, sample))
    return math.sqrt(sum(np.square(gradient, dtype="float64").sum() for gradient in gradients))


def gradient_norms(model, sample):
    """Compute the gradient norm of each trainable weight.

    Returns pairs of weight and norm, in the order of `model.trainable_variables`; 0 for a weight without a gradient.
    Arguments and cost are those of `gradient_norm`.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> [norm for weight, norm in gradient_norms(model, (np.array([[3.0, 4.0]]), np.array([[0.5]])))]
        [5.0, 1.0]
    """
    gradients = _compute_gradients(model, sample, include_none=True)
    return [(weight, _norm(gradient)) for weight, gradient in zip(model.trainable_variables, gradients, strict=True)]


def _norm(gradient):
    return 0.0 if gradient is None else float(np.linalg.norm(keras.ops.convert_to_numpy(gradient)))


def _compute_gradients(model, sample, include_none=False):
    """Return the gradients of the model's own `train_step`, without applying them."""
    optimizer, gradients = model.optimizer, []
    overrides = {
        "apply": lambda grads, variables=None: gradients.extend(grads),
        "apply_gradients": lambda pairs: gradients.extend(gradient for gradient, _ in pairs),
        "scale_loss": lambda loss: loss,  # of a LossScaleOptimizer (half precision)
    }
    state_variables = [*model.non_trainable_variables, *model.metrics_variables]
    initial_values = [(variable, variable.numpy()) for variable in state_variables]
    optimizer.__dict__.update(overrides)  # not setattr, which Keras tracks
    try:
        model.train_step(tuple(sample))
    finally:
        for name in overrides:
            del optimizer.__dict__[name]
    for variable, value in initial_values:
        variable.assign(value)
    return [gradient for gradient in gradients if gradient is not None or include_none]
