"""Verification of an export in a separate process that has the runtime of the format but not the recipe's code."""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.datasets.npz import write_arrays
from tfkit.errors import UserError
from tfkit.python_process import PACKAGE_PARENT, environment, run_python

PROBE_SCRIPT = Path(__file__).with_name("inference_probe.py")

PROBE_TIMEOUT_SECONDS = 300  # for loading, predicting and timing

TOLERANCES = {"float32": (1e-4, 1e-5)}  # relative and absolute tolerance by precision, for rounding differences

HALF_PRECISION_TOLERANCES = (2e-2, 2e-2)  # if layers compute in 16 bits, runtimes round at different places

MAX_ROUNDING_ERRORS = 8  # of the dtype of the predictions

MAX_MESSAGE_CHARACTERS = 500  # of a runtime's error message


def verify_export(
    format: str, path: Path, rows: Mapping[str, Any], expected: np.ndarray, precision: str
) -> dict[str, Any]:
    """Compare the predictions of an export with those of the model, and measure its latency.

    Args:
        format: keras, savedmodel, onnx or litert.
        path: The file or directory of the export.
        rows: Inputs of the export, a dictionary of arrays `(rows, ...)`.
        expected: Predictions of the run's model for these rows.
        precision: Precision of the run, which sets the tolerance.

    Returns:
        `rows`, `largest_difference`, `deterministic`, `bytes`, `milliseconds` for 1 and 256 rows.

    Raises:
        UserError: If it cannot be loaded, is not deterministic, or differs from the model.
    """
    with tempfile.TemporaryDirectory(prefix="tfkit-") as name:
        folder = Path(name)
        write_arrays(folder / "inputs.npz", _encode_strings(rows))
        _run_probe(format, path, folder)
        with np.load(folder / "predictions.npz", allow_pickle=False) as predictions:
            first, second = predictions["first"], predictions["second"]
        latency = json.loads((folder / "latency.json").read_text(encoding="utf-8"))
    if not np.array_equal(first, second, equal_nan=True):
        raise UserError(
            "An export must make the same predictions for the same rows; remove the layer that is random outside "
            f"training. Received: {path.name}, whose predictions differ by {_max_difference(first, second):.3g}"
        )
    if first.size != expected.size:
        raise UserError(
            f"An export must make the same predictions as the model. Received: {path.name} with output shape "
            f"{first.shape}, the model has {expected.shape}"
        )
    first = first.reshape(expected.shape)
    if not _are_close(first, expected, precision):
        raise UserError(
            f"An export must make the same predictions as the model. Received: {path.name}, which differs by "
            f"{_max_difference(first, expected):.3g}"
        )
    return {
        "rows": len(expected),
        "largest_difference": _max_difference(first, expected),
        "deterministic": True,
        "bytes": _size_in_bytes(path),
        **latency,
    }


def _are_close(predictions: np.ndarray, expected: np.ndarray, precision: str) -> bool:
    """Whether predictions differ by rounding only: relative to their spread, not to a level that all have in common."""
    relative, absolute = TOLERANCES.get(precision, HALF_PRECISION_TOLERANCES)
    finite = expected[np.isfinite(expected)]
    spread = float(np.ptp(finite.astype("float64"))) if finite.size else 0.0
    rounding = MAX_ROUNDING_ERRORS * np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0.0
    magnitude = np.abs(expected.astype("float64"))
    tolerance = relative * np.minimum(magnitude, spread) + rounding * magnitude + absolute
    is_close = np.abs(predictions.astype("float64") - expected) <= tolerance
    return bool((is_close | (predictions == expected) | (np.isnan(predictions) & np.isnan(expected))).all())


def _run_probe(format: str, path: Path, folder: Path) -> None:
    """Run the script that loads the export and writes its predictions to the folder."""
    arguments = ["-P", str(PROBE_SCRIPT), format, str(path.resolve()), str(folder)]
    python_path = str(PACKAGE_PARENT) if format == "keras" else ""  # other formats need no code of tfkit
    env = environment(KERAS_BACKEND="tensorflow", PYTHONPATH=python_path)
    try:
        process = run_python(arguments, env=env, folder=folder, timeout_seconds=PROBE_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(
            f"An export must load and predict within {PROBE_TIMEOUT_SECONDS} s. "
            f"Received: {path.name}, which took longer"
        ) from None
    if process.returncode:
        raise UserError(
            f"An export must load and predict without the recipe's code. Received: {path.name}, for "
            f"which the {format} runtime reports: {_summarize_error(process.stderr, process.returncode)}"
        )


def _summarize_error(stderr: str, code: int) -> str:
    """Summarize the error at the end of a traceback in one line."""
    lines = [line.strip() for line in stderr.splitlines()]
    starts = [i for i, line in enumerate(lines) if line.split(":")[0].endswith(("Error", "Exception", "Graph", "Fail"))]
    message = " ".join(lines[starts[-1] :]) if starts else " ".join(lines[-1:])
    unsupported = re.search(r'In Node, \("[^"]*", (\w+)', message)
    if unsupported:
        return f"operation {unsupported[1]} is not supported for these types"
    if "Select TensorFlow op" in message:
        return "a layer needs TensorFlow operations (Flex)"
    return message[:MAX_MESSAGE_CHARACTERS] or f"no message; exit code {code}"


def _encode_strings(rows: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Encode string arrays as JSON bytes, which a file can store without pickle."""
    arrays = {name: np.asarray(values) for name, values in rows.items()}
    strings = [name for name, values in arrays.items() if values.dtype.kind in "OUS"]
    encoded_arrays = {name: np.frombuffer(json.dumps(arrays[name].tolist()).encode(), "uint8") for name in strings}
    return {**arrays, **encoded_arrays, "strings": np.frombuffer(json.dumps(strings).encode(), "uint8")}


def _max_difference(predictions: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute difference, without NaN."""
    difference = np.abs(np.asarray(predictions, "float64") - np.asarray(expected, "float64"))
    return float(np.nanmax(difference)) if difference.size else 0.0


def _size_in_bytes(path: Path) -> int:
    """Size of a file, or of all files in a directory."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
