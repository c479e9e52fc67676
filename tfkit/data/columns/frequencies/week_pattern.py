"""Periods of four, four and five weeks, as in retail calendars, where some years have 53 weeks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

_PATTERN = (4, 4, 5)  # weeks

_QUARTER_WEEKS = sum(_PATTERN)

_MIN_YEARS_BETWEEN_LEAPS = 4

_PERIODS_PER_YEAR = 12


def infer_week_pattern(days: np.ndarray) -> dict[str, Any] | None:
    """Return the rule of dates that are 4, 4 and 5 weeks apart; None if they are not.

    One period in five or six years is a week longer: `leaps` has the indices of these periods.

    Args:
        days: datetime64[D], sorted and distinct.

    Example:
        >>> first = np.datetime64("2024-01-27")
        >>> infer_week_pattern(first + 7 * np.cumsum([0, 4, 5, 4, 4, 5, 4]))
        {'unit': 'week pattern', 'step': 1, 'start': '2024-01-27T00:00:00.000000', 'pattern': [4, 5, 4], 'leaps': []}
    """
    gaps: Any = np.diff(days).astype("int64")
    if len(gaps) < 2 * len(_PATTERN) or (gaps % 7 != 0).any():
        return None
    weeks = gaps // 7
    best: tuple[int, list[int], np.ndarray] | None = None
    for rotation in range(len(_PATTERN)):
        pattern = [*_PATTERN[rotation:], *_PATTERN[:rotation]]
        extra = weeks - np.resize(pattern, len(weeks))
        if np.isin(extra, (0, 1)).all() and (best is None or extra.sum() < best[0]):
            best = (int(extra.sum()), pattern, np.flatnonzero(extra))
    if best is None or best[0] > 1 + len(weeks) // (_MIN_YEARS_BETWEEN_LEAPS * _PERIODS_PER_YEAR):
        return None
    start = str(days[0].astype("datetime64[us]"))
    return {"unit": "week pattern", "step": 1, "start": start, "pattern": best[1], "leaps": best[2].tolist()}


def to_days(time_indices: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Return the date of each time index, datetime64[D]."""
    pattern = rule["pattern"]
    offsets = np.concatenate([[0], np.cumsum(pattern)])[:-1]
    quarters, remainders = np.divmod(np.asarray(time_indices, "int64"), len(pattern))
    weeks = quarters * _QUARTER_WEEKS + offsets[remainders]
    weeks = weeks + np.searchsorted(np.array(rule["leaps"], "int64"), time_indices, side="left")
    return np.datetime64(rule["start"], "D") + 7 * weeks


def to_indices(days: np.ndarray, rule: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the time index of each date, and whether the date is not exactly that of the index."""
    elapsed: Any = (days - np.datetime64(rule["start"], "D")).astype("int64")
    low, high = int(elapsed.min()) // 28 - 1, int(elapsed.max()) // 28 + 2
    candidates = np.arange(low, high + 1)
    dates = to_days(candidates, rule)
    positions = np.clip(np.searchsorted(dates, days), 0, len(dates) - 1)
    return candidates[positions].astype(float), dates[positions] != days
