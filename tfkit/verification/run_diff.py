"""The first difference between two runs that should be bit-identical."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

TIME_COLUMNS = ("seconds", "rows_per_second")  # different in every run


def first_difference(expected: Path, actual: Path) -> str:
    """Describe the first difference of two runs in history, weights or scores.

    The description is empty if there is none.

    Args:
        expected, actual: Folders of finished runs.
    """
    return _compare_history(expected, actual) or _compare_weights(expected, actual) or _compare_scores(expected, actual)


def _compare_history(expected: Path, actual: Path) -> str:
    """Describe the first value of the history that differs."""
    expected_rows, actual_rows = _read_csv(expected / "history.csv"), _read_csv(actual / "history.csv")
    if len(expected_rows) != len(actual_rows):
        return f"{len(expected_rows)} epochs against {len(actual_rows)}"
    for expected_row, actual_row in zip(expected_rows, actual_rows, strict=True):
        for name, value in expected_row.items():
            if name not in TIME_COLUMNS and value != actual_row.get(name):
                return f"{name} of epoch {expected_row.get('epoch', '?')}: {value} against {actual_row.get(name)}"
    return ""


def _compare_weights(expected: Path, actual: Path) -> str:
    """Describe the first weight of the model files that differs."""
    expected_weights, actual_weights = _read_weights(expected / "model.keras"), _read_weights(actual / "model.keras")
    if list(expected_weights) != list(actual_weights):
        counts = f"{len(expected_weights)} weights against {len(actual_weights)}"
        return counts + ", with different names" * (len(expected_weights) == len(actual_weights))
    for name, weight in expected_weights.items():
        if weight.shape != actual_weights[name].shape or weight.tobytes() != actual_weights[name].tobytes():
            return f"the weight {name}: {max_difference(weight, actual_weights[name])}"
    return ""


def _compare_scores(expected: Path, actual: Path) -> str:
    """Describe the first validation score that differs."""
    expected_scores, actual_scores = (
        json.loads((run / "metrics.json").read_text(encoding="utf-8"))["val"] for run in (expected, actual)
    )
    for name, value in expected_scores.items():
        if actual_scores.get(name) != value:
            return f"{name} of the validation rows: {value} against {actual_scores.get(name)}"
    return ""


def max_difference(expected: np.ndarray, actual: np.ndarray) -> str:
    """Describe how many values of two arrays differ, and the largest difference.

    Example:
        >>> max_difference(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0]))
        '1 of 3 values differ, by 0.5 at most'
    """
    if expected.shape != actual.shape:
        return f"shape {expected.shape} against {actual.shape}"
    difference = np.abs(expected.astype("float64") - actual.astype("float64"))
    return f"{int((difference != 0).sum())} of {difference.size} values differ, by {difference.max():.3g} at most"


def _read_csv(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the weights of a `.keras` file by path, without the code of the recipe."""
    import io
    import zipfile

    import h5py

    weights: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = np.asarray(item)

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
        file.visititems(visit)
    return weights
