"""A run's model in another format, which stands under its name only when another process has found it the same."""

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError, first_line
from tfkit.export import writing
from tfkit.export.checking import check
from tfkit.inference.predictor import Predictor
from tfkit.keeping import write_json

log = logging.getLogger("tfkit")

NAMES = {"keras": "model.keras", "savedmodel": "savedmodel", "onnx": "model.onnx", "litert": "model.tflite"}
FORMATS = tuple(NAMES)
NUMBERS_ALONE = ("onnx", "litert")  # no strings, or none that are taken apart
RAW, TRAINED = "raw rows", "the trained part"


def export(predictor: Predictor, format: str = "keras", out: str | os.PathLike[str] | None = None) -> Path:
    """Write the model of a run in another format, from raw rows to answers where the format can hold that.

    A fresh process without the page's code loads the export with the format's own runtime and is asked twice about raw
    rows that the run has kept; one that answers otherwise than the model is not published. What was measured is kept in
    the run's `exports.json`. Where a format cannot hold the way from raw rows, the trained part alone is written, with
    `inputs.json` beside it that says how each tensor is made; it is then checked behind that way.

    Args:
        predictor: The model of a finished run, with the reader of its rows.
        format: keras (a file for `tfkit.load_model`), savedmodel (a folder for TensorFlow alone), onnx (a file for
            onnxruntime) or litert (a file for LiteRT).
        out: Where to; None for a name in the run's folder.

    Returns:
        The path that was written.

    Raises:
        UserError: If the format is not known or its packages are not installed, `out` is there already, the model
            cannot be written in this format, or the export cannot be loaded or answers otherwise.
    """
    run = predictor.run_dir
    out = _place(run, format, out)
    part = out if out == run.path("model.keras") else out.with_name(f"part-{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()  # says in one line what TensorFlow would say in many
        found = _first_that_answers(predictor, format, part)
        if found["inputs"]:
            write_json(out.with_name("inputs.json"), found["inputs"])
        if part != out:
            shutil.rmtree(out, ignore_errors=True)  # the one of before, now that there is a better one
            os.replace(part, out)
    except OSError as error:
        raise UserError(
            f"The place for the export must be writable. Received: {out}: {error.strerror or error}"
        ) from None
    finally:
        if part != out:
            shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
    _record(run, format, out, found)
    return out


def _place(run: Any, format: str, out: str | os.PathLike[str] | None) -> Path:
    """Where the export goes; what is wrong before anything is computed is said here."""
    if format not in FORMATS:
        raise UserError(f"`format` must be one of {', '.join(FORMATS)}. Received: {format}")
    default = run.path(NAMES[format])
    place = Path(out) if out is not None else default
    _ = run.metrics  # a run that is not finished says so
    writing.check_installed(format)
    if place.exists() and place != default:
        raise UserError(f"`out` must not be there yet; remove it or choose another name. Received: {place}")
    if place.suffix != default.suffix and default.suffix:
        raise UserError(f"A file in this format must end with {default.suffix}. Received: {place}")
    if format in NUMBERS_ALONE and place != default and place.with_name("inputs.json").exists():
        raise UserError(
            f"`out` must be in a folder without an inputs.json, which may be written beside it. Received: {place}"
        )
    return place


@dataclass(frozen=True)
class Attempt:
    """One way to write a model: what the file takes, and how many rows at a time."""

    holds: str = RAW
    one_row: bool = False


def _attempts(format: str, strings: bool) -> list[Attempt]:
    """The ways to try in turn, the most complete first."""
    if format not in NUMBERS_ALONE:
        return [Attempt()]
    parts = [TRAINED] if strings else [RAW, TRAINED]
    return [Attempt(holds, one) for holds in parts for one in ((False, True) if format == "litert" else (False,))]


def _first_that_answers(predictor: Predictor, format: str, path: Path) -> dict[str, Any]:
    """Write and check one way after the other, until an export answers as the model does."""
    raw = predictor.sample_inputs
    expected, precision = predictor.predict_arrays(raw), predictor.run_dir.config["precision"]
    strings = any(np.asarray(values).dtype == object for values in raw.values())
    attempts, reasons = _attempts(format, strings), []
    if strings and format in NUMBERS_ALONE:
        reasons.append(f"{format} does not hold what takes strings apart")
    for attempt in attempts:
        try:
            rows, told = _written(predictor, format, attempt, path, raw)
            measured = check(format, path, rows, expected, precision)
            return {"holds": attempt.holds, "one_row": attempt.one_row, "why": reasons, "inputs": told, **measured}
        except UserError as error:
            if len(attempts) == 1:
                raise
            reasons.append(first_line(error).rpartition(" says: ")[2].replace(path.name, "it")[:200])
            path.unlink(missing_ok=True)
    raise UserError(
        f"This model cannot be exported to {format}; --format savedmodel holds all that TensorFlow "
        f"computes. {reasons[-1]}"
    )


def _written(predictor: Predictor, format: str, attempt: Attempt, path: Path, raw: Any) -> tuple[Any, Any]:
    """The export, written; the rows that it is to be asked, and how they are made where that is not in it."""
    from tfkit.datasets.batch_predict import predict

    run = predictor.run_dir
    if format == "keras":
        if path != run.path("model.keras"):
            writing.copy(run.path("model.keras"), path)
        return raw, None
    if attempt.holds == RAW:
        writing.write(format, predictor.model, path, one_row=attempt.one_row)
        return raw, None
    from tfkit.export.halves import halves
    from tfkit.export.told import describe

    prepare, trained = halves(predictor.model, run.about.get("network"))
    writing.write(format, trained, path, one_row=attempt.one_row)
    tensors = predict(prepare, raw)
    told = describe(prepare, run.info, raw, tensors)
    kinds = {tensor.name: tensor.dtype for tensor in trained.inputs}
    return {name: array.astype(kinds[name]) for name, array in tensors.items()}, told


def _record(run: Any, format: str, out: Path, found: dict[str, Any]) -> None:
    """Keep what was measured, and say it."""
    file = run.path("exports.json")
    told = {name: value for name, value in found.items() if name != "inputs"}
    path = str(out.relative_to(run.folder)) if out.is_relative_to(run.folder) else str(out.resolve())
    write_json(file, {**(run.exports if file.exists() else {}), format: {"path": path, **told}})
    if found["holds"] == TRAINED:
        log.warning(
            "%s holds the trained part alone (%s); %s beside it says how its tensors are made from a raw row",
            out.name,
            found["why"][-1],
            out.with_name("inputs.json").name,
        )
    if found["one_row"]:
        log.warning("%s takes one row at a time: a layer in it needs that in LiteRT", out.name)
    one, many = found["milliseconds"].values()
    log.info(
        "Checked in another process: %d rows answered twice, alike, and as the model answers to %.2g; %s; "
        "%.3g ms for 1 row, %.3g ms for 256",
        found["rows"],
        found["largest_difference"],
        _size(found["bytes"]),
        one,
        many,
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"
