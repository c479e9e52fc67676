"""Analyze a forecast: error and coverage by horizon, example windows, and the future."""

from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel
from tfkit.data.forecasting.features import series_timestamps
from tfkit.data.forecasting.reading import last_windows
from tfkit.datasets.batch_predict import predict
from tfkit.evaluation.baselines.forecasting import naive, seasonal_naive

MAX_WINDOWS = 4  # windows in figures

PAST_HORIZONS = 2.0  # past values in figures, in horizons


def forecasts(fitted: FittedModel) -> dict[str, Any]:
    """Return errors and coverage by step, the last windows, and the forecast after the end of the series."""
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
    analysis["future"] = _future(fitted)
    return analysis


def _future(fitted: FittedModel) -> list[dict[str, Any]]:
    """Return the forecasts after the end of the series; none if they need known covariates, which are not given."""
    metadata: Any = fitted.metadata
    grid = getattr(fitted.test, "grid", None)
    if grid is None or metadata.known_covariates:
        return []
    raw, codes, starts = last_windows(grid, grid, metadata)
    raw = {name: values[:MAX_WINDOWS] for name, values in raw.items()}
    outputs = predict(fitted.inference_model, raw)
    past, examples = _past_steps(metadata), []
    for values, code, start, quantiles in zip(raw["values"], codes, starts, outputs, strict=False):
        time_index = np.arange(start - past, start + metadata.horizon)
        times = series_timestamps(grid.names, np.full(len(time_index), code), time_index, metadata)
        examples.append(
            {
                "series": str(grid.names[code]),
                "times": times.iloc[:, -1].astype(str).tolist(),
                "past": _to_json(values[-past:]),
                "y_true": [None] * metadata.horizon,
                "quantile_forecasts": [_to_json(quantile) for quantile in quantiles.T],
            }
        )
    return examples


def _past_steps(metadata: Any) -> int:
    """Return the number of past steps in a figure."""
    return min(metadata.context_length, max(int(PAST_HORIZONS * metadata.horizon), metadata.season_length))


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
    past = _past_steps(metadata)
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
    """Convert values to a list, with nine significant digits and None instead of NaN."""
    return [float(f"{v:.9g}") if np.isfinite(v) else None for v in np.asarray(values, "float64")]
