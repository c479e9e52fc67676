"""Calibrate prediction intervals on validation windows by conformalized quantile regression."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.forecasting.preprocessing import make_postprocessor

if TYPE_CHECKING:
    import keras

MIN_HORIZONS = 10  # non-overlapping validation horizons that are needed to make an interval narrower

WINDOWS_PER_CHUNK = 8192

MIN_DEGREES_OF_FREEDOM = 3  # of Student's t distribution: the steps of one horizon are not one value

MAX_NARROWING = 0.5  # of the median half width of an interval


def calibrate_intervals(model: Any, data: Any, *, reference: Any = None) -> "keras.Model":
    """Return the postprocessing model whose intervals have nominal coverage on the validation windows.

    Values of nearby times are correlated, so the number of independent values is the number of non-overlapping
    horizons, however many windows cover them, times the square root of the number of series, which are correlated too.
    If there are fewer than MIN_HORIZONS, an interval may only become
    wider: on small data models are overconfident.

    Args:
        model: The trained network.
        data: Its data.
        reference: The network before it was trained again on the validation windows too. Their errors are then those of
            training; each interval gets the mean width that the intervals of the reference need.
    """
    metadata = data.metadata
    begin, end = metadata.splits["val"]
    num_series = max(1, len(metadata.series.names) - len(metadata.series.excluded))
    independent = int((end - begin) // metadata.horizon * num_series**0.5)
    outputs, values, scales = _predict_val(model if reference is None else reference, data)
    margins = {
        unit: conformal_margins(values, outputs, metadata.quantiles, scale=scale, independent=independent)
        for unit, scale in scales.items()
    }
    unit = min(margins, key=lambda unit: _mean_log_width(outputs, margins[unit], scales[unit]))
    if reference is None:
        return make_postprocessor(metadata, margins[unit], unit)
    matched = _match_widths(_predict_val(model, data)[0], outputs, margins[unit], scales[unit])
    return make_postprocessor(metadata, matched, unit)


def conformal_margins(
    values: np.ndarray,
    y_pred: np.ndarray,
    quantiles: Sequence[float],
    *,
    scale: np.ndarray | None = None,
    independent: int | None = None,
) -> list[float]:
    """Compute margins that give each prediction interval its nominal coverage on these values.

    Conformalized quantile regression (Romano et al. 2019, https://arxiv.org/abs/1905.03222): the score of a value is
    its distance to the interval, negative inside. The margin of an interval is the quantile of these scores at its
    nominal coverage, corrected for few independent values: `coverage * (1 + 1 / independent)`, but at most halfway
    between the coverage and 1. Below MIN_HORIZONS independent values the interval is also at least as wide as that of
    Student's t distribution with the root mean squared error.

    Args:
        values: `(windows, horizon)`, NaN where unknown.
        y_pred: `(windows, horizon, quantiles)`.
        quantiles: Ascending, the median in the middle.
        scale: The unit of the margins of each window `(windows,)`; None for 1.
        independent: Number of independent values; None for all.

    Returns:
        A margin for each interval, the widest first.

    Example:
        >>> y_pred = np.tile([-1.0, 0.0, 1.0], (1, 100, 1))
        >>> conformal_margins(np.linspace(-2, 2, 100)[None], y_pred, [0.1, 0.5, 0.9])
        [0.63...]
    """
    y_pred, half = np.sort(y_pred.astype("float64"), axis=-1), len(quantiles) // 2
    unit = np.ones(len(values)) if scale is None else scale
    is_known = np.isfinite(values) & (unit > 0)[:, None]
    unit = np.where(unit > 0, unit, 1.0)[:, None]
    margins: list[float] = []
    for i in range(half):
        low, high = y_pred[..., i], y_pred[..., -1 - i]
        scores = (np.maximum(low - values, values - high) / unit)[is_known]
        coverage = quantiles[-1 - i] - quantiles[i]
        coverage = min(coverage * (1 + 1 / (independent or max(1, len(scores)))), (1 + coverage) / 2)
        margin = float(np.quantile(scores, coverage, method="higher")) if len(scores) else 0.0
        narrowest = 0.0
        half_width = float(np.median(((high - low) / 2 / unit)[is_known])) if len(scores) else 0.0
        if independent is None or independent >= MIN_HORIZONS or not len(scores):
            narrowest = -MAX_NARROWING * half_width
        else:
            errors = ((values - y_pred[..., half]) / unit)[is_known]
            margin = max(margin, _few_errors_half_width(errors, quantiles[-1 - i], independent) - half_width)
        margins.append(max(margin, narrowest))
    return margins


def _few_errors_half_width(errors: np.ndarray, quantile: float, independent: int) -> float:
    """Return the half width by Student's t distribution, where errors are too few for their quantiles."""
    from scipy import stats

    degrees = max(MIN_DEGREES_OF_FREEDOM, independent)
    return float(stats.t.ppf(quantile, degrees) * np.sqrt(np.mean(np.square(errors)) * (1 + 1 / degrees)))


def _predict_val(model: Any, data: Any) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return outputs of the network, targets in the same unit, and each unit of each validation window."""
    from tfkit.datasets.batch_predict import predict

    chunks = np.array_split(np.arange(len(data.val)), max(1, len(data.val) // WINDOWS_PER_CHUNK))
    outputs = np.concatenate([predict(model, data.val.take(indices)[0]) for indices in chunks])
    past = [data.val.raw_inputs(indices)["values"] for indices in chunks]
    targets = data.val.targets()["values"]
    scales = {
        "std": np.concatenate([values.std(axis=1) for values in past]),
        "level": np.concatenate([np.abs(values).mean(axis=1) for values in past]),
    }
    if data.metadata.is_relative:  # as the outputs are
        targets = targets - np.concatenate([values[:, -1:] for values in past])
        del scales["level"]
    return outputs, targets, scales


def _mean_log_width(outputs: np.ndarray, margins: Sequence[float], scale: np.ndarray) -> float:
    """Return the mean logarithm of the widths of the intervals, a score in which all series count the same."""
    ordered = np.sort(outputs.astype("float64"), axis=-1)
    widths = (ordered[..., ::-1] - ordered)[..., : len(margins)] + 2 * scale[:, None, None] * np.array(margins)
    return float(np.log(np.maximum(widths, 1e-12)).mean()) if widths.size else 0.0


def _match_widths(
    outputs: np.ndarray, reference: np.ndarray, margins: Sequence[float], scale: np.ndarray
) -> list[float]:
    """Return the margins that give the outputs the mean widths of the calibrated reference."""
    is_known = scale > 0
    if not is_known.any():
        return list(margins)
    arrays = [np.sort(predictions[is_known].astype("float64"), axis=-1) for predictions in (outputs, reference)]
    half_widths = [(array[..., ::-1] - array) / 2 / scale[is_known, None, None] for array in arrays]
    difference = (half_widths[1] - half_widths[0]).mean(axis=(0, 1))
    return [float(margin + difference[i]) for i, margin in enumerate(margins)]
