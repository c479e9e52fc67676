"""Predictions of a finished run: raw rows in, tables and scores out."""

import importlib
import json
import logging
import os
import re
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data import load_metadata
from tfkit.datasets.batch_predict import predict, squeeze_outputs
from tfkit.errors import UserError, first_line
from tfkit.inference.decision import decision_threshold
from tfkit.inference.load_model import load_model
from tfkit.inference.summary import PredictionSummary, format_first_rows
from tfkit.metadata import Metadata
from tfkit.recipe import Recipe
from tfkit.run_dir import RunDir
from tfkit.tasks.registry import get_task

if TYPE_CHECKING:
    import keras
    import pandas as pd

log = logging.getLogger("tfkit")

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|")  # cells that start with these are computed by a spreadsheet


class Predictor:
    """The model of a finished run and the reader of its rows.

    Args:
        run_dir: The run.
        recipe: The recipe file, if it defines a reader or layers: a recipe file is code, and runs only if the user
            names it.
    """

    def __init__(self, run_dir: RunDir, recipe: str | Path | Recipe | None = None):
        self.run_dir = run_dir
        self.recipe = recipe

    @cached_property
    def metadata(self) -> Metadata:
        """What was learned from the training data."""
        return load_metadata(self.run_dir.metadata)

    @cached_property
    def model(self) -> "keras.Model":
        """The `keras.Model`: raw rows in, predictions out."""
        self.run_dir.read_json("metrics.json")  # raises if the run is not finished
        if self.recipe is not None:
            from tfkit.catalog.load import load_recipe

            load_recipe(self.recipe)  # registers its layers
        try:
            return load_model(self.run_dir.path("model.keras"))
        except Exception as error:  # Keras raises many types for a file that is no model
            raise UserError(
                "The run's model.keras must be complete; if its layers are defined in the recipe file, give the file "
                f"with --recipe. Received: {first_line(error)}"
            ) from error

    @cached_property
    def reader(self) -> Any:
        """The reader of the recipe file if one is given, else the reader of tfkit that the run names."""
        if self.recipe is not None:
            from tfkit.catalog.load import load_recipe

            reader = load_recipe(self.recipe).reader
        else:
            name = self.run_dir.provenance["reader"]
            reader = _find_reader(name) if name else None
        if reader is None:
            recipe = self.run_dir.provenance["recipe_file"]
            raise UserError(f"The recipe file of this run defines a reader; give the file again: --recipe {recipe}")
        return reader

    @property
    def sample_inputs(self) -> dict[str, np.ndarray]:
        """Some raw rows of the validation split, with which exports are verified."""
        inputs = self.metadata.inputs
        try:
            with np.load(self.run_dir.path("sample_inputs.npz"), allow_pickle=False) as file:
                arrays = {name: file[name] for name in inputs}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"The run's sample_inputs.npz must be complete. Received: {first_line(error)}") from None
        texts = {name for name, column in inputs.items() if column["dtype"] == "string"}
        return {n: np.array(json.loads(a.tobytes()), object) if n in texts else a for n, a in arrays.items()}

    def read(self, source: Any, **options: Any) -> Any:
        """Raw rows of a source, validated against the schema of training; columns that drifted are logged."""
        result = self.reader.read(source, self.metadata, **options)
        self.warn_of_drift(result[0] if isinstance(result, tuple) else result)
        return result

    def read_chunks(self, file: Any) -> Any:
        """Raw rows and columns of a large file in chunks; None if the reader cannot stream it."""
        stream = getattr(self.reader, "stream", None)
        return stream and stream(file, self.metadata)

    def warn_of_drift(self, raw: Any) -> None:
        """Log the columns of raw rows whose distribution differs from training."""
        from tfkit.data.drift import log_drift

        log_drift(raw, self.reference_stats)

    def warn_of_training_rows(self, raw: Any) -> None:
        """Log how many of the rows to evaluate the model was trained on."""
        from tfkit.data.rows.raw_row_hashes import MIN_ROWS, MIN_SHARED_FRACTION, shared_fraction

        path = self.run_dir.path("training_hashes.npz")
        if not path.is_file() or not isinstance(raw, Mapping):  # a custom dataset or reader
            return
        num_rows = len(next(iter(raw.values())))
        with np.load(path, allow_pickle=False) as sample:
            fraction, expected = shared_fraction(raw, sample), float(sample["expected"])
        if num_rows >= MIN_ROWS and fraction >= expected + MIN_SHARED_FRACTION:
            log.warning(
                "About %.0f%% of the %s rows are training rows of this model, so the scores are too good. Evaluate "
                "rows that it has not seen; the scores of its test rows: evaluate without a file",
                100 * fraction,
                f"{num_rows:,}",
            )

    @cached_property
    def reference_stats(self) -> dict[str, Any]:
        """The distribution of each training column; empty if the run has none."""
        has_stats = self.run_dir.path("reference_stats.json").is_file()
        return self.run_dir.read_json("reference_stats.json") if has_stats else {}

    def predict_arrays(self, raw: Any) -> np.ndarray:
        """Predictions for raw rows: probabilities `(rows, classes)`, or values `(rows,)` in the user's units."""
        return squeeze_outputs(predict(self.model, raw))

    def predict(
        self, source: Any, *, threshold: float | None = None, false_negative_cost: float | None = None
    ) -> "pd.DataFrame":
        """Predictions for the rows of a source as a DataFrame, with the index of the source where it has one."""
        threshold = decision_threshold(self.run_dir, self.metadata, threshold, false_negative_cost)
        if getattr(self.reader, "PREDICTS_FOLLOWING_ROWS", False):  # a forecast: the rows are the history
            raw, columns = self.read(source, with_columns=True)
            return columns.join(self._to_frame(self.predict_arrays(raw), threshold))
        frame = self._to_frame(self.predict_arrays(self.read(source)), threshold)
        if hasattr(source, "index") and hasattr(source, "columns") and len(source.index) == len(frame):
            frame.index = source.index
        return frame

    def predict_file(
        self,
        file: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        escape_formulas: bool = False,
        threshold: float | None = None,
        false_negative_cost: float | None = None,
    ) -> Path:
        """Predict every row of a file; write the columns of the file, then the predictions.

        Args:
            file: The file to read.
            out: The file to write.
            escape_formulas: Whether an apostrophe is put before texts that a spreadsheet would compute.
            threshold, false_negative_cost: As in `tfkit.inference.decision.decision_threshold`.
        """
        from tfkit.data.files.write import text_format, write_frame
        from tfkit.inference.streaming import predict_chunks

        if Path(out).resolve() == Path(file).resolve():
            raise UserError(
                f"The predictions must be written to another file than the one that is read. Received: {out}"
            )

        logged: set[str] = set()
        summary = PredictionSummary()
        threshold = decision_threshold(self.run_dir, self.metadata, threshold, false_negative_cost)

        def join(columns: Any, outputs: np.ndarray) -> Any:
            frame = self._join_predictions(columns, outputs, threshold, logged)
            if "predicted" in frame:
                summary.add(frame["predicted"])
            return escape_spreadsheet_formulas(frame) if escape_formulas else frame

        chunks = self.read_chunks(file)
        if chunks is None or not predict_chunks(self, chunks, Path(out), join):
            raw, columns = self.read(file, with_columns=True)
            frame = join(columns, self.predict_arrays(raw))
            write_frame(frame, out, **text_format(columns))
            if getattr(self.reader, "PREDICTS_FOLLOWING_ROWS", False):
                log.info("%s", format_first_rows(frame))
        log.info("%s", summary.text())
        return Path(out)

    def evaluate(self, source: Any) -> dict[str, Any]:
        """Score the rows of a source that contains the targets."""
        from tfkit.evaluation import bootstrap, scoring

        raw, y_true = self.read(source, with_targets=True)
        self.warn_of_training_rows(raw)
        y_pred, metadata = self.predict_arrays(raw), self.metadata
        return {
            "task": metadata.task,
            "positive_class": metadata.target.positive_class,
            "test": scoring.compute_metrics(y_true, y_pred, metadata),
            "intervals": bootstrap.bootstrap_intervals(y_true, y_pred, metadata),
            "classes": scoring.per_class_metrics(y_true, y_pred, metadata),
        }

    def _to_frame(self, outputs: np.ndarray, threshold: float | None) -> "pd.DataFrame":
        task = get_task(self.metadata.task)
        frame = task.predictions_to_frame(outputs, self.metadata)
        return frame if threshold is None else frame.assign(predicted=task.decide(outputs, threshold, self.metadata))

    def _join_predictions(self, columns: Any, outputs: np.ndarray, threshold: float | None, logged: set[str]) -> Any:
        """The columns of a file and the predictions; columns of the same name are replaced, and that is logged once."""
        import pandas as pd

        frame = self._to_frame(outputs, threshold)
        frame.index = columns.index
        replaced = [name for name in frame if name in columns]
        if replaced and not logged:
            log.warning("Columns of the file with the names of predictions are replaced: %s", ", ".join(replaced))
            logged.update(replaced)
        return pd.concat([columns.drop(columns=replaced), frame], axis=1)


def escape_spreadsheet_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
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
    """Import a package of `tfkit.data`; a name in a file must not import any other module."""
    if not re.fullmatch(r"tfkit\.data\.[a-z_]+", name):
        raise UserError(f"The run's reader must be one of tfkit; name the recipe file with --recipe. Received: {name}")
    return importlib.import_module(name)
