"""Infer the step between the times of series."""

from typing import Any

import numpy as np

from tfkit.data.columns.dates import to_local
from tfkit.data.columns.frequencies.days import DAY_SECONDS, infer_month_rule, to_months, weekday
from tfkit.data.columns.frequencies.week_pattern import infer_week_pattern
from tfkit.errors import UserError

MIN_MONTH_SECONDS = 27.5 * DAY_SECONDS

_WEEKEND_GAP_SECONDS = 3 * DAY_SECONDS  # from Friday to Monday

_MIN_WEEKS = 3  # of days without a day of the week, if that is not a weekend

_BUSINESS_DAYS = "1111100"


def infer_frequency(times: np.ndarray, series: np.ndarray, zone: str | None = None) -> dict[str, Any]:
    """Infer the most frequent step between the rows of a series, a rule of the calendar where there is one.

    Args:
        times: datetime64[us] in UTC, or numbers; sorted and unique within each series.
        series: The series index of each row.
        zone: Time zone of the times; steps of days and longer are steps of the local calendar.

    Returns:
        A rule for JSON: `unit` (second, business day, month, week pattern, number), `step`, the number of units,
        `start`, the parameters of the unit, and `zone`, if any. `is_local`: steps and `start` are in local time.

    Raises:
        UserError: If no series has two times.

    Example:
        >>> infer_frequency(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[us]"), np.zeros(3))
        {'unit': 'month', 'step': 1, 'start': '2024-01-31T00:00:00.000000', 'day': 31}
    """
    is_same_series = series[1:] == series[:-1]
    differences = (times[1:] - times[:-1])[is_same_series]
    if not len(differences):
        raise UserError(
            "There must be at least two rows in a series, to infer the time step. "
            f"Received: {len(times):,} rows, one of each series"
        )
    if times.dtype.kind != "M":
        return {"unit": "number", "step": float(_mode(differences)), "start": float(times.min())}
    if zone is None:
        return _infer_calendar_step(times, is_same_series)
    local = to_local(times, zone)
    steps = np.diff(local)[is_same_series].astype("int64")
    if _mode(steps) >= DAY_SECONDS * 10**6:
        return {**_infer_calendar_step(local, is_same_series), "zone": zone, "is_local": True}
    return {**_infer_calendar_step(times, is_same_series), "zone": zone, "is_local": False}


def _infer_calendar_step(times: np.ndarray, is_same_series: np.ndarray) -> dict[str, Any]:
    seconds = np.diff(times)[is_same_series].astype("int64") / 1e6
    if np.median(seconds) >= MIN_MONTH_SECONDS:
        rule = _infer_months(times, is_same_series)
        if rule:
            return rule
    step = _mode(seconds)
    start = str(times.min())
    if step == DAY_SECONDS and (weekmask := _infer_weekmask(times, seconds)):
        rule = {"unit": "business day", "step": 1, "start": start}
        return rule if weekmask == _BUSINESS_DAYS else {**rule, "weekmask": weekmask}
    return {"unit": "second", "step": int(step) if step >= 1 else float(step), "start": start}


def _infer_months(times: np.ndarray, is_same_series: np.ndarray) -> dict[str, Any] | None:
    """Return the rule of steps of months, or of four and five weeks; None if the times have neither."""
    rule = infer_month_rule(times)
    if rule is None:
        return infer_week_pattern(np.unique(times.astype("datetime64[D]")))
    months = np.diff(to_months(times))[is_same_series]
    return {"unit": "month", "step": max(1, int(_mode(months))), "start": str(times.min()), **rule}


def _infer_weekmask(times: np.ndarray, seconds: np.ndarray) -> str:
    """Return which days of the week occur, from Monday, such as 1111100; "" if all do, or the rows are too few."""
    counts = np.bincount(weekday(times), minlength=7)
    weekmask = "".join("1" if count else "0" for count in counts)
    if weekmask == "1111111" or len(times) <= 5:
        return ""
    if counts[:5].any() and not counts[5:].any():
        return _BUSINESS_DAYS if (seconds >= _WEEKEND_GAP_SECONDS).any() else ""
    is_long = times.max() - times.min() >= np.timedelta64(7 * _MIN_WEEKS, "D")
    is_regular = counts[counts > 0].min() >= _MIN_WEEKS
    return weekmask if is_long and is_regular and weekmask.count("1") >= 2 else ""


def _mode(values: np.ndarray) -> Any:
    """Return the most frequent value."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[counts.argmax()]
