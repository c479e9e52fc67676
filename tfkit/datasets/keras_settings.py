"""Backend of Keras and process of TensorFlow, checked before they are used."""

import json
import os
import sys
from pathlib import Path

from tfkit.errors import UserError

BACKEND = "tensorflow"

_process: list[int] = []  # id of the process that first computed with TensorFlow


def configured_backend() -> str:
    """Return the backend that Keras has, or will have when it is imported: by KERAS_BACKEND or keras.json."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "config"):
        return str(keras.config.backend())  # type: ignore[union-attr]
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((folder / "keras.json").read_text(encoding="utf-8")).get("backend", BACKEND))
    except (OSError, ValueError, AttributeError):
        return BACKEND


def require_tensorflow_backend(name: str) -> None:
    """Raise if Keras has another backend than TensorFlow.

    Args:
        name: The public name that needs it.
    """
    backend = configured_backend()
    if backend != BACKEND:
        raise UserError(
            f"tfkit.{name} needs Keras on TensorFlow: set KERAS_BACKEND=tensorflow before Keras is imported. "
            f"Received: backend {backend}"
        )


def check_process() -> None:
    """Raise in a process that was forked after TensorFlow computed: it would wait for ever.

    The threads of TensorFlow exist only in the process that started them.
    """
    if not _process:
        _process.append(os.getpid())
    elif _process[0] != os.getpid():
        raise UserError(
            "TensorFlow cannot compute in a process that was forked after it has computed: load the run and predict "
            "in the worker process only (gunicorn: without --preload; multiprocessing: the start method spawn). "
            f"Received: process {os.getpid()}, forked from {_process[0]}"
        )
