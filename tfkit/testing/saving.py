"""What is saved must come back the same, here and elsewhere."""

import inspect
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tfkit.testing import fresh
from tfkit.testing.judge import Judge
from tfkit.testing.specimen import Specimen, moved

KERAS_OWN = {"name", "dtype", "trainable", "autocast", "activity_regularizer", "reduction"}


def defaults_of(kind: Any) -> dict[str, Any]:
    """The arguments of a class that have a default, but those that Keras gives to every class of its."""
    found = inspect.signature(kind.__init__).parameters.values()
    return {one.name: one.default for one in found if one.default is not one.empty and one.name not in KERAS_OWN}


def expect_no_default(judge: Judge, kind: Any, arguments: dict[str, Any], at_default: Sequence[str]) -> None:
    """No argument is at its default, or a configuration that forgets it would not show."""
    for name, default in defaults_of(kind).items():
        value = arguments.get(name, default)
        same = value is default or (type(value) is type(default) and _plain(value) == _plain(default))
        judge.expect(
            not same or name in at_default,
            f"`{name}` is at its default ({default!r}). Give another value, so that a `get_config` that "
            "forgets it shows, or name it in `at_default`.",
        )


def expect_config(judge: Judge, thing: Any, arguments: dict[str, Any]) -> Any:
    """The configuration is JSON, names every argument with its value, and makes the same again, which is returned."""
    kind = type(thing)
    with judge.attempt(
        "`get_config` must return what the constructor takes, as plain values or through "
        "keras.saving.serialize_keras_object."
    ):
        own = thing.get_config()
        written = json.dumps(keras.saving.serialize_keras_object(thing))
    for name, value in arguments.items():
        judge.expect(
            name in own,
            f"`get_config` forgets `{name}`. Add it, or leave `get_config` out of a layer with "
            "plain arguments: Keras writes it.",
        )
        judge.expect(
            not _is_plain(value) or _plain(own[name]) == _plain(value),
            f"`get_config` says {own[name]!r} for `{name}`, which was {value!r}. Return what the constructor "
            "was given.",
        )
    with judge.attempt("`from_config` must take what `get_config` returns."):
        with keras.saving.custom_object_scope({kind.__name__: kind}):
            again = keras.saving.deserialize_keras_object(json.loads(written))
        rewritten = json.dumps(keras.saving.serialize_keras_object(again))
    judge.expect(rewritten == written, f"Made from its configuration it has another: {rewritten}, not {written}.")
    return again


def expect_revival(judge: Judge, thing: Any, calls: Sequence[Sequence[Any]], expected: Any) -> None:
    """In a fresh process a thing made from its JSON says the same."""
    with tempfile.TemporaryDirectory() as folder:
        written = json.dumps(keras.saving.serialize_keras_object(thing))
        Path(folder, "object.json").write_text(written, encoding="utf-8")
        said = fresh.revive(type(thing), Path(folder), calls)
    judge.expect_same(said, expected, "In a fresh process it says something else.", 0.0)


def check_saving(specimen: Specimen) -> None:
    """Through its configuration, a file and another process a layer stays what it is, to the last bit."""
    layer = specimen.make()
    expect_config(specimen, layer, specimen.arguments)
    with specimen.attempt("It must stand in a functional model."):
        model, _ = specimen.functional(layer)
    moved(model)
    sentence = (
        "A model of it says something else {}. Store every argument under its own name, and make weights with "
        "`add_weight` or in a sub-layer that is an attribute."
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with specimen.attempt("A model of it must be saved and loaded."):
            model.save(folder / "model.keras")
            with keras.saving.custom_object_scope({specimen.name: specimen.kind}):
                loaded = keras.saving.load_model(folder / "model.keras")
        expected = fresh.answers(model, [specimen.arrays])
        said = fresh.answers(loaded, [specimen.arrays])
        specimen.expect_same(said, expected, sentence.format("when it was loaded"), 0.0)
        said = fresh.revive(specimen.kind, folder, [specimen.arrays])
        specimen.expect_same(said, expected, sentence.format("in a fresh process"), 0.0)


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: a tuple is a list."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return {str(name): _plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def _is_plain(value: Any) -> bool:
    """Whether a value is JSON as it stands."""
    if isinstance(value, (list, tuple, dict)):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, (bool, int, float, str))
