"""Everything that a report is made of, read from the folder of a run: neither its data nor its page is needed."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.run_dir import RunDir


@dataclass(frozen=True)
class Record:
    """What a finished run has left, opened.

    Args:
        run: The run.
        info, config, about, metrics: Its JSON files.
        history: A line for each epoch.
        evidence: What was looked at when it was trained; empty for a run that was made without a report.
        truth, answer: The test rows' truth and answers as `scores` takes them; None where no test was taken.
        options: What was asked for when the report was made, such as the cost of a miss.
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
    def of(cls, run: RunDir, **options: Any) -> "Record":
        """Read the folder of a finished run."""
        info, found = run.info, run.metrics
        truth, answer = _predictions(run.path("predictions.csv"), info) if found.get("test") else (None, None)
        evidence = run.path("evidence.json")
        known = run.evidence if evidence.is_file() else {}
        return cls(
            run, info, run.config, run.about, found, _history(run.path("history.csv")), known, truth, answer, options
        )

    @property
    def task(self) -> str:
        """What kind of task it is."""
        return self.info["task"]

    @property
    def classes(self) -> list[str]:
        """The names of the classes; none of a number."""
        return [str(name) for name in self.info["target"]["classes"] or []]

    @property
    def target(self) -> str:
        """What is predicted."""
        return self.info["target"].get("name", "target")

    def curve(self, name: str) -> np.ndarray:
        """A column of the history, NaN where there is no number."""
        return np.array([line.get(name, np.nan) for line in self.history], "float64")


def _history(path: Path) -> list[dict[str, float]]:
    """The epochs of a history.csv; what is no single number is left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: number for name, word in line.items() if (number := _number(word)) is not None}
            for line in csv.DictReader(file)
        ]


def _number(word: str | None) -> float | None:
    try:
        return float(word or "")
    except ValueError:
        return None


def _predictions(path: Path, info: dict[str, Any]) -> tuple[Any, Any]:
    """Truth and answers of the test rows."""
    import pandas as pd

    if not path.is_file():
        return None, None
    classes = info["target"].get("classes")
    if info["task"] == "forecast":
        return _windows(pd.read_csv(path), info)
    if not classes:
        frame = pd.read_csv(path)
        return frame["truth"].to_numpy("float64"), frame["predicted"].to_numpy("float64")
    frame = pd.read_csv(path, dtype={"truth": str, "predicted": str}, keep_default_na=False)
    codes = {str(name): code for code, name in enumerate(classes)}
    return frame["truth"].map(codes).to_numpy("int64"), frame.iloc[:, -len(classes) :].to_numpy("float64")


def _windows(frame: Any, info: dict[str, Any]) -> tuple[Any, Any]:
    """Windows that do not overlap, as they were kept: the truth of each with its series, and its quantiles."""
    from tfkit.data.windows import truths

    horizon, names = info["horizon"], [str(name) for name in info["series"]["names"]]
    truth = truths(len(frame) // horizon, horizon)
    truth["values"] = frame["truth"].to_numpy("float64").reshape(-1, horizon)
    column = info["rules"]["series_column"] or "series"
    if column in frame:
        truth["series"] = [names.index(name) for name in frame[column].astype(str).iloc[::horizon]]
    half = len(info["quantiles"]) // 2
    bands = [name for name in frame.columns if name.startswith(("low_", "high_"))]
    lows, highs = bands[0::2][::-1], bands[1::2]
    ordered = [*lows[:half], "predicted", *highs[:half]]
    return truth, frame[ordered].to_numpy("float64").reshape(-1, horizon, len(ordered))
