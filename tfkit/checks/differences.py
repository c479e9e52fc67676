"""Where two runs that should be the same to the last bit first differ, in words."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

CLOCK = ("seconds", "rows_per_second")  # what no two runs have in common


def first_difference(one: Path, other: Path) -> str:
    """Where two runs differ, the earliest first: the curves, the weights, the scores; empty if nowhere.

    Args:
        one, other: Folders of finished runs.
    """
    return _curves(one, other) or _weights(one, other) or _scores(one, other)


def _curves(one: Path, other: Path) -> str:
    """The first number of the history that differs."""
    first, second = _rows(one / "history.csv"), _rows(other / "history.csv")
    if len(first) != len(second):
        return f"{len(first)} epochs against {len(second)}"
    for row, twin in zip(first, second, strict=True):
        for name in row:
            if name not in CLOCK and row[name] != twin.get(name):
                return f"{name} of epoch {row.get('epoch', '?')}: {row[name]} against {twin.get(name)}"
    return ""


def _weights(one: Path, other: Path) -> str:
    """The first weight of the model files that differs."""
    first, second = _arrays(one / "model.keras"), _arrays(other / "model.keras")
    if list(first) != list(second):
        return f"{len(first)} weights against {len(second)}" + ", by other names" * (len(first) == len(second))
    for name, array in first.items():
        if array.shape != second[name].shape or array.tobytes() != second[name].tobytes():
            return f"the weight {name}: {furthest(array, second[name])}"
    return ""


def _scores(one: Path, other: Path) -> str:
    """The first score that differs."""
    first, second = (json.loads((run / "metrics.json").read_text(encoding="utf-8")) for run in (one, other))
    for name, value in first["val"].items():
        if second["val"].get(name) != value:
            return f"{name} of the validation rows: {value} against {second['val'].get(name)}"
    return ""


def furthest(one: np.ndarray, other: np.ndarray) -> str:
    """How many numbers of two arrays differ, and the furthest.

    Example:
        >>> furthest(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0]))
        '1 of 3 numbers differ, by 0.5 at most'
    """
    if one.shape != other.shape:
        return f"shape {one.shape} against {other.shape}"
    difference = np.abs(one.astype("float64") - other.astype("float64"))
    return f"{int((difference != 0).sum())} of {difference.size} numbers differ, by {difference.max():.3g} at most"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The weights of a `.keras` file by their places in it; no code of the page is needed to read them."""
    import io
    import zipfile

    import h5py

    found: dict[str, np.ndarray] = {}

    def note(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            found[name] = np.asarray(thing)

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
        file.visititems(note)
    return found
