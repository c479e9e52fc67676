"""Find the time series with the largest errors."""

from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel

MAX_SERIES, MAX_STEPS, MAX_CHANNELS = 6, 150, 4


def worst_series(fitted: FittedModel) -> dict[str, Any]:
    """Return the test series with the largest errors, with label and prediction."""
    y_true, y_pred = fitted.predictions["test"]
    rows, num_wrong = fitted.worst_rows(y_true, y_pred, MAX_SERIES)
    worst = []
    for row in rows.tolist():
        values = {"values": _subsampled(fitted, row)}
        worst.append(values | fitted.label_and_prediction(y_true[row], y_pred[row]))
    channels = [str(name) for name in fitted.metadata.series.channels][:MAX_CHANNELS]
    return {"worst": worst, "num_wrong": num_wrong, "channels": channels}


def _subsampled(fitted: FittedModel, row: int) -> list[list[float | None]]:
    """Return evenly spaced steps of the first channels; None if missing."""
    values = np.asarray(next(iter(fitted.test.raw_inputs(np.array([row])).values())))[0]
    valid = np.flatnonzero(np.isfinite(values).any(axis=1))
    values = values[: valid[-1] + 1 if len(valid) else 1, :MAX_CHANNELS]
    values = values[np.unique(np.linspace(0, len(values) - 1, min(MAX_STEPS, len(values))).round().astype(int))]
    return [[float(f"{v:.5g}") if np.isfinite(v) else None for v in channel] for channel in values.T]
