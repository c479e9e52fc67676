"""Predictions of a finished run: raw rows in, tables and scores out."""

import importlib
import json
import logging
import os
import re
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.datasets.batch_predict import predict, squeeze_outputs
from tfkit.errors import UserError, first_line
from tfkit.inference.load_model import load_model
from tfkit.run_dir import RunDir
from tfkit.tasks.predictions import predictions_to_frame

log = logging.getLogger("tfkit")

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|")  # a spreadsheet computes a cell that begins so


class Predictor:
    """The model of a finished run and the reader of its rows.

    Args:
        run_dir: The run.
        recipe: The recipe file again, where it has a reader or layers of its own: a recipe file is code, and runs only
            when the user names it.
    """

    def __init__(self, run_dir: RunDir, recipe: Any = None):
        self.run_dir = run_dir
        self.recipe = recipe

    @cached_property
    def info(self) -> dict[str, Any]:
        """What was learned from the training data."""
        return self.run_dir.info

    @cached_property
    def model(self) -> Any:
        """The `keras.Model`: raw rows in, predictions out."""
        self.run_dir.read_json("metrics.json")  # refuses a run that is not finished
        if self.recipe is not None:
            from tfkit.catalog.load import load_recipe

            load_recipe(self.recipe)  # registers its layers
        try:
            return load_model(self.run_dir.path("model.keras"))
        except Exception as error:  # Keras raises many types for a file that is no model
            raise UserError(
                "The run's model.keras must be complete, and its layers known: name a recipe file with layers of its "
                f"own with --recipe. Received: {first_line(error)}"
            ) from error

    @cached_property
    def reader(self) -> Any:
        """The reader of the recipe that is named again, else the reader of tfkit that the run names."""
        if self.recipe is not None:
            from tfkit.catalog.load import load_recipe

            reader = load_recipe(self.recipe).read
        else:
            about = self.run_dir.about
            reader = _find_reader(about["read"]) if about["read"] else None
        if reader is None:
            recipe = self.run_dir.about["page"]
            raise UserError(
                f"The recipe file of this run has a reader of its own; name the file again: --recipe {recipe}"
            )
        return reader

    @property
    def sample_inputs(self) -> dict[str, np.ndarray]:
        """Some raw rows of the validation split, with which exports are verified."""
        inputs = self.info["inputs"]
        try:
            with np.load(self.run_dir.path("examples.npz"), allow_pickle=False) as file:
                arrays = {name: file[name] for name in inputs}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"The run's examples.npz must be complete. Received: {first_line(error)}") from None
        texts = {name for name, column in inputs.items() if column["dtype"] == "string"}
        return {n: np.array(json.loads(a.tobytes()), object) if n in texts else a for n, a in arrays.items()}

    def read(self, source: Any, **options: Any) -> Any:
        """Raw rows of a source, validated against the schema of training; columns that drifted are logged."""
        result = self.reader(source, self.info, **options)
        self.warn_of_drift(result[0] if isinstance(result, tuple) else result)
        return result

    def read_chunks(self, file: Any) -> Any:
        """Raw rows and own columns of a large file in chunks, where the reader can stream it; else None."""
        stream = getattr(self.reader, "blocks", None)
        return stream and stream(file, self.info)

    def warn_of_drift(self, raw: Any) -> None:
        """Log the columns of raw rows whose distribution differs from training."""
        from tfkit.data.drift import log_drift

        if self.run_dir.path("drift.json").is_file():
            log_drift(raw, self.run_dir.read_json("drift.json"))

    def predict_arrays(self, raw: Any) -> np.ndarray:
        """Predictions for raw rows: probabilities `(rows, classes)`, or values `(rows,)` in the user's units."""
        return squeeze_outputs(predict(self.model, raw))

    def predict(self, source: Any) -> Any:
        """Predictions for the rows of a source as a DataFrame, with the index of the source where it has one."""
        if self.info["task"] == "forecast":  # the rows of the source are the past; predictions are of what follows
            raw, own_columns = self.read(source, own=True)
            return own_columns.join(predictions_to_frame(self.predict_arrays(raw), self.info))
        frame = predictions_to_frame(self.predict_arrays(self.read(source)), self.info)
        if hasattr(source, "index") and hasattr(source, "columns") and len(source.index) == len(frame):
            frame.index = source.index
        return frame

    def predict_file(
        self, file: str | os.PathLike[str], out: str | os.PathLike[str], *, escape_formulas: bool = False
    ) -> Path:
        """Predict every row of a file; write the file's own columns, then the predictions.

        Args:
            file: The file to read.
            out: The file to write.
            escape_formulas: Whether an apostrophe is put before texts that a spreadsheet would compute.
        """
        from tfkit.data.files.write import write_frame
        from tfkit.inference.streaming import predict_chunks

        if Path(out).resolve() == Path(file).resolve():
            raise UserError(
                f"The predictions must be written to another file than the one that is read. Received: {out}"
            )

        logged: set[str] = set()

        def join(own_columns: Any, outputs: np.ndarray) -> Any:
            frame = self._join_predictions(own_columns, outputs, logged)
            return escape_spreadsheet_formulas(frame) if escape_formulas else frame

        chunks = self.read_chunks(file)
        if chunks is None or not predict_chunks(self, chunks, Path(out), join):
            raw, own_columns = self.read(file, own=True)
            write_frame(join(own_columns, self.predict_arrays(raw)), out)
        return Path(out)

    def evaluate(self, source: Any) -> dict[str, Any]:
        """Score the rows of a source that also holds their targets."""
        from tfkit.evaluation import bootstrap, metrics

        raw, y_true = self.read(source, target=True)
        y_pred, info = self.predict_arrays(raw), self.info
        return {
            "task": info["task"],
            "positive": info["target"]["positive"],
            "test": metrics.compute_metrics(y_true, y_pred, info),
            "intervals": bootstrap.bootstrap_intervals(y_true, y_pred, info),
            "classes": metrics.per_class_metrics(y_true, y_pred, info),
        }

    def _join_predictions(self, own_columns: Any, outputs: np.ndarray, logged: set[str]) -> Any:
        """The columns of a file and the predictions; columns of the same name are replaced, and that is logged once."""
        import pandas as pd

        frame = predictions_to_frame(outputs, self.info)
        frame.index = own_columns.index
        replaced = [name for name in frame if name in own_columns]
        if replaced and not logged:
            log.warning("Columns of the file with the names of predictions are replaced: %s", ", ".join(replaced))
            logged.update(replaced)
        return pd.concat([own_columns.drop(columns=replaced), frame], axis=1)


def escape_spreadsheet_formulas(frame: Any) -> Any:
    """Put an apostrophe before every text and column name that a spreadsheet would take for a formula.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"=a": ["=1+1", "b", "-3 apples"], "n": [-1, 2, 3]})
        >>> escape_spreadsheet_formulas(frame).values.tolist()
        [["'=1+1", -1], ['b', 2], ["'-3 apples", 3]]
    """

    def escape(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(FORMULA_STARTS) else value

    texts = frame.select_dtypes(exclude="number")
    return frame.assign(**{name: texts[name].map(escape) for name in texts}).rename(columns=escape)


def _find_reader(name: str) -> Any:
    """A reader of tfkit by its name; no other module is imported because a file names it."""
    module, _, function = name.partition(":")
    if not re.fullmatch(r"tfkit\.data(\.[a-z_]+)+:read_[a-z_]+", name):
        raise UserError(f"The run's reader must be one of tfkit; name the recipe file with --recipe. Received: {name}")
    return getattr(importlib.import_module(module), function)
