"""Rows of today held against those of training: a column whose values have moved is said."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

log = logging.getLogger("tfkit")

BOUND = 0.25  # of the population stability index, above which a column has moved
BINS = 10
WORDS = 50  # of a column that are told apart; the others are one
LEAST = 50  # rows, for shares of fewer say little
ROWS = 20_000  # of training that are looked at
NUMBERS = 2**24  # and of large rows, such as pictures, fewer
SMALLEST = 1e-4  # share, so that none is infinitely far


def learn(raw: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """The shares of each column's values in training, as JSON.

    Numbers lie in ten bins of equal shares, or below or above all; words by themselves, texts by their length. Of a
    series or a picture it is the mean of each row. Missing ones are a share of their own.

    Example:
        >>> learnt = learn({"x": np.arange(100.0).reshape(-1, 1)}, {"inputs": {"x": {"column": "x"}}})
        >>> learnt["x"]["shares"]  # missing, below, ten bins, above
        [0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0]
    """
    found = {}
    for name, array in raw.items():
        values = _one_a_row(np.asarray(array))
        rule: dict[str, Any] = {"column": info.get("inputs", {}).get(name, {}).get("column", name)}
        if values.dtype == object:
            words, counts = np.unique(values.astype(str), return_counts=True)
            rule["words"] = [str(word) for word in words[np.argsort(-counts, kind="stable")][:WORDS] if word]
        else:
            known = values[np.isfinite(values)]
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1))) if len(known) else np.empty(0)
            rule["edges"] = [*edges[:-1].tolist(), *np.nextafter(edges[-1:], np.inf).tolist()]
        found[name] = {**rule, "shares": _shares(values, rule).tolist(), "rows": len(values)}
    return found


def learn_shares(split: Any, info: Mapping[str, Any]) -> dict[str, Any]:
    """What `learn` finds in some rows of a split; nothing where it has no raw rows."""
    order = np.random.default_rng(0).permutation(len(split))
    try:
        size = sum(np.asarray(array).size for array in split.raw(order[:1]).values())
        return learn(split.raw(np.sort(order[: max(LEAST, min(ROWS, NUMBERS // size))])), info)
    except (AttributeError, ValueError):  # a split without `raw`
        return {}


def drift(raw: Mapping[str, Any], learnt: Mapping[str, Any]) -> dict[str, float]:
    """The population stability index of each column, `sum((p - q) ln(p / q))`, less what chance alone makes of so few.

    Args:
        raw: Rows as the model file takes them.
        learnt: What `learn` gave.

    Example:
        >>> learnt = learn({"x": np.arange(1000.0).reshape(-1, 1)}, {"inputs": {}})
        >>> drift({"x": np.arange(1000.0).reshape(-1, 1)}, learnt)["x"]
        0.0
        >>> drift({"x": np.full((1000, 1), 5000.0)}, learnt)["x"] > BOUND
        True
    """
    found = {}
    for name, rule in learnt.items():
        values = _one_a_row(np.asarray(raw[name])) if name in raw else np.empty(0)
        if len(values) >= LEAST:
            then, now = (np.maximum(shares, SMALLEST) for shares in (np.array(rule["shares"]), _shares(values, rule)))
            chance = (len(then) - 1) * (1 / rule["rows"] + 1 / len(values))
            found[rule["column"]] = max(0.0, float(((now - then) * np.log(now / then)).sum()) - chance)
    return found


def warn(raw: Mapping[str, Any], learnt: Mapping[str, Any]) -> None:
    """Say which columns have moved, the furthest first."""
    if not isinstance(raw, Mapping):  # a reader of a page's own
        return
    moved = {name: index for name, index in drift(raw, learnt).items() if index > BOUND}
    if moved:
        named = ", ".join(f"{name} {moved[name]:.2f}" for name in sorted(moved, key=lambda name: -moved[name])[:10])
        more = f" and {len(moved) - 10} more" if len(moved) > 10 else ""
        log.warning(
            "Unlike the training rows (population stability index above %g): %s%s. Answers may be worse than "
            "the scores say",
            BOUND,
            named,
            more,
        )


def _one_a_row(array: np.ndarray) -> np.ndarray:
    """A number or a word for each row: texts by their length, series and pictures by their mean."""
    if array.dtype.kind in "OUS":
        values: Any = array.reshape(len(array), -1)[:, 0].astype(object)
        lengths = np.array([len(value) for value in values], "float64")
        return lengths if len(values) and lengths.mean() > 30 else values
    flat: Any = array.reshape(len(array), -1)
    if flat.shape[1] == 1:
        return flat[:, 0].astype("float64")
    if flat.dtype.kind in "biu":
        return flat.mean(axis=1)
    there = np.isfinite(flat)
    count = there.sum(axis=1)
    return np.where(count > 0, np.where(there, flat, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _shares(values: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """The share of the rows that are missing, then of each bin or word, then of all other words."""
    if "words" in rule:
        values = values.astype(str) if values.dtype == object else np.array([""] * len(values))
        places = {"": 0, **{word: i + 1 for i, word in enumerate(rule["words"])}}
        size = len(rule["words"]) + 2
        bins = np.array([places.get(value, size - 1) for value in values], int)
    else:
        values = values if values.dtype != object else np.full(len(values), np.nan)
        size = len(rule["edges"]) + 2
        there = np.isfinite(values)
        bins = np.where(there, 1 + np.searchsorted(rule["edges"], np.where(there, values, 0), side="right"), 0)
    return np.bincount(bins, minlength=size) / max(1, len(bins))
