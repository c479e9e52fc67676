"""Format frequencies and times as text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.frequencies.days import DAY_SECONDS, describe_month_rule


def format_frequency(rule: Mapping[str, Any]) -> str:
    """Format a frequency as text.

    Example:
        >>> format_frequency({"unit": "second", "step": 3600}), format_frequency({"unit": "month", "step": 3, "day": 1})
        ('1 hour', '3 months')
        >>> format_frequency({"unit": "month", "step": 1, "day": "business end"})
        '1 month, on the last business day'
    """
    unit, step = rule["unit"], rule["step"]
    if unit == "number":
        return f"{step:g}"
    if unit == "week pattern":
        return f"{', '.join(map(str, rule['pattern'][:-1]))} and {rule['pattern'][-1]} weeks"
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
    day = describe_month_rule(dict(rule)) if unit == "month" else ""
    if unit == "business day" and rule.get("weekmask"):
        days = zip(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), rule["weekmask"], strict=True)
        day = f"{', '.join(name for name, is_open in days if is_open == '1')}"
    return f"{step:g} {unit}{'' if step == 1 else 's'}" + (f", on {day}" if day else "")


def format_timestamp(timestamp: Any) -> str:
    """Format a time: the date, with the time of day unless it is midnight."""
    if np.asarray(timestamp).dtype.kind != "M":
        return str(int(timestamp)) if float(timestamp).is_integer() else repr(float(timestamp))
    text = str(np.datetime64(timestamp, "us")).replace("T", " ")
    return text.removesuffix(".000000").removesuffix(" 00:00:00")
