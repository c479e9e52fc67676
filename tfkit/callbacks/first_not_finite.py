"""Where in a model the first number arises that is none."""

from contextlib import ExitStack, contextmanager, suppress

import keras
import numpy as np


def first_not_finite(model, x):
    """Name the first layer whose output holds NaN or infinity, in the order in which the model computes.

    Runs the rows through the model as in training (dropout, statistics of the batch) and watches every layer and every
    operation of `keras.ops` in it, also those of models and layers inside it. What that changes is put back.

    Args:
        model: A built Keras model.
        x: Inputs `(rows, ...)`, or a list or dictionary of them.

    Returns:
        A name such as `"encoder/dense_1"`, the layers from the outermost in; `"input x"` where the rows themselves are
        not finite; None where all is finite.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> inputs = keras.Input((2,), name="x")
        >>> root = keras.layers.Lambda(keras.ops.sqrt, name="root")(inputs)
        >>> model = keras.Model(inputs, keras.layers.Dense(1)(root))
        >>> tfkit.callbacks.first_not_finite(model, np.array([[4.0, -1.0]]))
        'root'
    """
    for path, tensor in keras.tree.flatten_with_path(x):
        if not is_finite(tensor):
            return f"input {path[0]}" if path else "input"
    found = []
    kept = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    with _watched(model, found):
        model(x, training=True) if model._call_has_training_arg else model(x)
    for variable, value in kept:
        variable.assign(value)
    return found[0] if found else None


def is_finite(tensor):
    """Whether every number of a tensor is one; what is no number, or cannot be looked at, passes."""
    with suppress(TypeError, NotImplementedError):  # strings; a tensor of a loop that is compiled
        return bool(np.isfinite(keras.ops.convert_to_numpy(tensor)).all())
    return True


@contextmanager
def _watched(model, found):
    """While inside, the path of a layer is added to `found` when its output is not finite."""
    inside = []

    def watch(operation):
        call = operation.call

        def watching(*arguments, **options):
            inside.append(operation.name)
            output = call(*arguments, **options)
            if not all(map(is_finite, keras.tree.flatten(output))):
                found.append("/".join(inside))
            inside.pop()
            return output

        operation.__dict__["call"] = watching  # not setattr, by which Keras would take notice

    layers = list(model._flatten_layers(include_self=False))
    operations = [operation for layer in [model, *layers] for operation in getattr(layer, "operations", [])]
    with ExitStack() as stack:
        for operation in {id(one): one for one in [*layers, *operations]}.values():
            watch(operation)
            stack.callback(operation.__dict__.pop, "call")
        yield
