"""An export is asked elsewhere: by another process that has the format's own runtime and none of the page's code."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError
from tfkit.keeping import write_arrays

ASKING = Path(__file__).with_name("asking.py")
SECONDS = 300  # for loading, asking and timing
CLOSE = {"float32": (1e-4, 1e-5)}  # relative and absolute difference that arithmetic alone makes
CLOSE_IN_HALF = (2e-2, 2e-2)  # where layers compute in 16 bits, each runtime rounds elsewhere


def check(format: str, path: Path, rows: Mapping[str, Any], expected: np.ndarray, precision: str) -> dict[str, Any]:
    """What a fresh process says of an export, measured.

    Args:
        format: keras, savedmodel, onnx or litert.
        path: The file or folder.
        rows: What the export takes, a dictionary of arrays `(rows, ...)`.
        expected: What the run's model says of these rows.
        precision: The run's, which says how near the answers must be.

    Returns:
        `rows`, `largest_difference`, `deterministic`, `bytes`, `milliseconds` for 1 and 256 rows.

    Raises:
        UserError: If it cannot be loaded, says something else when it is asked again, or differs from the model.
    """
    with tempfile.TemporaryDirectory(prefix="tfkit-") as name:
        folder = Path(name)
        write_arrays(folder / "asked.npz", _without_objects(rows))
        _ask(format, path, folder)
        with np.load(folder / "said.npz", allow_pickle=False) as said:
            first, second = said["first"], said["second"]
        measured = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    if not np.array_equal(first, second, equal_nan=True):
        raise UserError(
            "An export must answer the same rows alike each time; take out the layer that is random outside "
            f"training. Received: {path.name}, whose answers moved by {_furthest(first, second):.3g}"
        )
    relative, absolute = CLOSE.get(precision, CLOSE_IN_HALF)
    if first.size != expected.size:
        raise UserError(
            f"An export must answer as the model does. Received: {path.name}, which answers {first.shape}, "
            f"the model {expected.shape}"
        )
    first = first.reshape(expected.shape)
    if not np.allclose(first, expected, rtol=relative, atol=absolute, equal_nan=True):
        raise UserError(
            f"An export must answer as the model does. Received: {path.name}, which differs by "
            f"{_furthest(first, expected):.3g}"
        )
    return {
        "rows": len(expected),
        "largest_difference": _furthest(first, expected),
        "deterministic": True,
        "bytes": _bytes(path),
        **measured,
    }


def _ask(format: str, path: Path, folder: Path) -> None:
    """Let another process load the export and put down what it says."""
    command = [sys.executable, "-P", str(ASKING), format, str(path.resolve()), str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = str(ASKING.parents[2]) if format == "keras" else ""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"An export must answer in time. Received: {path.name}, which took over {SECONDS} s") from None
    if done.returncode:
        raise UserError(
            f"An export must be loaded and answer where the page's code is not. Received: {path.name}, of "
            f"which {format}'s own runtime says: {_last_words(done.stderr, done.returncode)}"
        )


def _last_words(text: str, code: int) -> str:
    """What an error says of itself, at the end of a traceback, in one line."""
    lines = [line.strip() for line in text.splitlines()]
    starts = [i for i, line in enumerate(lines) if line.split(":")[0].endswith(("Error", "Exception", "Graph", "Fail"))]
    said = " ".join(lines[starts[-1] :]) if starts else " ".join(lines[-1:])
    unknown = re.search(r'In Node, \("[^"]*", (\w+)', said)
    if unknown:
        return f"it cannot do the operation {unknown[1]} with these types"
    if "Select TensorFlow op" in said:
        return "a layer needs operations of TensorFlow (Flex)"
    return said[:500] or f"nothing; it ended with {code}"


def _without_objects(rows: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Arrays that a file holds without pickle: strings as JSON."""
    arrays = {name: np.asarray(values) for name, values in rows.items()}
    strings = [name for name, values in arrays.items() if values.dtype.kind in "OUS"]
    as_bytes = {name: np.frombuffer(json.dumps(arrays[name].tolist()).encode(), "uint8") for name in strings}
    return {**arrays, **as_bytes, "strings": np.frombuffer(json.dumps(strings).encode(), "uint8")}


def _furthest(one: np.ndarray, other: np.ndarray) -> float:
    difference = np.abs(np.asarray(one, "float64") - np.asarray(other, "float64"))
    return float(np.nanmax(difference)) if difference.size else 0.0


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
