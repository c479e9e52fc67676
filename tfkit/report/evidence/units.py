"""Units that always say the same: whatever comes in, they have no gradient and learn no more."""

from typing import Any

import keras
import numpy as np

RECTIFIERS = {"relu", "relu6", "leaky_relu", "elu", "silu", "swish", "gelu", "selu", "softplus"}


def dead_units(model: Any, x: Any) -> list[dict[str, Any]]:
    """Of each layer that rectifies, how many units give exactly 0 for every one of these rows.

    Args:
        model: A built Keras model.
        x: Rows as it takes them.

    Returns:
        name, units and dead of each such layer, in the order in which it computes.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu", kernel_initializer="ones")])
        >>> _ = model.layers[0].bias.assign([-9.0, 0.0, 0.0])
        >>> [(one["units"], one["dead"]) for one in dead_units(model, np.ones((4, 2), "float32"))]
        [(3, 1)]
    """
    alive: dict[int, np.ndarray] = {}
    layers = [layer for layer in model._flatten_layers(include_self=False) if _rectifies(layer)]
    try:
        for layer in layers:
            layer.__dict__["call"] = _watching(layer, alive)  # not setattr, by which Keras would take notice
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
    """Whether a layer ends with an activation that is 0 on one side."""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name in RECTIFIERS or isinstance(layer, keras.layers.ReLU)


def _watching(layer: Any, alive: dict[int, np.ndarray]) -> Any:
    """The layer's call, which notes which units were ever other than 0."""
    call = layer.call

    def watching(*arguments: Any, **options: Any) -> Any:
        output = call(*arguments, **options)
        values = keras.ops.convert_to_numpy(output)
        if values.ndim > 1:
            here = (values != 0).reshape(-1, values.shape[-1]).any(axis=0)
            alive[id(layer)] = here | alive.get(id(layer), False)
        return output

    return watching
