"""Count dead units: units that output 0 for all rows, and so have no gradient."""

from typing import Any

import keras
import numpy as np

RECTIFIERS = {"relu", "relu6", "leaky_relu", "elu", "silu", "swish", "gelu", "selu", "softplus"}


def dead_units(model: Any, x: Any) -> list[dict[str, Any]]:
    """Count the units that output exactly 0 for all rows, per rectifier layer.

    Args:
        model: A built Keras model.
        x: Rows as the model takes them.

    Returns:
        Layer name, number of units and number of dead units of each such layer, in order of computation.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu", kernel_initializer="ones")])
        >>> _ = model.layers[0].bias.assign([-9.0, 0.0, 0.0])
        >>> [(layer["units"], layer["dead"]) for layer in dead_units(model, np.ones((4, 2), "float32"))]
        [(3, 1)]
    """
    alive: dict[int, np.ndarray] = {}
    layers = [layer for layer in model._flatten_layers(include_self=False) if _rectifies(layer)]
    try:
        for layer in layers:
            layer.__dict__["call"] = _recording_call(layer, alive)  # not setattr, which Keras overrides
        if layers:
            model(x, training=False)
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)
    return [
        {"layer": layer.name, "units": len(alive[id(layer)]), "dead": int((~alive[id(layer)]).sum())}
        for layer in layers
        if id(layer) in alive
    ]


def _rectifies(layer: Any) -> bool:
    """Return whether the activation of a layer is a rectifier."""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name in RECTIFIERS or isinstance(layer, keras.layers.ReLU)


def _recording_call(layer: Any, alive: dict[int, np.ndarray]) -> Any:
    """Wrap the call of a layer to record which units have a nonzero output."""
    call = layer.call

    def call_and_record(*arguments: Any, **options: Any) -> Any:
        output = call(*arguments, **options)
        values = keras.ops.convert_to_numpy(output)
        if values.ndim > 1:
            is_active = (values != 0).reshape(-1, values.shape[-1]).any(axis=0)
            alive[id(layer)] = is_active | alive.get(id(layer), False)
        return output

    return call_and_record
