"""Export of a run's model to another format, written under its final name only after verification."""

import logging
import os
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.atomic_files import atomic_path, write_json
from tfkit.errors import UserError, first_line
from tfkit.export import converters
from tfkit.export.verify import verify_export
from tfkit.inference.predictor import Predictor
from tfkit.run_dir import RunDir

log = logging.getLogger("tfkit")

DEFAULT_NAMES = {"keras": "model.keras", "savedmodel": "savedmodel", "onnx": "model.onnx", "litert": "model.tflite"}

FORMATS = tuple(DEFAULT_NAMES)

NUMERIC_FORMATS = ("onnx", "litert")  # without string inputs, or without operations that split strings

RAW_ROWS, TRAINED_MODEL = "raw rows", "the trained part"  # values of `content` in exports.json

MAX_REASON_CHARACTERS = 200


def export(predictor: Predictor, format: str = "keras", out: str | os.PathLike[str] | None = None) -> Path:
    """Export the model of a run, including the preprocessing of raw rows if the format supports it.

    A separate process without the recipe's code loads the export with the runtime of the format and predicts the raw
    rows saved with the run twice; an export whose predictions differ from the model is not published. The measurements
    are saved in the run's `exports.json`. If the format does not support the preprocessing, only the trained model is
    exported, with `inputs.json` next to it, which describes how each input tensor is computed; it is then verified on
    preprocessed rows.

    Args:
        predictor: The model of a finished run, with the reader of its rows.
        format: keras (a file for `tfkit.load_model`), savedmodel (a directory for TensorFlow alone), onnx (a file for
            onnxruntime) or litert (a file for LiteRT).
        out: Path of the export; None for a default name in the run's directory.

    Returns:
        Path of the export.

    Raises:
        UserError: If the format is unknown or its packages are not installed, `out` exists, the model cannot be
            converted to this format, or the export cannot be loaded or its predictions differ.
    """
    run = predictor.run_dir
    path = _check_path(run, format, out)
    is_model_of_run = path == run.path("model.keras")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with nullcontext(path) if is_model_of_run else atomic_path(path) as temporary:
            result = _export_first_valid(predictor, format, temporary)
            if result["inputs"]:
                write_json(path.with_name("inputs.json"), result["inputs"])
            if not is_model_of_run:
                shutil.rmtree(path, ignore_errors=True)  # the previous export, if it is a folder
        _record(run, format, path, result)
    except OSError as error:
        raise UserError(
            f"The path of the export must be writable. Received: {path}: {error.strerror or error}"
        ) from None
    return path


def _check_path(run: RunDir, format: str, out: str | os.PathLike[str] | None) -> Path:
    """Validate the arguments before anything is computed, and return the path of the export."""
    if format not in FORMATS:
        raise UserError(f"`format` must be one of {', '.join(FORMATS)}. Received: {format}")
    default = run.path(DEFAULT_NAMES[format])
    path = Path(out) if out is not None else default
    _ = run.metrics  # raises if the run is not finished
    converters.check_installed(format)
    if path.exists() and path != default:
        raise UserError(f"`out` must not exist; remove it or choose another name. Received: {path}")
    if path.suffix != default.suffix and default.suffix:
        raise UserError(f"A file in this format must end with {default.suffix}. Received: {path}")
    if format in NUMERIC_FORMATS and path != default and path.with_name("inputs.json").exists():
        raise UserError(
            f"`out` must be in a directory without an inputs.json, which may be written next to it. Received: {path}"
        )
    return path


@dataclass(frozen=True)
class Attempt:
    """One way to export a model.

    Args:
        content: "raw rows", with preprocessing, or "the trained part", without it.
        one_row: Whether the batch size is fixed to 1.
    """

    content: str = RAW_ROWS
    one_row: bool = False


def _raw_rows_obstacle(format: str, raw: Any) -> str | None:
    """Why a format cannot contain the preprocessing of these raw rows; None if it may."""
    dtypes = {name: str(np.asarray(values).dtype) for name, values in raw.items()}
    if format in NUMERIC_FORMATS and "object" in dtypes.values():
        return f"{format} does not support string preprocessing"
    float64 = [name for name, dtype in dtypes.items() if dtype == "float64"]
    if format == "litert" and float64:
        return f"litert does not support float64, which {', '.join(float64[:3])} needs"
    return None


