"""A run's model in another format, checked against the model before it is published."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError

FORMATS = ("keras", "savedmodel")


def export(run: Any, format: str = "keras", out: str | os.PathLike[str] | None = None) -> Path:
    """Write the model of a run as a `.keras` file or a SavedModel, both from raw rows to answers.

    The export is loaded again and asked about rows that the run has kept; one that answers otherwise is not published.

    Args:
        run: A finished `tfkit.Run`.
        format: keras (a file for `tfkit.load_model`) or savedmodel (a folder for TensorFlow alone).
        out: Where to; None for a name in the run's folder.

    Returns:
        The path that was written.

    Raises:
        UserError: If the format is not known, or `out` is there already, or the export answers otherwise.
    """
    if format not in FORMATS:
        raise UserError(f"`format` must be one of {', '.join(FORMATS)}. Received: {format}")
    default = run.path("model.keras" if format == "keras" else "savedmodel")
    out = Path(out) if out is not None else default
    _ = run.metrics  # a run that is not finished says so
    if out == run.path("model.keras"):
        return out
    if out.exists() and out != default:
        raise UserError(f"`out` must not be there yet; remove it or choose another name. Received: {out}")
    if format == "keras" and out.suffix != ".keras":
        raise UserError(f"A file in Keras' format must end with .keras. Received: {out}")
    part = out.with_name(f"part-{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()  # says in one line what TensorFlow would say in many
        answer = _write_keras(run, part) if format == "keras" else _write_savedmodel(run, part)
        _compare(run, answer, part)
        shutil.rmtree(out, ignore_errors=True)  # the one of before, now that there is a better one
        os.replace(part, out)
    except OSError as error:
        raise UserError(
            f"The place for the export must be writable. Received: {out}: {error.strerror or error}"
        ) from None
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)
    return out


def _write_keras(run: Any, path: Path) -> Any:
    from tfkit.loop import predict
    from tfkit.run import load_model

    shutil.copyfile(run.path("model.keras"), path)
    model = load_model(path)
    return lambda raw: predict(model, raw)


def _write_savedmodel(run: Any, path: Path) -> Any:
    import tensorflow as tf

    run.model.export(path, format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(path)  # kept by the function below: without a reference its variables are gone
    return lambda raw: loaded.serve(raw)


def _compare(run: Any, answer: Any, path: Path) -> None:
    """Ask model and export about the rows that the run has kept."""
    import tensorflow as tf

    kept = run.examples
    said = np.asarray(answer({name: tf.constant(values) for name, values in kept.items()}))
    own = run.answer(kept).reshape(said.shape)
    furthest = float(np.max(np.abs(said - own))) if len(said) else 0.0
    if not np.allclose(said, own, rtol=1e-4, atol=1e-5):
        raise UserError(
            f"An export must answer as the model does. Received: {path.name}, which differs by {furthest:.3g}"
        )
