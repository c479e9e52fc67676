"""What is learnt of a column once its kind is known: scale and edges of its numbers, vocabulary of its words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SCALES = ("robust", "standard", "zero_one", "minus_one_one", "quantile")
BOUND = 3.0  # of the robust scale: outliers are drawn in to it, see `tfkit.layers.Clip`
RARE = 2  # a word seen less often than this in training is treated like one never seen
KNOTS = 257  # of the quantile scale, at most
TINY = 1e-37  # the smallest spread that a float32 can be divided by


def learn_numbers(values: np.ndarray, *, scale: str = "robust", bins: int = 128) -> tuple[dict[str, Any], list[str]]:
    """What `prepare` and the embedding are told of a column of numbers, and what is said of it.

    Args:
        values: `(rows,)`, NaN where missing.
        scale: One of `SCALES`.
        bins: The largest number of bins of the embedding.

    Returns:
        Fill, centre, spread, whether some are missing, and edges of bins in the scale that they are embedded in; of the
        quantile scale also quantiles and shares.
    """
    present = np.sort(values[np.isfinite(values)]).astype("float64")
    missing = len(values) - len(present)
    if not len(present):
        present = np.zeros(1)
    distinct = present[np.flatnonzero(np.diff(present, prepend=np.nan) != 0)]
    center, spread = _center_and_spread(present, scale)
    median = float(np.median(present))
    learnt: dict[str, Any] = {
        "dtype": "float32",
        "fill": median,
        "center": center,
        "spread": spread,
        "missing": missing > 0,
    }
    edges = _edges(present, distinct, bins)
    if scale == "quantile":
        learnt |= _quantiles(present, edges)
        scaled = 2 * np.interp(edges, learnt["quantiles"], learnt["shares"]) - 1
    else:
        scaled = (edges - center) / spread
    if scale == "robust":
        scaled = scaled / np.sqrt(1 + (scaled / BOUND) ** 2)
    learnt["edges"] = _two_at_least(np.unique(scaled.astype("float32")))
    said = [f"{present[0]:.6g} to {present[-1]:.6g}, {len(distinct):,} values"]
    return learnt, said + ([f"{missing:,} missing: {median:.6g} and a flag"] if missing else [])


def learn_words(values: np.ndarray) -> tuple[dict[str, Any], list[str]]:
    """The vocabulary of a column of words `(rows,)`, "" where missing, in alphabetical order; and what is said of it.

    Rare words are left to the code of the unseen, which so learns what a word never seen is like.
    """
    return learn_counts(counted(values))


def counted(values: np.ndarray) -> dict[str, int]:
    """Word -> how often it stands there."""
    import pandas as pd

    return pd.Series(values, dtype=object).value_counts().to_dict()


def learn_counts(told: Mapping[str, int]) -> tuple[dict[str, Any], list[str]]:
    """The same as `learn_words`, of how often each word stands there."""
    counts = dict(told)
    missing = counts.pop("", 0)
    vocabulary = sorted(word for word in counts if counts[word] >= RARE)
    rare = len(counts) - len(vocabulary)
    said = [f"{len(vocabulary):,} words"]
    said += [f"{rare:,} rare words become one"] if rare else []
    said += [f"{missing:,} missing: a word of its own"] if missing else []
    return {"dtype": "string", "vocabulary": vocabulary}, said


def thin(values: Sequence[float], most: int) -> list[float]:
    """At most so many of the values, evenly chosen, both ends kept.

    Example:
        >>> thin([0.0, 1.0, 2.0, 3.0, 4.0], 3)
        [0.0, 2.0, 4.0]
    """
    if len(values) <= most:
        return list(values)
    return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def _center_and_spread(present: np.ndarray, scale: str) -> tuple[float, float]:
    """What is taken from a number and what it is then divided by; `present` ascends."""
    low, first, median, third, high = (float(v) for v in np.quantile(present, [0, 0.25, 0.5, 0.75, 1]))
    span = high - low if high - low > TINY else 1.0
    center, spread = {
        "robust": (median, third - first if third - first > TINY else span / 2),
        "standard": (float(present.mean()), float(present.std())),
        "zero_one": (low, span),
        "minus_one_one": ((low + high) / 2, span / 2),
        "quantile": (0.0, 1.0),
    }[scale]
    return center, spread if spread > TINY else span


def _edges(present: np.ndarray, distinct: np.ndarray, bins: int) -> np.ndarray:
    """Every value where there are few; else quantiles, and where ties waste many of these, quantiles of the values."""
    if len(distinct) <= bins + 1:
        return distinct
    edges = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)))
    unused = bins + 1 - len(edges)
    if unused > bins // 4:
        edges = np.union1d(edges, np.quantile(distinct, np.linspace(0, 1, unused)))
    return np.array(thin(edges.tolist(), bins + 1))


def _quantiles(present: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    """Told values and the share of the training values below each; ties count half, so that none pushes to one side."""
    knots = np.array(thin(_two_at_least(edges), KNOTS))
    ranks = (np.searchsorted(present, knots, "left") + np.searchsorted(present, knots, "right")) / 2
    shares = (ranks - ranks[0]) / (ranks[-1] - ranks[0] or 1.0)
    return {"quantiles": knots.tolist(), "shares": shares.tolist()}


def _two_at_least(ascending: np.ndarray) -> list[float]:
    values = [float(value) for value in ascending]
    return values if len(values) > 1 else [values[0], values[0] + 1.0]
