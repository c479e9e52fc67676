"""Hashes of raw rows: to count rows of one set that are also in another, such as training rows in a test file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_TRAINING_HASHES = 20_000  # training rows whose hashes a run stores; a random sample if there are more

MIN_SHARED_FRACTION = 0.05  # of evaluated rows that are training rows, from which on it is reported

MIN_ROWS = 20  # evaluated rows, below which the fraction is not reliable


def hash_raw_rows(columns: Mapping[str, Any]) -> np.ndarray:
    """Compute a hash of each row, `(rows,)` uint64; it is the same in every process.

    Args:
        columns: Arrays `(rows, ...)` of numbers or texts.

    Example:
        >>> hashes = hash_raw_rows({"a": np.array([[1.0], [2.0], [1.0]]), "b": np.array([["u"], ["u"], ["u"]], object)})
        >>> bool(hashes[0] == hashes[2]), bool(hashes[0] == hashes[1])
        (True, False)
    """
    hashes: Any = np.uint64(0)
    for array in columns.values():
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + _cell_hashes(np.asarray(array))  # overflow is intended
    return np.asarray(hashes)


def sample_training_hashes(train: Any, test: Any) -> dict[str, Any]:
    """Hash a sample of the training rows, for `shared_fraction`; empty if a split has no raw rows.

    Returns:
        `hashes`, `(rows,)` uint64; `fraction`, that of all training rows in the sample; and `expected`, the fraction of
        the test rows that equal a training row: it is high for a table with few distinct rows.
    """
    if any(getattr(split, "raw_arrays", None) is None for split in (train, test)):
        return {}
    order = np.random.default_rng(0).permutation(len(train))[:MAX_TRAINING_HASHES]
    sample: dict[str, Any] = {
        "hashes": np.unique(hash_raw_rows(train.raw_inputs(np.sort(order)))),
        "fraction": np.array(len(order) / len(train)),
    }
    raw = test.raw_inputs(np.arange(min(len(test), MAX_TRAINING_HASHES)))
    return {**sample, "expected": np.array(shared_fraction(raw, sample) if len(test) else 0.0)}


def shared_fraction(raw: Mapping[str, Any], sample: Mapping[str, Any]) -> float:
    """Estimate the fraction of rows that are training rows, in [0, 1].

    Args:
        raw: Rows as the model file takes them.
        sample: The result of `sample_training_hashes`.

    Example:
        >>> shared_fraction({"a": np.arange(4.0)}, {"hashes": hash_raw_rows({"a": np.arange(2.0)}), "fraction": 1.0})
        0.5
    """
    return min(1.0, float(np.isin(hash_raw_rows(raw), sample["hashes"]).mean() / sample["fraction"]))


def _cell_hashes(values: Any) -> Any:
    """Hash each row of a column; the item size of a text array has no effect."""
    from pandas.util import hash_array

    if values.ndim > 1 and values.shape[1:] != (1,):
        is_text = values.dtype.kind in "OU"
        rows: np.ndarray = np.empty(len(values), object)
        rows[:] = ["\x1f".join(map(str, row.ravel())) if is_text else row.tobytes() for row in values]
        return hash_array(rows)
    return hash_array(values.ravel().astype(object) if values.dtype.kind == "U" else values.ravel())
