"""Data warnings before training: target leakage, shared rows, class problems."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.labels import label_warnings
from tfkit.data.drift import DRIFT_THRESHOLD, drift, fit_reference_stats, list_drifted
from tfkit.data.rows.raw_row_hashes import hash_raw_rows
from tfkit.metadata import Target
from tfkit.recipe import Data

MAX_LEAKAGE_ROWS = 4000

MIN_LEAKAGE_ROWS = 100

MAX_DUPLICATE_ROWS = 50_000  # rows per split that are compared

NUM_BINS = 32  # of a numeric column

LEAKAGE_THRESHOLD = 0.995  # accuracy or R2 of a single column

MAX_LISTED_CLASSES = 5

SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}


def find_data_warnings(data: Data) -> list[str]:
    """Return a warning for each problem of the splits.

    Problems are a column that alone predicts the target, rows in two splits, test rows unlike the
    training rows, a class that a split lacks, labels that
    look like identifiers, differ only in case or blanks, or are several tags.
    """
    target = data.metadata.target
    return [
        *_leakage_warnings(data, target),
        *_duplicate_warnings(data),
        *_drift_warnings(data),
        *_class_warnings(data, list(target.counts or ()), target.name),
        *label_warnings(target),
    ]


def _leakage_warnings(data: Data, target: Target) -> list[str]:
    """Warn of single-cell columns that alone predict the target of held-out rows."""
    raw = getattr(data.train, "raw_arrays", None)
    if not raw or not hasattr(data.train, "arrays"):
        return []
    indices = np.random.default_rng(0).permutation(len(data.train))[:MAX_LEAKAGE_ROWS]
    y = np.asarray(data.train.arrays[1])
    if y.ndim != 1 or len(indices) < MIN_LEAKAGE_ROWS:
        return []
    y = y[indices]
    score_of = _class_accuracy if y.dtype.kind in "iu" else _r2_score
    messages = []
    for name, values in raw.items():
        values = np.asarray(values)
        if values.ndim != 2 or values.shape[1] != 1 or len(raw) < 2:
            continue
        score = score_of(values[indices, 0], y)
        if score >= LEAKAGE_THRESHOLD:
            column = data.metadata.inputs.get(name, {}).get("column", name)
            messages.append(
                f"{column} alone predicts {100 * score:.1f}% of {target.name}; if it is not known at prediction "
                f"time, set exclude_columns={column}"
            )
    return messages


def _bin_indices(values: np.ndarray) -> np.ndarray:
    """Return the bin of each value.

    There is one bin per category, and quantile bins and a bin for missing values for numbers.
    """
    if values.dtype.kind in "OUS":
        return np.unique(values.astype(str), return_inverse=True)[1]
    is_finite = np.isfinite(values)
    distinct = np.unique(values[is_finite])
    if len(distinct) <= NUM_BINS:
        edges = distinct
    else:
        edges = np.quantile(values[is_finite], np.linspace(0, 1, NUM_BINS + 1)[1:-1])
    return np.where(is_finite, np.searchsorted(edges, np.where(is_finite, values, 0)), -1) + 1


def _leaf_indices(values: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
    """Return the leaf of a decision tree for each number; the tree is fitted on the first half of the rows."""
    from sklearn.tree import DecisionTreeClassifier

    finite = np.isfinite(values)
    low = values[finite].min() - 1.0 if finite.any() else 0.0  # missing numbers are below all others
    cells = np.where(finite, values, low).reshape(-1, 1).astype("float64")
    tree = DecisionTreeClassifier(max_leaf_nodes=NUM_BINS, random_state=0).fit(cells[:half], y[:half])
    return tree.apply(cells)


def _class_accuracy(values: np.ndarray, y: np.ndarray) -> float:
    """Compute how well a column alone predicts the class of held-out rows.

    The prediction for a row of the second half is the most frequent class of its bin in the first half. The result is 0
    if the most frequent class alone is nearly as accurate.
    """
    half, num_classes = len(y) // 2, int(y.max()) + 1
    bins = _bin_indices(values) if values.dtype.kind in "OUS" else _leaf_indices(values, y, half)
    counts = np.zeros((bins.max() + 1, num_classes))
    np.add.at(counts, (bins[:half], y[:half].astype(int)), 1)
    is_correct = (counts.argmax(axis=1)[bins[half:]] == y[half:]) & (counts.sum(axis=1)[bins[half:]] > 0)
    majority_share = np.bincount(y[half:].astype(int)).max() / (len(y) - half)
    return float(is_correct.mean()) if majority_share < 1 - 2 * (1 - LEAKAGE_THRESHOLD) else 0.0


def _r2_score(values: np.ndarray, y: np.ndarray) -> float:
    """Compute the R2 of a column alone on held-out rows.

    The prediction for a row of the second half is the mean target of its category in the first half, or of the two
    nearest numbers there.
    """
    half = len(y) // 2
    if values.dtype.kind in "OUS":
        bins = _bin_indices(values)
        counts = np.bincount(bins[:half], minlength=bins.max() + 1)
        means = np.bincount(bins[:half], y[:half], minlength=bins.max() + 1) / np.maximum(counts, 1)
        y_pred = np.where(counts[bins[half:]] > 0, means[bins[half:]], y[:half].mean())
    else:
        order = np.argsort(np.nan_to_num(values[:half]))
        positions = np.searchsorted(np.nan_to_num(values[:half])[order], np.nan_to_num(values[half:]))
        y_pred = (y[order[np.maximum(positions - 1, 0)]] + y[order[np.minimum(positions, half - 1)]]) / 2
    variance = ((y[half:] - y[half:].mean()) ** 2).mean()
    return float(1 - ((y[half:] - y_pred) ** 2).mean() / variance) if variance > 0 else 0.0


def _duplicate_warnings(data: Data) -> list[str]:
    """Warn of training rows that also occur, with equal cells, in another split."""
    if any(getattr(split, "raw_arrays", None) is None for split in (data.train, data.val, data.test)):
        return []
    train_hashes = set(_row_hashes(data.train))
    messages = []
    for split in ("val", "test"):
        hashes = _row_hashes(getattr(data, split))
        num_shared = sum(row_hash in train_hashes for row_hash in hashes)
        if num_shared:
            messages.append(
                f"{num_shared:,} of {len(hashes):,} rows of the {SPLIT_NAMES[split]} split are training rows too, "
                "so their scores are too good"
            )
    return messages


def _row_hashes(split: Any) -> list[int]:
    """Hash each row with its targets: rows with different targets are no duplicates."""
    y = split.arrays[1]
    targets = [] if y is None else list(y.values()) if isinstance(y, Mapping) else [y]
    columns = {**split.raw_arrays, **{f"target {i}": values for i, values in enumerate(targets)}}
    first_rows = {name: np.asarray(values)[:MAX_DUPLICATE_ROWS] for name, values in columns.items()}
    return hash_raw_rows(first_rows).tolist()


def _drift_warnings(data: Data) -> list[str]:
    """Warn of columns whose distribution in the test split differs from training, as after a split by time."""
    if any(getattr(split, "raw_arrays", None) is None for split in (data.train, data.test)):
        return []
    columns = data.metadata.columns or {}
    raw = data.test.raw_inputs(np.arange(min(len(data.test), MAX_DUPLICATE_ROWS)))
    indices = drift(raw, fit_reference_stats(data.train, data.metadata))
    drifted = {
        name: index
        for name, index in indices.items()
        if index > DRIFT_THRESHOLD and columns.get(name, {}).get("kind") != "date"  # a later day is no drift
    }
    if not drifted:
        return []
    return [
        f"the test rows differ from the training rows (population stability index above {DRIFT_THRESHOLD:g}): "
        f"{list_drifted(drifted)}; expect lower test scores, and train again when newer rows are there"
    ]


def _class_warnings(data: Data, classes: list[str], target_name: str) -> list[str]:
    """Warn of classes or tags that a split lacks, and of labels most of which occur once."""
    if not classes:
        return []
    counts = {split: _class_counts(getattr(data, split), len(classes)) for split in SPLIT_NAMES}
    if any(split_counts is None for split_counts in counts.values()):
        return []
    messages = []
    for split, name in SPLIT_NAMES.items():
        missing = [str(classes[i]) for i in np.flatnonzero(counts[split] == 0)]
        if missing:
            num_hidden = len(missing) - MAX_LISTED_CLASSES
            suffix = f" and {num_hidden} more" if num_hidden > 0 else ""
            messages.append(f"the {name} split has no row of {', '.join(missing[:MAX_LISTED_CLASSES])}{suffix}")
    rare_share = float((counts["train"] <= 1).mean())
    if len(classes) > 20 and rare_share > 0.5:
        messages.append(
            f"{100 * rare_share:.0f}% of the {len(classes):,} classes of {target_name} occur at most once in the "
            "training rows: they look like identifiers, not like classes"
        )
    return messages


def _class_counts(split: Any, num_classes: int) -> Any:
    """Count the rows of each class or tag; None without class indices or tags in memory."""
    y = getattr(split, "arrays", (None, None))[1]
    y = None if y is None or isinstance(y, Mapping) else np.asarray(y)
    if y is not None and y.ndim == 2 and y.shape[1] == num_classes:
        return y.sum(axis=0)
    if y is None or y.ndim != 1 or y.dtype.kind not in "iu":
        return None
    return np.bincount(y.astype(int), minlength=num_classes)
