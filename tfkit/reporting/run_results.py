"""Read the results of a run from its folder, without its data or recipe."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.run_dir import RunDir

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunResults:
    """Results of a finished run, read from its folder.

    Args:
        run: The run.
        info, config, about, metrics: Contents of its JSON files.
        history: One dictionary per epoch.
        evidence: Results of the analyses made after training; empty for a run trained without a report.
        truth: Targets of the test set, as `scores` takes them; None if the test set was not evaluated.
        answer: Predictions for the test set, as `scores` takes them; None if the test set was not evaluated.
        options: Options of the report, such as the cost of a false negative.
    """

    run: RunDir
    info: dict[str, Any]
    config: dict[str, Any]
    about: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, float]]
    evidence: dict[str, Any]
    truth: Any = None
    answer: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, run: RunDir, **options: Any) -> "RunResults":
        """Read the results of a finished run."""
        info, metrics = run.info, run.metrics
        y_true, y_pred = _predictions(run.path("predictions.csv"), info) if metrics.get("test") else (None, None)
        evidence = run.evidence if run.path("evidence.json").is_file() else {}
        history = _history(run.path("history.csv"))
        return cls(run, info, run.config, run.about, metrics, history, evidence, y_true, y_pred, options)

    @property
    def task(self) -> str:
        """The task, such as "binary" or "regression"."""
        return self.info["task"]

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty for a regression."""
        return [str(name) for name in self.info["target"]["classes"] or []]

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.info["target"].get("name", "target")

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


def _predictions(path: Path, info: dict[str, Any]) -> tuple[Any, Any]:
    """Read targets and predictions of the test set; (None, None) if there is no file."""
    import pandas as pd

    if not path.is_file():
        return None, None
    classes = info["target"].get("classes")
    if info["task"] == "forecast":
        return _forecast_windows(pd.read_csv(path), info)
    if not classes:
        frame = pd.read_csv(path)
        return frame["truth"].to_numpy("float64"), frame["predicted"].to_numpy("float64")
    frame = pd.read_csv(path, dtype={"truth": str, "predicted": str}, keep_default_na=False)
    codes = {str(name): code for code, name in enumerate(classes)}
    return frame["truth"].map(codes).to_numpy("int64"), frame.iloc[:, -len(classes) :].to_numpy("float64")


def _forecast_windows(frame: "pd.DataFrame", info: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Convert a forecast to targets and quantiles by window.

    Quantiles have the shape `(windows, horizon, quantiles)`.

    The file has windows that do not overlap.
    """
    from tfkit.datasets.windows import truths

    horizon, names = info["horizon"], [str(name) for name in info["series"]["names"]]
    y_true = truths(len(frame) // horizon, horizon)
    y_true["values"] = frame["truth"].to_numpy("float64").reshape(-1, horizon)
    column = info["rules"]["series_column"] or "series"
    if column in frame:
        y_true["series"] = [names.index(name) for name in frame[column].astype(str).iloc[::horizon]]
    half = len(info["quantiles"]) // 2
    bounds = [name for name in frame.columns if name.startswith(("low_", "high_"))]
    lows, highs = bounds[0::2][::-1], bounds[1::2]
    ordered = [*lows[:half], "predicted", *highs[:half]]
    return y_true, frame[ordered].to_numpy("float64").reshape(-1, horizon, len(ordered))
