"""Check that saved objects are restored unchanged."""

import inspect
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkit.testing import fresh_process
from tfkit.testing.expectations import Checker
from tfkit.testing.layer_case import LayerCase, perturb_weights

KERAS_ARGUMENTS = {"name", "dtype", "trainable", "autocast", "activity_regularizer", "reduction"}


def constructor_defaults(checked_class: Any) -> dict[str, Any]:
    """Return the constructor arguments with a default, except those of Keras itself."""
    parameters = inspect.signature(checked_class.__init__).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not parameter.empty and parameter.name not in KERAS_ARGUMENTS
    }


def check_no_default(
    checker: Checker, checked_class: Any, arguments: dict[str, Any], at_default: Sequence[str]
) -> None:
    """Check that no argument is at its default.

    A `get_config` that omits an argument at its default would not be detected.
    """
    for name, default in constructor_defaults(checked_class).items():
        value = arguments.get(name, default)
        is_default = value is default or (type(value) is type(default) and _as_json(value) == _as_json(default))
        checker.expect(
            not is_default or name in at_default,
            f"`{name}` is at its default ({default!r}). Pass a different value, so that a `get_config` that "
            "omits it is detected, or list it in `at_default`.",
        )


def check_config(checker: Checker, original: Any, arguments: dict[str, Any]) -> Any:
    """Check that the configuration is JSON and complete; return the restored object."""
    checked_class = type(original)
    with checker.attempt(
        "`get_config` must return the constructor arguments, as plain values or through "
        "keras.saving.serialize_keras_object."
    ):
        config = original.get_config()
        serialized = json.dumps(keras.saving.serialize_keras_object(original))
    for name, value in arguments.items():
        checker.expect(
            name in config,
            f"`get_config` omits `{name}`. Add it, or do not override `get_config` in a layer with "
            "plain arguments: Keras provides it.",
        )
        checker.expect(
            not _is_json(value) or _as_json(config[name]) == _as_json(value),
            f"`get_config` returns {config[name]!r} for `{name}`, which was {value!r}. Return the constructor "
            "arguments.",
        )
    with checker.attempt("`from_config` must accept the result of `get_config`."):
        with keras.saving.custom_object_scope({checked_class.__name__: checked_class}):
            restored = keras.saving.deserialize_keras_object(json.loads(serialized))
        serialized_again = json.dumps(keras.saving.serialize_keras_object(restored))
    checker.expect(
        serialized_again == serialized,
        f"The object created from its configuration has a different one: {serialized_again}, not {serialized}.",
    )
    return restored


def check_fresh_process(checker: Checker, original: Any, calls: Sequence[Sequence[Any]], expected: Any) -> None:
    """Check that an object restored in a fresh process has the same outputs."""
    with tempfile.TemporaryDirectory() as folder:
        serialized = json.dumps(keras.saving.serialize_keras_object(original))
        Path(folder, "object.json").write_text(serialized, encoding="utf-8")
        outputs = fresh_process.outputs_in_fresh_process(type(original), Path(folder), calls)
    checker.expect_close(outputs, expected, "In a fresh process its output is different.", 0.0)


def check_saving(case: LayerCase) -> None:
    """Check that a restored layer is bit-identical.

    It is restored from its configuration, from a file, and in a fresh process.
    """
    layer = case.make()
    check_config(case, layer, case.arguments)
    with case.attempt("It must be usable in a functional model."):
        model, _ = case.functional(layer)
    perturb_weights(model)
    message = (
        "The output of a model with it is different {}. Store every argument under its own name, and create weights "
        "with `add_weight` or in a sub-layer that is an attribute."
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with case.attempt("It must be possible to save and load a model with it."):
            model.save(folder / "model.keras")
            with keras.saving.custom_object_scope({case.name: case.layer_class}):
                loaded = keras.saving.load_model(folder / "model.keras")
        expected = fresh_process.compute_outputs(model, [case.arrays])
        outputs: list[np.ndarray] = fresh_process.compute_outputs(loaded, [case.arrays])
        case.expect_close(outputs, expected, message.format("after loading"), 0.0)
        outputs = fresh_process.outputs_in_fresh_process(case.layer_class, folder, [case.arrays])
        case.expect_close(outputs, expected, message.format("in a fresh process"), 0.0)


def _as_json(value: Any) -> Any:
    """Convert a value to what JSON returns: tuples become lists."""
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return {str(key): _as_json(item) for key, item in value.items()} if isinstance(value, dict) else value


def _is_json(value: Any) -> bool:
    """Tell whether a value can be written as JSON without conversion."""
    if isinstance(value, (list, tuple, dict)):
        return all(map(_is_json, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, (bool, int, float, str))
