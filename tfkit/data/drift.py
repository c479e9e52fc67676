"""Data drift: the population stability index of each column."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.metadata import Metadata

log = logging.getLogger("tfkit")

DRIFT_THRESHOLD = 0.25  # population stability index above which a column has drifted

NUM_BINS = 10

MAX_CATEGORIES = 50  # most frequent categories of a column, each with a share

MIN_ROWS = 50  # shares of fewer rows are not reliable

MAX_TRAINING_ROWS = 20_000

MAX_TRAINING_VALUES = 2**24  # limits the rows further if they are large, such as images

MIN_SHARE = 1e-4  # keeps the index finite

MAX_LISTED_COLUMNS = 10

MIN_TEXT_LENGTH = 30  # mean characters above which strings are texts, not categories


def fit_reference(raw: Mapping[str, Any], metadata: Metadata) -> dict[str, Any]:
    """Compute the share of training rows in each bin of each column, as JSON.

    Numbers have ten bins of equal shares, a bin below and a bin above; categories have one bin each; texts are measured
    by their length, time series and images by the mean of each row. Missing values have their own bin.

    Example:
        >>> stats = fit_reference({"x": np.arange(100.0).reshape(-1, 1)}, Metadata())
        >>> stats["x"]["shares"]  # missing, below, ten bins, above
        [0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0]
    """
    stats = {}
    for name, array in raw.items():
        values = _value_per_row(np.asarray(array))
        rule: dict[str, Any] = {"column": metadata.inputs.get(name, {}).get("column", name)}
        if values.dtype == object:
            categories, counts = np.unique(values.astype(str), return_counts=True)
            most_frequent = categories[np.argsort(-counts, kind="stable")][:MAX_CATEGORIES]
            rule["categories"] = [str(category) for category in most_frequent if category]
        else:
            finite = values[np.isfinite(values)]
            edges = np.unique(np.quantile(finite, np.linspace(0, 1, NUM_BINS + 1))) if len(finite) else np.empty(0)
            rule["edges"] = [*edges[:-1].tolist(), *np.nextafter(edges[-1:], np.inf).tolist()]
        stats[name] = {**rule, "shares": _bin_shares(values, rule).tolist(), "rows": len(values)}
    return stats


def fit_reference_stats(split: Any, metadata: Metadata) -> dict[str, Any]:
    """Compute the bin shares of a random sample of rows of a split.

    The result is empty if the split has no raw rows.
    """
    order = np.random.default_rng(0).permutation(len(split))
    try:
        row_size = sum(np.asarray(array).size for array in split.raw_inputs(order[:1]).values())
        num_rows = max(MIN_ROWS, min(MAX_TRAINING_ROWS, MAX_TRAINING_VALUES // row_size))
        return fit_reference(split.raw_inputs(np.sort(order[:num_rows])), metadata)
    except (AttributeError, ValueError):  # a split without `raw`
        return {}


def drift(raw: Mapping[str, Any], stats: Mapping[str, Any]) -> dict[str, float]:
    """Compute the population stability index of each column.

    The index is `sum((p - q) ln(p / q))`, less the value expected from sampling noise.

    Args:
        raw: Rows as the model file takes them.
        stats: The result of `fit_reference`.

    Example:
        >>> stats = fit_reference({"x": np.arange(1000.0).reshape(-1, 1)}, Metadata())
        >>> drift({"x": np.arange(1000.0).reshape(-1, 1)}, stats)["x"]
        0.0
        >>> drift({"x": np.full((1000, 1), 5000.0)}, stats)["x"] > DRIFT_THRESHOLD
        True
    """
    indices = {}
    for name, rule in stats.items():
        values = _value_per_row(np.asarray(raw[name])) if name in raw else np.empty(0)
        if len(values) >= MIN_ROWS:
            expected = np.maximum(np.array(rule["shares"]), MIN_SHARE)
            actual = np.maximum(_bin_shares(values, rule), MIN_SHARE)
            noise = (len(expected) - 1) * (1 / rule["rows"] + 1 / len(values))
            index = float(((actual - expected) * np.log(actual / expected)).sum())
            indices[rule["column"]] = max(0.0, index - noise)
    return indices


def log_drift(raw: Mapping[str, Any], stats: Mapping[str, Any]) -> None:
    """Log the columns that have drifted, the largest index first."""
    if not isinstance(raw, Mapping):  # from the reader of a custom recipe
        return
    drifted = {name: index for name, index in drift(raw, stats).items() if index > DRIFT_THRESHOLD}
    if drifted:
        log.warning(
            "Data drift from the training rows (population stability index above %g): %s. Predictions may be worse "
            "than the test scores",
            DRIFT_THRESHOLD,
            list_drifted(drifted),
        )


def list_drifted(indices: Mapping[str, float]) -> str:
    """Format the columns that have drifted with their index, the largest first.

    Example:
        >>> list_drifted({"age": 0.3, "city": 1.25})
        'city 1.25, age 0.30'
    """
    names = sorted(indices, key=lambda name: -indices[name])
    suffix = f" and {len(names) - MAX_LISTED_COLUMNS} more" if len(names) > MAX_LISTED_COLUMNS else ""
    return ", ".join(f"{name} {indices[name]:.2f}" for name in names[:MAX_LISTED_COLUMNS]) + suffix


def _value_per_row(array: np.ndarray) -> np.ndarray:
    """Reduce each row to a number or a category.

    Texts are reduced to their length, time series and images to their mean.
    """
    if array.dtype.kind in "OUS":
        values: Any = array.reshape(len(array), -1)[:, 0].astype(object)
        lengths = np.array([len(value) for value in values], "float64")
        return lengths if len(values) and lengths.mean() > MIN_TEXT_LENGTH else values
    flat: Any = array.reshape(len(array), -1)
    if flat.shape[1] == 1:
        return flat[:, 0].astype("float64")
    if flat.dtype.kind in "biu":
        return flat.mean(axis=1)
    is_finite = np.isfinite(flat)
    count = is_finite.sum(axis=1)
    return np.where(count > 0, np.where(is_finite, flat, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _bin_shares(values: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Compute the share of rows in each bin.

    The first bin has the missing values, then come the bins or categories; the last one has all other categories, or
    the numbers above all bins.
    """
    if "categories" in rule:
        values = values.astype(str) if values.dtype == object else np.array([""] * len(values))
        bin_of = {"": 0, **{category: i + 1 for i, category in enumerate(rule["categories"])}}
        num_bins = len(rule["categories"]) + 2
        bins = np.array([bin_of.get(value, num_bins - 1) for value in values], int)
    else:
        values = values if values.dtype != object else np.full(len(values), np.nan)
        num_bins = len(rule["edges"]) + 2
        is_finite = np.isfinite(values)
        bins = np.where(is_finite, 1 + np.searchsorted(rule["edges"], np.where(is_finite, values, 0), side="right"), 0)
    return np.bincount(bins, minlength=num_bins) / max(1, len(bins))
