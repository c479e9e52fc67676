"""Choose between day first and month first by the steps between the dates."""

from typing import Any

import numpy as np


def prefers_second(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether the second of two readings of the same cells is the more likely.

    The reading with the more regular steps wins; then the one whose dates are in order; then the one whose dates are
    first days of months, because 01/01, 01/02, ..., 01/12 are more likely a year of months than twelve days; then the
    one with more days of the month.

    Args:
        first, second: datetime64[us] of distinct cells in the order of the rows; NaT where a cell is not a date.

    Example:
        >>> month_first = np.array(["2023-01-01", "2023-01-02", "2023-01-03"], "datetime64[us]")
        >>> day_first = np.array(["2023-01-01", "2023-02-01", "2023-03-01"], "datetime64[us]")
        >>> prefers_second(month_first, day_first), prefers_second(day_first, month_first)
        (True, False)
    """
    scores = [_score(times[~np.isnat(times)]) for times in (first, second)]
    return scores[1] > scores[0]


def _score(times: np.ndarray) -> tuple[float, float, bool, int]:
    """Return regularity of steps, share of steps in one direction, whether all are first days, number of days."""
    if len(times) < 3:
        return (0.0, 0.0, False, 0)
    distinct = np.unique(times)
    months: Any = distinct.astype("datetime64[M]")
    days = np.unique((distinct.astype("datetime64[D]") - months.astype("datetime64[D]")).astype("int64"))
    regularity = _share_of_mode(np.diff(distinct.astype("int64")))
    if len(days) == 1 and len(np.unique(months)) == len(distinct):  # one time in each month
        regularity = max(regularity, _share_of_mode(np.diff(np.unique(months).astype("int64"))))
    steps = np.diff(times.astype("int64"))
    in_order = max(float((steps >= 0).mean()), float((steps <= 0).mean()))
    return (round(regularity, 2), round(in_order, 2), days.tolist() == [0] and len(np.unique(months)) > 1, len(days))


def _share_of_mode(differences: np.ndarray) -> float:
    """Return the fraction of the most frequent difference."""
    if not len(differences):
        return 1.0
    return float(np.unique(differences, return_counts=True)[1].max() / len(differences))
