"""Find the first layer that outputs NaN or infinity."""

from contextlib import ExitStack, contextmanager, suppress

import keras
import numpy as np


def find_nonfinite_layer(model, x):
    """Name the first layer, in order of computation, that outputs NaN or infinity.

    Runs the rows through the model in training mode (dropout, batch statistics) and checks the output of every layer
    and every `keras.ops` operation, also inside nested models and layers. Variables that this changes are restored.

    Args:
        model: A built Keras model.
        x: Inputs `(rows, ...)`, or a list or dictionary of them.

    Returns:
        A name such as `"encoder/dense_1"`, from the outermost layer to the innermost; `"input x"` if the input itself
        is not finite; None if all outputs are finite.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> inputs = keras.Input((2,), name="x")
        >>> root = keras.layers.Lambda(keras.ops.sqrt, name="root")(inputs)
        >>> model = keras.Model(inputs, keras.layers.Dense(1)(root))
        >>> tfkit.callbacks.find_nonfinite_layer(model, np.array([[4.0, -1.0]]))
        'root'
    """
    for path, tensor in keras.tree.flatten_with_path(x):
        if not is_finite(tensor):
            return f"input {path[0]}" if path else "input"
    nonfinite_paths = []
    initial_values = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    with _record_nonfinite_outputs(model, nonfinite_paths):
        model(x, training=True) if model._call_has_training_arg else model(x)
    for variable, value in initial_values:
        variable.assign(value)
    return nonfinite_paths[0] if nonfinite_paths else None


def is_finite(tensor):
    """Return whether all values are finite; True for strings and symbolic tensors."""
    with suppress(TypeError, NotImplementedError):  # strings; tensors inside a compiled loop
        return bool(np.isfinite(keras.ops.convert_to_numpy(tensor)).all())
    return True


@contextmanager
def _record_nonfinite_outputs(model, nonfinite_paths):
    """Append the path of every layer with a non-finite output to `nonfinite_paths`."""
    call_stack = []

    def wrap_call(operation):
        original_call = operation.call

        def checked_call(*args, **kwargs):
            call_stack.append(operation.name)
            output = original_call(*args, **kwargs)
            if not all(map(is_finite, keras.tree.flatten(output))):
                nonfinite_paths.append("/".join(call_stack))
            call_stack.pop()
            return output

        operation.__dict__["call"] = checked_call  # not setattr, which Keras tracks

    layers = list(model._flatten_layers(include_self=False))
    operations = [operation for layer in [model, *layers] for operation in getattr(layer, "operations", [])]
    with ExitStack() as stack:
        for operation in {id(operation): operation for operation in [*layers, *operations]}.values():
            wrap_call(operation)
            stack.callback(operation.__dict__.pop, "call")
        yield
