"""What in the splits would make scores too good or learning impossible, found in a second and said in sentences."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.recipe import Data

ROWS = 4000  # that a leak is looked for in
SHARED = 50_000  # rows of a split whose twins are looked for
BINS = 32  # of a number
TOO_GOOD = 0.995  # of the rows that one column alone tells, or of the variance


def warnings_of(data: Data) -> list[str]:
    """A sentence for each: a column that alone tells the target, rows in two splits, a class that a split lacks,
    labels that look like identifiers."""
    target = {"name": "the target", **data.info.get("target", {})}
    classes = target.get("classes")
    return [*_leaks(data, target), *_shared(data), *(_classes(data, classes, target["name"]) if classes else [])]


def _leaks(data: Data, target: dict[str, Any]) -> list[str]:
    """Columns of single cells that alone tell the target of rows that they were not looked at with."""
    raw = getattr(data.train, "raw_arrays", None)
    if not raw or not hasattr(data.train, "arrays"):
        return []
    numbers = np.random.default_rng(0).permutation(len(data.train))[:ROWS]
    y = np.asarray(data.train.arrays[1])
    if y.ndim != 1 or len(numbers) < 100:
        return []
    y = y[numbers]
    told = _told_class if target.get("classes") else _told_number
    found = []
    for name, values in raw.items():
        values = np.asarray(values)
        if values.ndim != 2 or values.shape[1] != 1 or len(raw) < 2:
            continue
        share = told(values[numbers, 0], y)
        if share >= TOO_GOOD:
            column = data.info.get("inputs", {}).get(name, {}).get("column", name)
            found.append(
                f"{column} alone tells {100 * share:.1f}% of {target['name']}; if it is known only later, "
                f"leave_out={column}"
            )
    return found


def _bins(values: np.ndarray) -> np.ndarray:
    """Words as they are; numbers by where they lie among all, missing ones by themselves."""
    if values.dtype.kind in "OUS":
        return np.unique(values.astype(str), return_inverse=True)[1]
    there = np.isfinite(values)
    distinct = np.unique(values[there])
    edges = distinct if len(distinct) <= BINS else np.quantile(values[there], np.linspace(0, 1, BINS + 1)[1:-1])
    return np.where(there, np.searchsorted(edges, np.where(there, values, 0)), -1) + 1


def _told_class(values: np.ndarray, y: np.ndarray) -> float:
    """How many rows of the second half have the commonest class that their bin had in the first; 0 where guessing does
    as well."""
    bins, half, size = _bins(values), len(y) // 2, int(y.max()) + 1
    counts = np.zeros((bins.max() + 1, size))
    np.add.at(counts, (bins[:half], y[:half].astype(int)), 1)
    right = (counts.argmax(axis=1)[bins[half:]] == y[half:]) & (counts.sum(axis=1)[bins[half:]] > 0)
    guess = np.bincount(y[half:].astype(int)).max() / (len(y) - half)
    return float(right.mean()) if guess < 1 - 2 * (1 - TOO_GOOD) else 0.0


def _told_number(values: np.ndarray, y: np.ndarray) -> float:
    """The share of the variance of the second half that rows of the first with the same word, or the two nearest
    numbers, tell."""
    half = len(y) // 2
    if values.dtype.kind in "OUS":
        bins = _bins(values)
        counts = np.bincount(bins[:half], minlength=bins.max() + 1)
        means = np.bincount(bins[:half], y[:half], minlength=bins.max() + 1) / np.maximum(counts, 1)
        said = np.where(counts[bins[half:]] > 0, means[bins[half:]], y[:half].mean())
    else:
        order = np.argsort(np.nan_to_num(values[:half]))
        place = np.searchsorted(np.nan_to_num(values[:half])[order], np.nan_to_num(values[half:]))
        said = (y[order[np.maximum(place - 1, 0)]] + y[order[np.minimum(place, half - 1)]]) / 2
    spread = ((y[half:] - y[half:].mean()) ** 2).mean()
    return float(1 - ((y[half:] - said) ** 2).mean() / spread) if spread > 0 else 0.0


def _shared(data: Data) -> list[str]:
    """Rows, all cells alike, that stand in training and in another split too."""
    names = [("val", "validation"), ("test", "test")]
    if any(getattr(split, "raw_arrays", None) is None for split in (data.train, data.val, data.test)):
        return []
    seen = set(_digests(data.train))
    found = []
    for split, name in ((getattr(data, short), name) for short, name in names):
        digests = _digests(split)
        shared = sum(digest in seen for digest in digests)
        if shared:
            found.append(
                f"{shared:,} of {len(digests):,} rows of the {name} split stand in the training rows too, "
                "so their scores are too good"
            )
    return found


def _digests(split: Any) -> list[int]:
    """What tells rows apart, their targets included: rows that are alike but for these are no copies."""
    y = split.arrays[1]
    targets = [] if y is None else list(y.values()) if isinstance(y, Mapping) else [y]
    columns = [_hashed(np.asarray(values)[:SHARED]) for values in (*split.raw_arrays.values(), *targets)]
    told: np.ndarray = np.zeros(len(columns[0]), "uint64")
    for column in columns:
        told = told * np.uint64(0x9E3779B97F4A7C15) + column  # wraps round, as it should
    return told.tolist()


def _hashed(values: Any) -> Any:
    """A number for each row; of words whatever room their array has for longer ones."""
    from pandas.util import hash_array

    if values.ndim > 1 and values.shape[1:] != (1,):
        words = values.dtype.kind in "OU"
        rows = [hash(tuple(row.ravel()) if words else row.tobytes()) for row in values]
        return np.array(rows, "int64").view("uint64")
    return hash_array(values.ravel().astype(object) if values.dtype.kind == "U" else values.ravel())


def _classes(data: Data, classes: list[str], name: str) -> list[str]:
    """Classes that a split lacks, and labels of which most stand once."""
    found = []
    counts = {short: _counts(getattr(data, short), len(classes)) for short in ("train", "val", "test")}
    if any(each is None for each in counts.values()):
        return []
    for short, word in (("train", "training"), ("val", "validation"), ("test", "test")):
        lacking = [str(classes[i]) for i in np.flatnonzero(counts[short] == 0)]
        if lacking:
            more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
            found.append(f"the {word} split has no row of {', '.join(lacking[:5])}{more}")
    once = float((counts["train"] <= 1).mean())
    if len(classes) > 20 and once > 0.5:
        found.append(
            f"{100 * once:.0f}% of the {len(classes):,} classes of {name} stand once or never in the training "
            "rows: they look like identifiers, not like classes"
        )
    return found


def _counts(split: Any, size: int) -> Any:
    """Rows of each class, where targets are class numbers in memory."""
    y = getattr(split, "arrays", (None, None))[1]
    if y is None or np.asarray(y).ndim != 1 or np.asarray(y).dtype.kind not in "iu":
        return None
    return np.bincount(np.asarray(y).astype(int), minlength=size)
