"""Seasons and calendar features of a frequency."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.dates import to_local
from tfkit.data.columns.frequencies.days import DAY_SECONDS, weekday

CALENDAR_PERIODS = {"hour": 24.0, "weekday": 7.0, "yearday": 365.25}  # of the calendar features

CALENDAR_DAYS = {"hour": 1, "weekday": 7, "yearday": 365}  # days in a period


def season_length(rule: Mapping[str, Any]) -> int:
    """Return the usual season length in steps.

    That is 24 hours, 7 days, 5 business days, 52 weeks or 12 months; else 1.
    """
    unit, step = rule["unit"], rule["step"]
    if unit == "month":
        return max(1, 12 // step) if 12 % step == 0 else 1
    if unit == "week pattern":
        return 12
    if unit == "business day":
        return int(rule.get("weekmask", "1111100").count("1"))
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
    unit_days = {"month": 30.4, "week pattern": 30.4, "business day": 1.4}
    days_per_step = unit_days.get(rule["unit"], 1 / DAY_SECONDS) * rule["step"]
    return [
        name
        for name, period in CALENDAR_DAYS.items()
        if 2 * days_per_step <= period and 2 * period <= steps * days_per_step
    ]


def calendar_features(times: np.ndarray, names: list[str], zone: str | None = None) -> np.ndarray:
    """Compute calendar features `(times, names)` float32.

    The features are hour from 0, weekday from 0 (Monday) and yearday from 0, in local time.

    Args:
        times: datetime64[us] in UTC.
        names: Names of features.
        zone: Time zone; None for times without a zone.
    """
    times = to_local(times, zone)
    day: Any = times.astype("datetime64[D]")
    features = {
        "weekday": lambda: weekday(day),
        "hour": lambda: (times - day).astype("int64") / 3.6e9,
        "yearday": lambda: (day - day.astype("datetime64[Y]")).astype("int64"),
    }
    return np.stack([features[name]() for name in names], axis=1).astype("float32")
