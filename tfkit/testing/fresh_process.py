"""A second Python process, started once, that loads what this process has saved."""

import atexit
import contextlib
import importlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkit.python_process import JSONProcess, environment
from tfkit.testing.expectations import to_float64_arrays
from tfkit.testing.layer_case import reseed

START_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tfkit.testing.fresh_process import serve; serve()"
)


class FreshProcess:
    """A second Python process that answers requests until this process exits."""

    def __init__(self) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `stop`
        arguments, env = ["-c", START_CODE, json.dumps(sys.path)], environment(KERAS_BACKEND=keras.backend.backend())
        self.process = JSONProcess(arguments, env=env, stderr=self.stderr)
        atexit.register(self.stop)

    def send(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the response.

        If the process died, `error` is the end of its error output.
        """
        response = self.process.send(request)
        if response is not None:
            return response
        self.process.wait()
        self.stderr.seek(0)
        return {"error": f"the process ended: {self.stderr.read().decode(errors='replace')[-2000:]}"}

    def stop(self) -> None:
        """Kill the process and wait for its end."""
        atexit.unregister(self.stop)
        self.process.close()
        self.stderr.close()


_shared: list[FreshProcess] = []


def start() -> FreshProcess:
    """Return the shared process, started if necessary, without waiting for Keras."""
    if _shared and not _shared[0].process.is_running():
        _shared.pop().stop()
    if not _shared:
        _shared.append(FreshProcess())
    return _shared[0]


def outputs_in_fresh_process(saved_class: Any, folder: Path, calls: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Compute the outputs of a saved object in the fresh process, for each call.

    The object is `model.keras` or `object.json` in `folder`.
    """
    arrays: dict[str, Any] = {f"{i}-{j}": array for i, call in enumerate(calls) for j, array in enumerate(call)}
    np.savez(folder / "calls.npz", **arrays)
    module = sys.modules[saved_class.__module__]
    request = {"folder": str(folder), "module": module.__name__, "file": getattr(module, "__file__", None)}
    response = start().send({**request, "calls": [len(call) for call in calls]})
    if "error" in response:
        raise AssertionError(
            f"{saved_class.__name__}: A fresh process that has imported {module.__name__} cannot load the "
            "saved object. Decorate the class with @keras.saving.register_keras_serializable(), and "
            f"define it at the top level of a module. Received: {response['error']}"
        )
    with np.load(folder / "outputs.npz") as outputs:
        return [outputs[name] for name in sorted(outputs, key=int)]


def compute_outputs(target: Any, calls: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Compute the outputs of a model, loss or schedule for each call.

    A model is called outside training and in training; its added losses follow its outputs.
    """
    outputs: list[np.ndarray] = []
    for arrays in calls:
        if isinstance(target, keras.Model):
            outputs += to_float64_arrays(
                [reseed(target)(list(arrays), training=training) for training in (False, True)]
            )
            outputs += to_float64_arrays(target.losses)
        else:
            outputs += to_float64_arrays(target(*arrays))
    return outputs


def serve() -> None:
    """Handle one request per line of the standard input (in the fresh process)."""
    out, sys.stdout = sys.stdout, sys.stderr  # printed text must not become a response
    for line in sys.stdin:
        response = {}
        try:
            _handle(**json.loads(line))
        except Exception as error:
            response = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(response), file=out, flush=True)


def _handle(folder: str, module: str, file: str | None, calls: list[int]) -> None:
    """Load the object saved in the folder, call it, and save its outputs."""
    _import(module, file)
    model_path, object_path = Path(folder, "model.keras"), Path(folder, "object.json")
    if model_path.exists():
        target = keras.saving.load_model(model_path)
    else:
        target = keras.saving.deserialize_keras_object(json.loads(object_path.read_text(encoding="utf-8")))
    with np.load(Path(folder, "calls.npz")) as arrays:
        call_arrays = [[arrays[f"{i}-{j}"] for j in range(count)] for i, count in enumerate(calls)]
    outputs: dict[str, Any] = {str(i): array for i, array in enumerate(compute_outputs(target, call_arrays))}
    np.savez(Path(folder, "outputs.npz"), **outputs)


def _import(name: str, file: str | None) -> None:
    """Import a module by name, or from its file if it is not on the path.

    Tests and scripts are not on the path.
    """
    name = {"__main__": "__script__"}.get(name, name)  # `__main__` is a different module in this process
    if name in sys.modules:
        return
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(name)
        return
    spec = importlib.util.spec_from_file_location(name, file or "")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{name} has no file that a fresh process can read")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
