"""How a forecast fares step by step into the future, and what its last windows look like."""

from typing import Any

import numpy as np

from tfkit.baselines.forecasts import naive, seasonal_naive
from tfkit.report.evidence.trained import Trained

WINDOWS = 4  # drawn
PAST = 2.0  # horizons of the past that are drawn


def forecasts(trained: Trained) -> dict[str, Any]:
    """Error and coverage at each step, beside the naive forecasts; and the last windows with their past."""
    info, test = trained.info, trained.test
    truth, answer = trained.said["test"]
    values, middle = truth["values"], answer[..., len(info["quantiles"]) // 2]
    found: dict[str, Any] = {"windows": len(values), "error": {"model": _mean(np.abs(values - middle))}}
    for baseline in (naive, seasonal_naive):
        found["error"][baseline.__name__] = _mean(np.abs(values - baseline(test, test, info)))
    found["coverage"] = {
        f"{info['quantiles'][-1 - i] - info['quantiles'][i]:.2f}": _inside(values, answer[..., i], answer[..., -1 - i])
        for i in range(len(info["quantiles"]) // 2)
    }
    found["fans"] = [_fan(trained, int(window)) for window in _last(test)]
    return found


def _last(test: Any) -> np.ndarray:
    """The last windows that do not overlap, of one series each where there are several."""
    apart = test.apart()
    codes = test.series[test.origins[apart]]
    if len(np.unique(codes)) > 1:
        return np.array([apart[codes == code][-1] for code in np.unique(codes)[:WINDOWS]])
    return apart[-WINDOWS:]


def _fan(trained: Trained, window: int) -> dict[str, Any]:
    """Past, truth and answers of a window, with its series and times."""
    info, test = trained.info, trained.test
    truth, answer = trained.said["test"]
    past = min(info["past"], max(int(PAST * info["horizon"]), info["season"]))
    stamps = test.stamps(np.array([window]))
    return {
        "series": str(info["series"]["names"][int(truth["series"][window])]),
        "begins": str(stamps.iloc[0, -1]),
        "ends": str(stamps.iloc[-1, -1]),
        "past": _plain(test.raw(np.array([window]))["values"][0][-past:]),
        "truth": _plain(truth["values"][window]),
        "answer": [_plain(one) for one in answer[window].T],
    }


def _mean(errors: np.ndarray) -> list[float | None]:
    """The mean of each step over the windows that know it."""
    known = np.isfinite(errors)
    counts = known.sum(0)
    return _plain(np.where(counts > 0, np.where(known, errors, 0).sum(0) / np.maximum(counts, 1), np.nan))


def _inside(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[float | None]:
    return _mean(np.where(np.isfinite(values), (low <= values) & (values <= high), np.nan))


def _plain(values: Any) -> list[float | None]:
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in np.asarray(values, "float64")]
