"""What Keras leaves to its backend: gradients, and functions that are compiled before they are run."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras


def gradients(loss: Callable[[], Any], variables: Sequence[Any]) -> list[Any]:
    """The gradient of what `loss` returns by each variable, as an array; None where it does not depend on it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [variable.value for variable in variables])
        found = [tf.convert_to_tensor(one) if isinstance(one, tf.IndexedSlices) else one for one in found]
    elif backend == "jax":
        import jax

        def at(values: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return loss()

        found = jax.grad(at)([variable.value for variable in variables])
    elif backend == "torch":
        import torch

        value = loss()
        values = [variable.value for variable in variables]
        found = torch.autograd.grad(value, values, allow_unused=True) if value.requires_grad else [None] * len(values)
    else:
        raise NotImplementedError(f"Gradients need the backend tensorflow, jax or torch. Received: {backend!r}")
    return [one if one is None else keras.ops.convert_to_numpy(one) for one in found]


def compiled(
    function: Callable[..., Any], variables: Sequence[Any], shapes: Sequence[Any], dtypes: Sequence[str]
) -> Callable[..., Any]:
    """The function as `fit` would run it: one graph for every length that is None (TensorFlow), or jitted (JAX).

    On other backends, which run each operation as it comes, the function itself.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        # a partial has no code that TensorFlow would count as one function traced again and again
        return tf.function(partial(function), input_signature=signature, autograph=False)
    if backend == "jax":
        import jax

        @jax.jit
        def run(values: list[Any], arrays: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(*arrays)

        return lambda *arrays: run([variable.value for variable in variables], list(arrays))
    return function
