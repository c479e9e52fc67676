"""Sums, means and ratios of rows as functions of sample weights.

Weights are a matrix `(rows, samples)`: a column of ones gives the metric itself; a thousand columns that count how
often each row was resampled give its bootstrap. A metric sorts and groups rows once and afterwards only adds weights.
"""

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray], dict[str, np.ndarray]]  # weights (rows, samples) -> values (samples,) by name


def group_sums(groups: np.ndarray, num: int, rows: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from weights `(rows, samples)` to sums `(num, samples)`.

    Only rows in the mask `rows` count, if it is given.
    """
    indices = np.arange(len(groups)) if rows is None else np.flatnonzero(rows)
    order = indices[np.argsort(groups[indices], kind="stable")]
    present, starts = np.unique(groups[order], return_index=True)

    def add(weights: np.ndarray) -> np.ndarray:
        total = np.zeros((num, weights.shape[1]))
        if len(order):
            total[present] = np.add.reduceat(weights[order], starts, axis=0)
        return total

    return add


def ratio(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    """Divide; where the denominator is 0, return 0 if `defined`, else NaN."""
    is_nonzero = denominator != 0
    quotient = np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=is_nonzero)
    return np.where(is_nonzero if defined is None else defined, quotient, np.nan)


def finite_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis, ignoring values that are not finite."""
    is_finite = np.isfinite(values)
    return ratio(np.where(is_finite, values, 0).sum(0), is_finite.sum(0))
