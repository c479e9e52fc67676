"""Gradients and compiled functions for each Keras backend."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np


def compute_gradients(loss: Callable[[], Any], variables: Sequence[Any]) -> list[np.ndarray | None]:
    """Compute the gradient of `loss()` with respect to each variable.

    A gradient is None where the loss does not depend on the variable.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, [variable.value for variable in variables])
        gradients = [
            tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
            for gradient in gradients
        ]
    elif backend == "jax":
        import jax

        def loss_at(values: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return loss()

        gradients = jax.grad(loss_at)([variable.value for variable in variables])
    elif backend == "torch":
        import torch

        value = loss()
        values = [variable.value for variable in variables]
        gradients = (
            torch.autograd.grad(value, values, allow_unused=True) if value.requires_grad else [None] * len(values)
        )
    else:
        raise NotImplementedError(f"Gradients need the backend tensorflow, jax or torch. Received: {backend!r}")
    return [gradient if gradient is None else keras.ops.convert_to_numpy(gradient) for gradient in gradients]


def compile_function(
    function: Callable[..., Any], variables: Sequence[Any], shapes: Sequence[Any], dtypes: Sequence[str]
) -> Callable[..., Any]:
    """Compile a function as `fit` does.

    TensorFlow builds one graph for every size where the shape is None; JAX compiles with `jax.jit`. Other backends run
    each operation eagerly, so the function itself is returned.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        # TensorFlow warns of repeated retracing by code object; a partial has none
        return tf.function(partial(function), input_signature=signature, autograph=False)
    if backend == "jax":
        import jax

        @jax.jit
        def run(values: list[Any], arrays: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(*arrays)

        return lambda *arrays: run([variable.value for variable in variables], list(arrays))
    return function
