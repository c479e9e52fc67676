"""Convert times to time indices and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.dates import to_local, to_utc
from tfkit.data.columns.frequencies import week_pattern
from tfkit.data.columns.frequencies.days import days_in_months, is_on_rule, to_months
from tfkit.data.columns.frequencies.text import format_frequency, format_timestamp
from tfkit.errors import UserError

_BUSINESS_DAYS = "1111100"


def to_time_index(times: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert times to time indices `(rows,)` int64, the steps since the start.

    Args:
        times: datetime64[us] in UTC, or numbers.
        rule: Result of `infer_frequency`.

    Raises:
        UserError: If times are between the steps; the message names the first.
    """
    grid_times = to_local(times, rule.get("zone")) if rule.get("is_local") else times
    steps, is_off_grid = _to_steps(grid_times, rule)
    if is_off_grid.any():
        raise UserError(
            f"Times must be evenly spaced; resample the table to one frequency first. Received: steps of "
            f"{format_frequency(rule)}, and {int(is_off_grid.sum()):,} of {len(times):,} times between them, the first "
            f"{format_timestamp(grid_times[is_off_grid][0])}"
        )
    return np.round(steps).astype("int64")


def to_timestamps(time_indices: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert time indices to times: datetime64[us] in UTC, or numbers.

    Example:
        >>> rule = {"unit": "month", "step": 1, "start": "2024-01-31", "day": 31}
        >>> [str(timestamp)[:10] for timestamp in to_timestamps(np.array([0, 1, 2]), rule)]
        ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    time_indices = np.asarray(time_indices)
    if rule["unit"] == "number":
        return rule["start"] + time_indices * rule["step"]
    times = _from_steps(time_indices, rule)
    return to_utc(times, rule.get("zone")) if rule.get("is_local") else times


def _to_steps(times: np.ndarray, rule: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of steps since the start, and whether each time is between steps."""
    if rule["unit"] == "number":
        steps = (times - rule["start"]) / rule["step"]
        return steps, np.abs(steps - np.round(steps)) > 1e-3
    start: Any = np.datetime64(rule["start"], "us")
    if rule["unit"] == "second":
        steps = (times - start).astype("int64") / 1e6 / rule["step"]
        return steps, np.abs(steps - np.round(steps)) > 1e-3
    days: np.ndarray = times.astype("datetime64[D]")
    if rule["unit"] == "month":
        steps = (to_months(times) - to_months(np.array([start]))[0]) / rule["step"]
        return steps, (steps % 1 != 0) | ~is_on_rule(times, dict(rule))
    if rule["unit"] == "week pattern":
        return week_pattern.to_indices(days, rule)
    weekmask = rule.get("weekmask", _BUSINESS_DAYS)
    steps = np.busday_count(start.astype("datetime64[D]"), days, weekmask=weekmask).astype(float)
    return steps, ~np.is_busday(days, weekmask=weekmask)


def _from_steps(time_indices: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Return the times of time indices, on the clock of the rule."""
    start: Any = np.datetime64(rule["start"], "us")
    if rule["unit"] == "second":
        return start + np.round(time_indices * rule["step"] * 1e6).astype("int64").astype("timedelta64[us]")
    first_day = start.astype("datetime64[D]")
    if rule["unit"] == "month":
        days = days_in_months(start.astype("datetime64[M]") + time_indices * rule["step"], dict(rule))
    elif rule["unit"] == "week pattern":
        days = week_pattern.to_days(time_indices, rule)
    else:
        weekmask = rule.get("weekmask", _BUSINESS_DAYS)
        days = np.busday_offset(first_day, time_indices, roll="forward", weekmask=weekmask)
    return days.astype("datetime64[us]") + (start - first_day)
