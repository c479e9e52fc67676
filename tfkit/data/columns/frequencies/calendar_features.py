"""Infer the frequency of time series; convert timestamps to time indices and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.errors import UserError

DAY_SECONDS = 86_400

CALENDAR_PERIODS = {"hour": 24.0, "weekday": 7.0, "yearday": 365.25}  # of the calendar features

CALENDAR_DAYS = {"hour": 1, "weekday": 7, "yearday": 365}  # days in a period

MIN_MONTH_SECONDS = 27.5 * DAY_SECONDS

_WEEKEND_GAP_SECONDS = 3 * DAY_SECONDS  # from Friday to Monday


def infer_frequency(times: np.ndarray, series: np.ndarray) -> dict[str, Any]:
    """Infer the most frequent step between the rows of a series.

    Args:
        times: datetime64[us], or numbers; sorted and unique within each series.
        series: The series index of each row.

    Returns:
        A rule for JSON: `unit` (second, business day, month, number), `step`, the number of units, and `start`.

    Raises:
        UserError: If no series has two times.

    Example:
        >>> infer_frequency(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[us]"), np.zeros(3))
        {'unit': 'month', 'step': 1, 'start': '2024-01-31T00:00:00.000000', 'end': True}
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
    start = str(times.min())
    seconds = differences.astype("int64") / 1e6
    if np.median(seconds) >= MIN_MONTH_SECONDS:
        is_month_end = bool(_is_last_of_month(times).all())
        days = np.unique(_day_of_month(times))
        if is_month_end or len(days) == 1:
            months = np.diff(_months(times))[is_same_series]
            return {"unit": "month", "step": int(_mode(months)), "start": start, "end": is_month_end}
    step = _mode(seconds)
    weekdays = _weekday(times)
    if step == DAY_SECONDS and len(times) > 5 and weekdays.max() < 5 and (seconds >= _WEEKEND_GAP_SECONDS).any():
        return {"unit": "business day", "step": 1, "start": start}
    return {"unit": "second", "step": int(step) if step >= 1 else float(step), "start": start}


def to_time_index(times: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert times to time indices `(rows,)` int64, the steps since the start.

    Raises:
        UserError: If times are between the steps; the message names the first.
    """
    if rule["unit"] == "month":
        start = np.array([rule["start"]], "datetime64[us]")
        steps = (_months(times) - _months(start)[0]) / rule["step"]
        is_off_grid = steps % 1 != 0
        is_off_grid |= ~_is_last_of_month(times) if rule["end"] else _day_of_month(times) != _day_of_month(start)[0]
    elif rule["unit"] == "business day":
        days: np.ndarray = times.astype("datetime64[D]")
        steps = np.busday_count(np.datetime64(rule["start"], "D"), days).astype(float)
        is_off_grid = ~np.is_busday(days)
    else:
        start = rule["start"] if rule["unit"] == "number" else np.datetime64(rule["start"])
        elapsed = times - start if rule["unit"] == "number" else (times - start).astype("int64") / 1e6
        steps = elapsed / rule["step"]
        is_off_grid = np.abs(steps - np.round(steps)) > 1e-3
    if is_off_grid.any():
        first = times[is_off_grid][0]
        raise UserError(
            f"Times must be evenly spaced; resample the table to one frequency first. Received: steps of "
            f"{format_frequency(rule)}, and {int(is_off_grid.sum()):,} of {len(times):,} times between them, the first "
            f"{format_timestamp(first)}"
        )
    return np.round(steps).astype("int64")


def to_timestamps(time_indices: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert time indices to times: datetime64[us], or numbers.

    Example:
        >>> rule = {"unit": "month", "step": 1, "start": "2024-01-31", "end": True}
        >>> [str(timestamp)[:10] for timestamp in to_timestamps(np.array([0, 1, 2]), rule)]
        ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    time_indices = np.asarray(time_indices)
    if rule["unit"] == "number":
        return rule["start"] + time_indices * rule["step"]
    start: Any = np.datetime64(rule["start"], "us")
    if rule["unit"] == "month":
        start_month: Any = start.astype("datetime64[M]")
        time_of_day = start - start.astype("datetime64[D]")
        months = start_month + time_indices * rule["step"]
        day_offset = start.astype("datetime64[D]") - start_month.astype("datetime64[D]")
        last_days = (months + 1).astype("datetime64[D]") - 1
        days = last_days if rule["end"] else months.astype("datetime64[D]") + day_offset
        return days.astype("datetime64[us]") + time_of_day
    if rule["unit"] == "business day":
        business_days: Any = np.busday_offset(start.astype("datetime64[D]"), time_indices, roll="forward")
        return business_days.astype("datetime64[us]") + (start - start.astype("datetime64[D]"))
    return start + np.round(time_indices * rule["step"] * 1e6).astype("int64").astype("timedelta64[us]")


def season_length(rule: Mapping[str, Any]) -> int:
    """Return the usual season length in steps.

    That is 24 hours, 7 days, 5 business days, 52 weeks or 12 months; else 1.
    """
    unit, step = rule["unit"], rule["step"]
    if unit == "month":
        return max(1, 12 // step) if 12 % step == 0 else 1
    if unit == "business day":
        return 5
    if unit == "number":
        return 1
    for cycle in (DAY_SECONDS, 7 * DAY_SECONDS, 364 * DAY_SECONDS):
        if step < cycle and cycle % step == 0:
            return int(cycle // step)
    return 1


def learnable_calendar_features(rule: Mapping[str, Any], steps: int) -> list[str]:
    """Return the calendar features with at least two periods in so many steps.

    Features with fewer periods cannot be learned.

    Example:
        >>> learnable_calendar_features({"unit": "second", "step": 3600}, 24 * 365)
        ['hour', 'weekday']
    """
    if rule["unit"] == "number":
        return []
    days_per_step = {"month": 30.4, "business day": 1.4}.get(rule["unit"], 1 / DAY_SECONDS) * rule["step"]
    return [
        name
        for name, period in CALENDAR_DAYS.items()
        if 2 * days_per_step <= period and 2 * period <= steps * days_per_step
    ]


def calendar_features(times: np.ndarray, names: list[str]) -> np.ndarray:
    """Compute calendar features `(times, names)` float32.

    The features are hour from 0, weekday from 0 (Monday) and yearday from 0.
    """
    day: Any = times.astype("datetime64[D]")
    features = {
        "weekday": lambda: _weekday(times),
        "hour": lambda: (times - day).astype("int64") / 3.6e9,
        "yearday": lambda: (day - day.astype("datetime64[Y]")).astype("int64"),
    }
    return np.stack([features[name]() for name in names], axis=1).astype("float32")


def format_frequency(rule: Mapping[str, Any]) -> str:
    """Format a frequency as text.

    Example:
        >>> format_frequency({"unit": "second", "step": 3600}), format_frequency({"unit": "month", "step": 3})
        ('1 hour', '3 months')
    """
    unit, step = rule["unit"], rule["step"]
    if unit == "second":
        unit, size = next(
            (
                (name, size)
                for name, size in (("week", 7 * DAY_SECONDS), ("day", DAY_SECONDS), ("hour", 3600), ("minute", 60))
                if step % size == 0
            ),
            ("second", 1),
        )
        step = step / size
    if unit == "number":
        return f"{step:g}"
    return f"{step:g} {unit}{'' if step == 1 else 's'}"


def format_timestamp(timestamp: Any) -> str:
    """Format a time: the date, with the time of day unless it is midnight."""
    if np.asarray(timestamp).dtype.kind != "M":
        return f"{float(timestamp):g}"
    text = str(np.datetime64(timestamp, "us")).replace("T", " ")
    return text.removesuffix(".000000").removesuffix(" 00:00:00")


def _mode(values: np.ndarray) -> Any:
    """Return the most frequent value."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[counts.argmax()]


def _months(times: np.ndarray) -> np.ndarray:
    return times.astype("datetime64[M]").astype("int64")


def _day_of_month(times: np.ndarray) -> np.ndarray:
    """Return the day of the month, from 0."""
    return (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype("int64")


def _is_last_of_month(times: np.ndarray) -> np.ndarray:
    return (times.astype("datetime64[D]") + 1).astype("datetime64[M]") != times.astype("datetime64[M]")


def _weekday(times: np.ndarray) -> np.ndarray:
    return (times.astype("datetime64[D]").astype("int64") + 3) % 7  # 1970-01-01 was a Thursday
