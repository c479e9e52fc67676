"""Read the results of a run from its folder, without its data or recipe."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.data import load_metadata
from tfkit.metadata import Metadata
from tfkit.run_dir import RunDir
from tfkit.tasks.primary_metric import primary_metric
from tfkit.tasks.registry import get_task


@dataclass(frozen=True)
class RunResults:
    """Results of a finished run, read from its folder.

    Args:
        run: The run.
        metadata: Metadata of its data.
        config, provenance, metrics: Contents of its JSON files.
        history: One dictionary per epoch.
        analysis: Results of the analyses made after training; empty for a run trained without a report.
        y_true: Targets of the test set, as `compute_metrics` takes them; None if the test set was not evaluated.
        y_pred: Predictions for the test set, as `compute_metrics` takes them; None if the test set was not evaluated.
        options: Options of the report: `false_negative_cost`.
    """

    run: RunDir
    metadata: Metadata
    config: dict[str, Any]
    provenance: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, float]]
    analysis: dict[str, Any]
    y_true: Any = None
    y_pred: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_run(cls, run: RunDir, **options: Any) -> "RunResults":
        """Read the results of a finished run."""
        metadata, metrics = load_metadata(run.metadata), run.metrics
        y_true, y_pred = None, None
        if metrics.get("test") and run.path("predictions.csv").is_file():
            y_true, y_pred = get_task(metadata.task).read_test_frame(run.path("predictions.csv"), metadata)
        analysis = run.analysis if run.path("analysis.json").is_file() else {}
        history = _history(run.path("history.csv"))
        return cls(run, metadata, run.config, run.provenance, metrics, history, analysis, y_true, y_pred, options)

    @property
    def task(self) -> str:
        """The task, such as "classification" or "regression"."""
        return self.metadata.task

    @property
    def primary_metric(self) -> str:
        """The name of the metric that runs are compared by."""
        return primary_metric(self.metadata)[0]

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty for a regression."""
        return [str(name) for name in self.metadata.target.classes or []]

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.metadata.target.name

    def curve(self, name: str) -> np.ndarray:
        """Return a column of the history, `(epochs,)`; missing values are NaN."""
        return np.array([line.get(name, np.nan) for line in self.history], "float64")


def _history(path: Path) -> list[dict[str, float]]:
    """Read the epochs of a history.csv; cells that are not numbers are left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: number for name, cell in line.items() if (number := _parse_number(cell)) is not None}
            for line in csv.DictReader(file)
        ]


def _parse_number(cell: str | None) -> float | None:
    try:
        return float(cell or "")
    except ValueError:
        return None
