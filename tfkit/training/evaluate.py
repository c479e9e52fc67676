"""Evaluation after training: predictions of the splits, scores with intervals and baselines, files."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.atomic_files import atomic_path
from tfkit.console import scores_table
from tfkit.datasets.batch_predict import compiled_predictor, index_chunks, predict, squeeze_outputs
from tfkit.datasets.npz import write_arrays
from tfkit.evaluation import bootstrap, comparison, scoring
from tfkit.recipe import Data, Recipe
from tfkit.run_dir import RunDir
from tfkit.tasks.registry import get_task

ARROW_ROWS = 200_000  # of predictions.csv, from which on it is written with Arrow
SAMPLE_ROWS = 64  # raw rows that are saved to verify exports

Predictions = dict[str, tuple[Any, Any]]  # split -> targets and predictions of all rows


def predict_dataset(dataset: Any, model: Any, data: Data) -> tuple[Any, np.ndarray]:
    """Targets and predictions of every row of a dataset, in the units of the user."""
    compute = compiled_predictor(model, dataset.take(np.arange(1))[0])

    def predict_rows(indices: np.ndarray) -> np.ndarray:
        x = dataset.take(indices)[0]
        outputs = compute(x)
        return (
            outputs
            if data.postprocessor is None
            else predict(data.postprocessor, data.postprocessor_inputs(outputs, x))
        )

    outputs = np.concatenate([predict_rows(indices) for indices in index_chunks(dataset)])
    return get_task(data.metadata.task).targets(dataset, data.metadata), squeeze_outputs(outputs)


def dataset_fingerprint(dataset: Any, y_true: np.ndarray) -> str:
    """A hash that identifies the rows of a dataset, however they are preprocessed, so that runs can be compared."""
    row_ids = getattr(dataset, "row_ids", getattr(dataset, "forecast_starts", None))
    content = np.ascontiguousarray(y_true).tobytes() if row_ids is None else "\n".join(map(str, row_ids)).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def evaluate(
    recipe: Recipe, run: RunDir, config: Any, data: Data, predictions: Predictions, log: Any
) -> dict[str, Any]:
    """Compute the metrics of validation and test, with intervals, next to the baselines.

    Returns:
        The content of metrics.json.
    """
    metadata = data.metadata
    metrics: dict[str, Any] = {"task": metadata.task, "positive_class": metadata.target.positive_class}
    for split, (y_true, y_pred) in predictions.items():
        metrics[split] = scoring.compute_metrics(y_true, y_pred, metadata)
    metrics = {**metrics, "test": metrics.get("test", {}), "intervals": {}, "classes": {}, "baselines": {}}
    _save_sample_inputs(run, data)
    if "test" not in predictions:
        log(scores_table(metrics))
        _log_earlier_warnings(run, log)
        return metrics
    y_true, y_pred = predictions["test"]
    run.update_provenance(test_rows=dataset_fingerprint(data.test, y_true))
    metrics["intervals"] = bootstrap.bootstrap_intervals(y_true, y_pred, metadata, seed=config.seed)
    metrics["classes"] = scoring.per_class_metrics(y_true, y_pred, metadata)
    baselines = {b.__name__: b(data.train, data.test, metadata, seed=config.seed) for b in recipe.baselines}
    metrics["baselines"] = {
        name: scoring.compute_metrics(y_true, outputs, metadata) for name, outputs in baselines.items()
    }
    frame = get_task(metadata.task).test_frame(data.test, y_true, y_pred, metadata)
    write_predictions(_with_row_ids(frame, data.test), run.path("predictions.csv"))
    printed = {name: metrics["test"][name] for name in scoring.printed_metrics(metrics["test"])}
    log(scores_table({**metrics, "test": printed}))
    if metadata.target.positive_class is not None:
        log(f"precision, recall, f1 and average_precision are those of the class {metadata.target.positive_class!r}")
    for warning in get_task(metadata.task).score_warnings(metrics["test"], metadata):
        log(f"Warning: {warning}")
    _log_earlier_warnings(run, log)
    result = comparison.compare_to_best_baseline(y_true, y_pred, baselines, metadata)
    metrics["best_baseline"] = result
    metrics["verdict"] = comparison.summarize_comparison(y_true, y_pred, baselines, metadata, result=result)
    log(metrics["verdict"])
    return metrics


def _with_row_ids(frame: Any, test: Any) -> Any:
    """Add the row of the file, counted from 1 below the header, or the path of the file, as the first column."""
    row_ids = getattr(test, "row_ids", None)
    if row_ids is None or len(row_ids) != len(frame):
        return frame
    name = "row" if np.asarray(row_ids).dtype.kind in "iu" else "file"
    frame.insert(0, name, row_ids, allow_duplicates=True)  # a class may have this name
    return frame


def _log_earlier_warnings(run: RunDir, log: Any) -> None:
    """Repeat the warnings before training: they limit what the scores say."""
    for warning in run.provenance.get("warnings") or ():
        log(f"Warning: {warning}")


def write_predictions(frame: Any, path: Path) -> None:
    """Write predictions.csv; many rows, such as all windows of a forecast, with Arrow: it is twenty times faster."""
    with atomic_path(path) as temporary:
        if len(frame) < ARROW_ROWS:
            frame.to_csv(temporary, index=False)
            return
        import pyarrow as pa
        from pyarrow import csv

        table = pa.Table.from_pandas(frame, preserve_index=False)
        csv.write_csv(table, temporary, csv.WriteOptions(quoting_style="needed"))


def _save_sample_inputs(run: RunDir, data: Data) -> None:
    """Save some raw rows of the validation split; strings as JSON, so that no file needs pickle."""
    raw = data.val.raw_inputs(np.arange(min(SAMPLE_ROWS, len(data.val))))
    arrays = {name: np.asarray(values) for name, values in raw.items()}
    for name, values in arrays.items():
        if values.dtype.kind in "OUS":
            arrays[name] = np.frombuffer(json.dumps(values.tolist()).encode(), "uint8")
    write_arrays(run.path("sample_inputs.npz"), arrays)
