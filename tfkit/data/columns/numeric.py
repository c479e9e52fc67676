"""Fit the preprocessing of one column: scaling, bin edges or vocabulary."""

from collections.abc import Sequence
from typing import Any

import numpy as np

SCALINGS = ("robust", "standard", "minmax", "minmax_symmetric", "quantile")

ROBUST_BOUND = 3.0  # outliers of the robust scale are smoothly clipped to it, see `tfkit.layers.SmoothClip`

MAX_QUANTILES = 257  # of the quantile scale

MAX_MERGED_FRACTION = 0.05  # of the distinct values may become equal in float32; beyond it, a column is read as float64

MAX_ROUNDING = 1e-3  # of the typical difference of two steps, by float32; beyond it, a series is read as float64

MIN_DIVISOR = 1e-37  # the smallest scale that a float32 can be divided by


def fit_numeric(values: np.ndarray, *, scaling: str = "robust", bins: int = 128) -> tuple[dict[str, Any], list[str]]:
    """Fit scaling, imputation and embedding bins of a numeric column.

    Args:
        values: `(rows,)`, NaN where missing.
        scaling: One of `SCALINGS`.
        bins: The largest number of bins of the embedding.

    Returns:
        A dictionary with the dtype of a raw value and the offset that is subtracted in it; relative to the offset the
        fill value, center, divisor (`scale`), whether values are missing, and bin edges on the scale that is embedded;
        for the quantile scale also quantiles and their cumulative shares. And a list of messages that describe the
        column.
    """
    present = np.sort(values[np.isfinite(values)]).astype("float64")
    dtype, offset = _dtype_and_offset(present)
    first, last = (present[0], present[-1]) if len(present) else (0.0, 0.0)
    # as the model computes it: the difference in float64, or the value itself, is a float32
    present = (present - offset).astype("float32").astype("float64")
    missing = len(values) - len(present)
    if not len(present):
        present = np.zeros(1)
    distinct = present[np.flatnonzero(np.diff(present, prepend=np.nan) != 0)]
    center, divisor = _center_and_divisor(present, scaling)
    median = float(np.median(present))
    params: dict[str, Any] = {
        "dtype": dtype,
        "offset": offset,
        "fill": median,
        "center": center,
        "scale": divisor,
        "missing": missing > 0,
    }
    edges = _edges(present, distinct, bins)
    if scaling == "quantile":
        params |= _quantiles(present, edges)
        scaled = 2 * np.interp(edges, params["quantiles"], params["shares"]) - 1
    else:
        scaled = (edges - center) / divisor
    if scaling == "robust":
        scaled = scaled / np.sqrt(1 + (scaled / ROBUST_BOUND) ** 2)
    params["edges"] = _at_least_two(np.unique(scaled.astype("float32")))
    digits = 12 if offset else 6
    messages = [f"{first:.{digits}g} to {last:.{digits}g}, {len(distinct):,} distinct values"]
    messages += [f"read as float64 and centered at {offset:.{digits}g}"] if offset else []
    fill = f"imputed with {median + offset:.{digits}g} and flagged"
    return params, messages + ([f"{missing:,} missing: {fill}"] if missing else [])


def subsample_evenly(values: Sequence[float], max_values: int) -> list[float]:
    """Select at most `max_values` values at evenly spaced positions, with both ends.

    Example:
        >>> subsample_evenly([0.0, 1.0, 2.0, 3.0, 4.0], 3)
        [0.0, 2.0, 4.0]
    """
    if len(values) <= max_values:
        return list(values)
    return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, max_values).round().astype(int))]


def needs_float64(values: np.ndarray, differences: np.ndarray) -> bool:
    """Return whether float32 rounds values by a visible part of their differences.

    Args:
        values: `(rows,)`, NaN where missing.
        differences: Differences of neighbors, such as steps of a series; those that are zero or NaN do not count.

    Example:
        >>> meter = 1e9 + np.arange(5.0)
        >>> needs_float64(meter, np.diff(meter)), needs_float64(meter - 1e9, np.diff(meter))
        (True, False)
    """
    sizes = np.abs(differences[np.isfinite(differences) & (differences != 0)])
    largest = np.float32(np.nanmax(np.abs(values), initial=0.0))
    return bool(len(sizes)) and float(np.spacing(largest)) > MAX_ROUNDING * float(np.median(sizes))


def _dtype_and_offset(present: np.ndarray) -> tuple[str, float]:
    """Choose the dtype of raw values, and the offset that is subtracted before they become float32.

    Values that are no longer distinct in float32, such as seconds since 1970, need both. `present` is sorted.
    """
    distinct, distinct_float32 = (np.count_nonzero(np.diff(v)) for v in (present, present.astype("float32")))
    if distinct_float32 >= (1 - MAX_MERGED_FRACTION) * distinct:
        return "float32", 0.0
    return "float64", float(present[len(present) // 2])


def _center_and_divisor(present: np.ndarray, scaling: str) -> tuple[float, float]:
    """Compute center and divisor of a scaling method; `present` is sorted."""
    low, first, median, third, high = (float(v) for v in np.quantile(present, [0, 0.25, 0.5, 0.75, 1]))
    span = high - low if high - low > MIN_DIVISOR else 1.0
    center, divisor = {
        "robust": (median, third - first if third - first > MIN_DIVISOR else span / 2),
        "standard": (float(present.mean()), float(present.std())),
        "minmax": (low, span),
        "minmax_symmetric": ((low + high) / 2, span / 2),
        "quantile": (0.0, 1.0),
    }[scaling]
    return center, divisor if divisor > MIN_DIVISOR else span


def _edges(present: np.ndarray, distinct: np.ndarray, bins: int) -> np.ndarray:
    """Compute bin edges: all distinct values if there are few, otherwise quantiles.

    If ties merge many of the quantiles, quantiles of the distinct values are added.
    """
    if len(distinct) <= bins + 1:
        return distinct
    edges = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)))
    unused = bins + 1 - len(edges)
    if unused > bins // 4:
        edges = np.union1d(edges, np.quantile(distinct, np.linspace(0, 1, unused)))
    return np.array(subsample_evenly(edges.tolist(), bins + 1))


def _quantiles(present: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    """Compute quantiles and the share of training values below each.

    Values equal to a quantile count half, so that ties do not shift it to one side.
    """
    quantiles = np.array(subsample_evenly(_at_least_two(edges), MAX_QUANTILES))
    ranks = (np.searchsorted(present, quantiles, "left") + np.searchsorted(present, quantiles, "right")) / 2
    shares = (ranks - ranks[0]) / (ranks[-1] - ranks[0] or 1.0)
    return {"quantiles": quantiles.tolist(), "shares": shares.tolist()}


def _at_least_two(ascending: np.ndarray) -> list[float]:
    values = [float(value) for value in ascending]
    return values if len(values) > 1 else [values[0], values[0] + 1.0]
