"""`inputs.json`: how each tensor that a trained part takes is made from a raw row, step by step, with some done."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

EXAMPLES = 3  # rows that are shown raw and prepared, to hold an implementation of one's own against
PLUMBING = {"name", "trainable", "build_config"}  # what matters to Keras alone


def describe(
    prepare: Any, info: Mapping[str, Any], raw: Mapping[str, Any], tensors: Mapping[str, Any]
) -> dict[str, Any]:
    """What a program that has no Keras must do before it asks the trained part.

    Args:
        prepare: The half of the model that is not in the file, functional.
        info: The run's.
        raw, tensors: Some rows, before and after `prepare`.

    Returns:
        `raw`, the columns of a raw row; `steps` in order, each with what it does, what it is told and the steps or
        columns whose tensors it is given; `tensors`, their shape, dtype and the step that makes them; `answers`, what
        the numbers that come out are of; `examples`.
    """
    steps = [_step(layer) for layer in prepare.get_config()["layers"]]
    makers = {name: tensor._keras_history.operation.name for name, tensor in prepare.output.items()}
    raw_names = {tensor.name for tensor in prepare.inputs}
    return {
        "about": "The trained part takes the tensors below. A raw row holds a number (NaN where missing) or a string "
        "('' where missing) for each column of `raw`; the steps, in order, make the tensors of it; `examples` "
        "shows rows before and after.",
        "raw": {
            name: {key: rule[key] for key in ("column", "dtype", "shape", "part") if key in rule}
            for name, rule in info["inputs"].items()
        },
        "tensors": {
            name: {"dtype": str(array.dtype), "shape": [None, *array.shape[1:]], "step": makers[name]}
            for name, array in tensors.items()
        },
        "steps": [step for step in steps if step["name"] not in raw_names],
        "answers": {"task": info["task"], "classes": info.get("target", {}).get("classes")},
        "examples": [{"raw": _row(raw, i), "tensors": _row(tensors, i)} for i in range(min(EXAMPLES, _rows(tensors)))],
    }


def _step(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer of a functional model as Keras writes it, without what matters to Keras alone."""
    told = {
        key: _plain(value)
        for key, value in (layer.get("config") or {}).items()
        if key not in PLUMBING and not (key == "dtype" and isinstance(value, Mapping))
    }
    nodes = layer.get("inbound_nodes", [])
    [given] = [_plain([*node["args"], *(node["kwargs"] or {}).values()]) for node in nodes] or [[]]
    step = {
        "name": layer["name"],
        "layer": layer.get("registered_name") or layer["class_name"],
        "does": _sentence(layer),
        "of": list(_tensors(nodes)),
        "told": told,
    }
    return step if _tensors_alone(given) else {**step, "called_with": given}


def _tensors_alone(given: list[Any]) -> bool:
    """Whether a step is given nothing but the tensors of others, once in order."""
    flat = given[0] if len(given) == 1 and isinstance(given[0], list) else given
    return all(isinstance(one, Mapping) and "step" in one for one in flat)


def _sentence(layer: Mapping[str, Any]) -> str:
    """The first line of the manual of a layer or an operation."""
    import keras

    name = layer["class_name"]
    operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    found = (
        keras.saving.get_registered_object(layer.get("registered_name"))
        or getattr(keras.layers, name, None)
        or getattr(keras.ops, operation, None)
    )
    return (inspect.getdoc(found) or "").split("\n")[0] if found else ""


def _tensors(tree: Any) -> Iterator[str]:
    """The names of the steps whose tensors stand in the arguments of another."""
    if isinstance(tree, Mapping):
        if tree.get("class_name") == "__keras_tensor__":
            yield tree["config"]["keras_history"][0]
        else:
            for value in tree.values():
                yield from _tensors(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from _tensors(value)


def _plain(value: Any) -> Any:
    """JSON, with the tensors of other steps as `{"step": name}`."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            return {"step": value["config"]["keras_history"][0]}
        return {str(key): _plain(one) for key, one in value.items() if key not in ("module", "registered_name")}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _row(arrays: Mapping[str, Any], i: int) -> dict[str, Any]:
    """One row of each array; what JSON has no number for as a word."""
    return {name: json.loads(json.dumps(_plain(np.asarray(array)[i]))) for name, array in arrays.items()}


def _rows(arrays: Mapping[str, Any]) -> int:
    return min(len(array) for array in arrays.values())
