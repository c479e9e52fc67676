"""Content of `inputs.json`: the preprocessing of raw rows as a list of steps, with examples."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfkit.metadata import Metadata

NUM_EXAMPLES = 3  # rows shown raw and preprocessed, to test another implementation

KERAS_ONLY_KEYS = {"name", "trainable", "build_config"}  # of a layer's configuration


def describe_preprocessing(
    preprocessor: Any, metadata: Metadata, raw: Mapping[str, Any], tensors: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the preprocessing for a program that has no Keras.

    Args:
        preprocessor: The preprocessing, a functional model that is not part of the export.
        metadata: Metadata of the run.
        raw: Some raw rows, a dictionary of arrays `(rows, 1)`.
        tensors: The same rows after `preprocessor`.

    Returns:
        `raw`, the columns of a raw row; `steps` in order, each with a description, its parameters, and the steps or
        columns that it takes as inputs; `tensors`, their shape, dtype and the step that computes them;
        `outputs`, their meaning; `examples`.
    """
    steps = [_describe_step(layer) for layer in preprocessor.get_config()["layers"]]
    last_steps = {name: tensor._keras_history.operation.name for name, tensor in preprocessor.output.items()}
    raw_names = {tensor.name for tensor in preprocessor.inputs}
    num_examples = min(NUM_EXAMPLES, _num_rows(tensors))
    return {
        "description": "The trained model takes the tensors below. A raw row has a number (NaN where missing) or a "
        "string ('' where missing) for each column of `raw`; the steps, in order, compute the tensors; `examples` "
        "shows rows before and after.",
        "raw": {
            name: {key: rule[key] for key in ("column", "dtype", "shape", "part") if key in rule}
            for name, rule in metadata.inputs.items()
        },
        "tensors": {
            name: {"dtype": str(array.dtype), "shape": [None, *array.shape[1:]], "step": last_steps[name]}
            for name, array in tensors.items()
        },
        "steps": [step for step in steps if step["name"] not in raw_names],
        "outputs": {"task": metadata.task, "classes": metadata.target.classes},
        "examples": [{"raw": _row(raw, i), "tensors": _row(tensors, i)} for i in range(num_examples)],
    }


def _describe_step(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a layer of a functional model from its Keras configuration."""
    parameters = {
        key: _to_json(value)
        for key, value in (layer.get("config") or {}).items()
        if key not in KERAS_ONLY_KEYS and not (key == "dtype" and isinstance(value, Mapping))
    }
    nodes = layer.get("inbound_nodes", [])
    [arguments] = [_to_json([*node["args"], *(node["kwargs"] or {}).values()]) for node in nodes] or [[]]
    step = {
        "name": layer["name"],
        "layer": layer.get("registered_name") or layer["class_name"],
        "description": _summary(layer),
        "inputs": list(_input_steps(nodes)),
        "parameters": parameters,
    }
    return step if _are_only_tensors(arguments) else {**step, "arguments": arguments}


def _are_only_tensors(arguments: list[Any]) -> bool:
    """Whether the arguments of a step are only outputs of other steps, in order."""
    tensors = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    return all(isinstance(tensor, Mapping) and "step" in tensor for tensor in tensors)


def _summary(layer: Mapping[str, Any]) -> str:
    """First line of the docstring of a layer or an operation."""
    import keras

    name = layer["class_name"]
    operation_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    documented_object = (
        keras.saving.get_registered_object(layer.get("registered_name"))
        or getattr(keras.layers, name, None)
        or getattr(keras.ops, operation_name, None)
    )
    return (inspect.getdoc(documented_object) or "").split("\n")[0] if documented_object else ""


def _input_steps(tree: Any) -> Iterator[str]:
    """Names of the steps whose outputs are in the arguments of a step."""
    if isinstance(tree, Mapping):
        if tree.get("class_name") == "__keras_tensor__":
            yield tree["config"]["keras_history"][0]
        else:
            for value in tree.values():
                yield from _input_steps(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from _input_steps(value)


def _to_json(value: Any) -> Any:
    """Convert to JSON types, with the outputs of other steps as `{"step": name}`."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            return {"step": value["config"]["keras_history"][0]}
        return {str(key): _to_json(item) for key, item in value.items() if key not in ("module", "registered_name")}
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _to_json(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _row(arrays: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One row of each array; NaN and infinity, which JSON does not have, as strings."""
    return {name: json.loads(json.dumps(_to_json(np.asarray(array)[index]))) for name, array in arrays.items()}


def _num_rows(arrays: Mapping[str, Any]) -> int:
    return min(len(array) for array in arrays.values())
