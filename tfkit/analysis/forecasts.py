"""Analyze a forecast: error and coverage by horizon, and example windows."""

from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel
from tfkit.evaluation.baselines.forecasting import naive, seasonal_naive

MAX_WINDOWS = 4  # windows in figures

PAST_HORIZONS = 2.0  # past values in figures, in horizons


def forecasts(fitted: FittedModel) -> dict[str, Any]:
    """Return errors and coverage by step, and the last windows."""
    metadata, test = fitted.metadata, fitted.test
    y_true, y_pred = fitted.predictions["test"]
    values, middle = y_true["values"], y_pred[..., len(metadata.quantiles) // 2]
    analysis: dict[str, Any] = {"windows": len(values), "error": {"model": _mean_by_step(np.abs(values - middle))}}
    for baseline in (naive, seasonal_naive):
        analysis["error"][baseline.__name__] = _mean_by_step(np.abs(values - baseline(test, test, metadata)))
    quantiles = metadata.quantiles
    analysis["coverage"] = {
        f"{quantiles[-1 - i] - quantiles[i]:.2f}": _coverage_by_step(values, y_pred[..., i], y_pred[..., -1 - i])
        for i in range(len(quantiles) // 2)
    }
    analysis["examples"] = [_example(fitted, int(window)) for window in _last_windows(test)]
    return analysis


def _last_windows(test: Any) -> np.ndarray:
    """Return the last non-overlapping windows; one of each of several series."""
    windows = test.non_overlapping()
    codes = test.series[test.forecast_starts[windows]]
    if len(np.unique(codes)) > 1:
        return np.array([windows[codes == code][-1] for code in np.unique(codes)[:MAX_WINDOWS]])
    return windows[-MAX_WINDOWS:]


def _example(fitted: FittedModel, window: int) -> dict[str, Any]:
    """Return past, targets, predictions, series and the times of all their steps."""
    metadata, test = fitted.metadata, fitted.test
    y_true, y_pred = fitted.predictions["test"]
    past = min(metadata.context_length, max(int(PAST_HORIZONS * metadata.horizon), metadata.season_length))
    start = int(test.forecast_starts[window])
    times = test.lookup_timestamps(np.arange(start - past, start + metadata.horizon)).iloc[:, -1].astype(str).tolist()
    return {
        "series": str(metadata.series.names[int(y_true["series"][window])]),
        "times": times,
        "past": _to_json(test.raw_inputs(np.array([window]))["values"][0][-past:]),
        "y_true": _to_json(y_true["values"][window]),
        "quantile_forecasts": [_to_json(quantile) for quantile in y_pred[window].T],
    }


def _mean_by_step(errors: np.ndarray) -> list[float | None]:
    """Return the mean of each step over the windows where it is not missing."""
    is_finite = np.isfinite(errors)
    counts = is_finite.sum(0)
    return _to_json(np.where(counts > 0, np.where(is_finite, errors, 0).sum(0) / np.maximum(counts, 1), np.nan))


def _coverage_by_step(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[float | None]:
    return _mean_by_step(np.where(np.isfinite(values), (low <= values) & (values <= high), np.nan))


def _to_json(values: np.ndarray) -> list[float | None]:
    """Convert values to a list, with six significant digits and None instead of NaN."""
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in np.asarray(values, "float64")]
