"""A second process of Python that has never seen your classes, kept so that a suite of tests starts it once."""

import atexit
import contextlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkit.testing.judge import numbers
from tfkit.testing.specimen import reseed

START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tfkit.testing.fresh import serve; serve()"


class Fresh:
    """The other process, started when it is first asked and ended with this one."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `end`
        environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process: Any = subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment,
            text=True,
        )
        atexit.register(self.end)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """What it answers; its last words where it died."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        return {"error": f"it ended: {self.errors.read().decode(errors='replace')[-2000:]}"}

    def end(self) -> None:
        """End it, and wait until it has."""
        atexit.unregister(self.end)
        self.process.kill()
        self.process.communicate()
        self.errors.close()


_kept: list[Fresh] = []


def start() -> Fresh:
    """The process; it imports Keras while this one goes on."""
    if _kept and _kept[0].process.poll() is not None:
        _kept.pop().end()
    if not _kept:
        _kept.append(Fresh())
    return _kept[0]


def revive(kind: Any, folder: Path, calls: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """What the thing saved in `folder` (`model.keras` or `object.json`) says to each call in the fresh process."""
    arrays: dict[str, Any] = {f"{i}-{j}": array for i, call in enumerate(calls) for j, array in enumerate(call)}
    np.savez(folder / "calls.npz", **arrays)
    module = sys.modules[kind.__module__]
    question = {"folder": str(folder), "module": module.__name__, "file": getattr(module, "__file__", None)}
    answer = start().ask({**question, "calls": [len(call) for call in calls]})
    if "error" in answer:
        raise AssertionError(
            f"{kind.__name__}: A fresh process that has imported {module.__name__} cannot load what "
            "was saved. Decorate the class with @keras.saving.register_keras_serializable(), and "
            f"define it at the top of a module. It says: {answer['error']}"
        )
    with np.load(folder / "said.npz") as said:
        return [said[name] for name in sorted(said, key=int)]


def answers(thing: Any, calls: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """What a thing says to each call; a model outside training, then in training, and what it adds to the loss."""
    found: list[np.ndarray] = []
    for arrays in calls:
        if isinstance(thing, keras.Model):
            found += numbers([reseed(thing)(list(arrays), training=training) for training in (False, True)])
            found += numbers(thing.losses)
        else:
            found += numbers(thing(*arrays))
    return found


def serve() -> None:
    """The other end: answer one question a line until there are no more."""
    out, sys.stdout = sys.stdout, sys.stderr  # whatever prints must not answer
    for line in sys.stdin:
        said = {}
        try:
            _answer(**json.loads(line))
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=out, flush=True)


def _answer(folder: str, module: str, file: str | None, calls: list[int]) -> None:
    """Load what lies in the folder, call it, and put down what it says."""
    _import(module, file)
    model, written = Path(folder, "model.keras"), Path(folder, "object.json")
    if model.exists():
        thing = keras.saving.load_model(model)
    else:
        thing = keras.saving.deserialize_keras_object(json.loads(written.read_text(encoding="utf-8")))
    with np.load(Path(folder, "calls.npz")) as arrays:
        given = [[arrays[f"{i}-{j}"] for j in range(count)] for i, count in enumerate(calls)]
    said: dict[str, Any] = {str(i): array for i, array in enumerate(answers(thing, given))}
    np.savez(Path(folder, "said.npz"), **said)


def _import(name: str, file: str | None) -> None:
    """Import a module by its name, or from its file where no path leads to it, as with tests and scripts."""
    name = {"__main__": "__script__"}.get(name, name)  # the main module of this process is another
    if name in sys.modules:
        return
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(name)
        return
    spec = importlib.util.spec_from_file_location(name, file or "")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{name} has no file that a fresh process could read")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
