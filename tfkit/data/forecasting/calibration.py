"""Calibrate prediction intervals on validation windows by conformalized quantile regression."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.forecasting.preprocessing import make_postprocessor

if TYPE_CHECKING:
    import keras

MIN_HORIZONS = 10  # non-overlapping validation horizons that are needed to make an interval narrower

WINDOWS_PER_CHUNK = 8192


def calibrate_intervals(model: Any, data: Any) -> "keras.Model":
    """Return the postprocessing model whose intervals have nominal coverage on the validation windows.

    Values of nearby times are correlated, so the number of independent values is the number of non-overlapping
    horizons, however many windows cover them. If there are fewer than MIN_HORIZONS, an interval may only become
    wider: on small data models are overconfident.
    """
    from tfkit.datasets.batch_predict import predict

    metadata = data.metadata
    begin, end = metadata.splits["val"]
    num_horizons = (end - begin) // metadata.horizon
    chunks = np.array_split(np.arange(len(data.val)), max(1, len(data.val) // WINDOWS_PER_CHUNK))
    y_pred = np.concatenate([predict(model, data.val.take(indices)[0]) for indices in chunks])
    values, quantiles = data.val.targets()["values"], metadata.quantiles
    factors = conformal_scale_factors(values, y_pred, quantiles, independent=num_horizons)
    if num_horizons < MIN_HORIZONS:
        factors = [max(1.0, factor) for factor in factors]
    return make_postprocessor(metadata, factors)


def conformal_scale_factors(
    values: np.ndarray, y_pred: np.ndarray, quantiles: Sequence[float], *, independent: int | None = None
) -> list[float]:
    """Compute scale factors that give each prediction interval its nominal coverage on these values.

    Conformalized quantile regression (Romano et al. 2019, https://arxiv.org/abs/1905.03222): the score of a value is
    the factor by which the distances of its interval from the median must be multiplied to reach the value. The factor
    of an interval is the quantile of these scores at its nominal coverage, corrected for few independent values:
    `coverage * (1 + 1 / independent)`, but at most halfway between the coverage and 1.

    Args:
        values: `(windows, horizon)`, NaN where unknown.
        y_pred: `(windows, horizon, quantiles)`.
        quantiles: Ascending, the median in the middle.
        independent: Number of independent values; None for all.

    Returns:
        A factor for each interval, the widest first.

    Example:
        >>> y_pred = np.tile([-1.0, 0.0, 1.0], (1, 100, 1))
        >>> conformal_scale_factors(np.linspace(-2, 2, 100)[None], y_pred, [0.1, 0.5, 0.9])
        [1.63...]
    """
    y_pred = np.sort(y_pred.astype("float64"), axis=-1)
    median, is_finite = y_pred[..., len(quantiles) // 2], np.isfinite(values)
    factors = []
    for i in range(len(quantiles) // 2):
        distance = values - median
        half_width = np.where(distance < 0, median - y_pred[..., i], y_pred[..., -1 - i] - median)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(distance == 0, 0.0, np.abs(distance) / half_width)[is_finite]
        coverage = quantiles[-1 - i] - quantiles[i]
        coverage = min(coverage * (1 + 1 / (independent or max(1, len(scores)))), (1 + coverage) / 2)
        factor = float(np.quantile(scores, coverage, method="higher")) if len(scores) else 1.0
        factors.append(factor if np.isfinite(factor) else 1.0)
    return factors