def _attempts(format: str, raw_rows_supported: bool) -> list[Attempt]:
    """List the ways to export, in the order in which they are tried, the most complete first."""
    if format not in NUMERIC_FORMATS:
        return [Attempt()]
    contents = [RAW_ROWS, TRAINED_MODEL] if raw_rows_supported else [TRAINED_MODEL]
    one_row_options = (False, True) if format == "litert" else (False,)
    return [Attempt(content, one_row) for content in contents for one_row in one_row_options]


def _export_first_valid(predictor: Predictor, format: str, path: Path) -> dict[str, Any]:
    """Try one way after the other until an export makes the same predictions as the model."""
    raw = predictor.sample_inputs
    expected, precision = predictor.predict_arrays(raw), predictor.run_dir.config["precision"]
    if format == "litert" and expected.dtype == "float64":
        raise UserError(
            "LiteRT has no float64, which predictions need if the target varies little around a large value; "
            "use --format onnx or savedmodel. Received: predictions "
            f"from {expected.min():.12g} to {expected.max():.12g}"
        )
    obstacle = _raw_rows_obstacle(format, raw)
    attempts, reasons = _attempts(format, obstacle is None), [] if obstacle is None else [obstacle]
    for attempt in attempts:
        try:
            rows, inputs = _write_attempt(predictor, format, attempt, path, raw)
            measurements = verify_export(format, path, rows, expected, precision)
            return {
                "content": attempt.content,
                "one_row": attempt.one_row,
                "reasons": reasons,
                "inputs": inputs,
                **measurements,
            }
        except UserError as error:
            if len(attempts) == 1:
                raise
            reason = first_line(error).rpartition(" reports: ")[2].replace(str(path), path.name)
            reasons.append(reason.replace(path.name, "the export")[:MAX_REASON_CHARACTERS])
            path.unlink(missing_ok=True)
    raise UserError(
        f"This model cannot be exported to {format}; use --format savedmodel, which supports all TensorFlow "
        f"operations. {reasons[-1]}"
    )


def _write_attempt(predictor: Predictor, format: str, attempt: Attempt, path: Path, raw: Any) -> tuple[Any, Any]:
    """Write an export.

    Returns:
        The rows to verify it with, and the content of `inputs.json`, None if the export takes raw rows.
    """
    from tfkit.datasets.batch_predict import predict

    run = predictor.run_dir
    if format == "keras":
        if path != run.path("model.keras"):
            converters.copy(run.path("model.keras"), path)
        return raw, None
    if attempt.content == RAW_ROWS:
        converters.write(format, predictor.model, path, one_row=attempt.one_row)
        return raw, None
    from tfkit.export.preprocessing_spec import describe_preprocessing
    from tfkit.export.split_model import split_model

    preprocessor, trained = split_model(predictor.model, run.provenance.get("network"))
    converters.write(format, trained, path, one_row=attempt.one_row)
    tensors = predict(preprocessor, raw)
    inputs = describe_preprocessing(preprocessor, predictor.metadata, raw, tensors)
    dtypes = {tensor.name: tensor.dtype for tensor in trained.inputs}
    return {name: array.astype(dtypes[name]) for name, array in tensors.items()}, inputs


def _record(run: RunDir, format: str, path: Path, result: dict[str, Any]) -> None:
    """Save the measurements in `exports.json`, and log them."""
    file = run.path("exports.json")
    measurements = {name: value for name, value in result.items() if name != "inputs"}
    name = str(path.relative_to(run.folder)) if path.is_relative_to(run.folder) else str(path.resolve())
    write_json(file, {**(run.exports if file.exists() else {}), format: {"path": name, **measurements}})
    if result["content"] == TRAINED_MODEL:
        log.warning(
            "%s contains only the trained model (%s); %s describes how to compute its input tensors from a raw row",
            path.name,
            result["reasons"][-1],
            path.with_name("inputs.json").name,
        )
    if result["one_row"]:
        log.warning("%s takes one row at a time, because a layer needs a fixed batch size in LiteRT", path.name)
    single_row_latency, batch_latency = result["milliseconds"].values()
    log.info(
        "Verified in a separate process: %d rows, deterministic, largest difference from the model %.2g; %s; "
        "%.3g ms for 1 row, %.3g ms for 256",
        result["rows"],
        result["largest_difference"],
        _format_size(result["bytes"]),
        single_row_latency,
        batch_latency,
    )


def _format_size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:,.1f} kB"
