"""Evenly spaced times become whole numbers, whatever the space is: seconds, working days, months, or plain numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.errors import UserError

DAY = 86_400
PERIODS = {"hour": 24.0, "weekday": 7.0, "yearday": 365.25}  # of the numbers of the calendar
CYCLES = {"hour": 1, "weekday": 7, "yearday": 365}  # days of one
MONTH = 27.5 * DAY  # months are at least this long


def find(times: np.ndarray, series: np.ndarray) -> dict[str, Any]:
    """How far apart the rows of every series stand.

    Args:
        times: datetime64[us], or numbers; sorted within each series, none twice there.
        series: The number of each row's series.

    Returns:
        A rule fit for JSON: `unit` (second, business day, month, number), `step`, how many of them, and `start`.

    Raises:
        UserError: If no series has two times.

    Example:
        >>> find(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[us]"), np.zeros(3))
        {'unit': 'month', 'step': 1, 'start': '2024-01-31T00:00:00.000000', 'end': True}
    """
    apart = (times[1:] - times[:-1])[series[1:] == series[:-1]]
    if not len(apart):
        raise UserError(
            "There must be two rows at least in a series, to see how far apart they are. "
            f"Received: {len(times):,} rows, one of each series"
        )
    if times.dtype.kind != "M":
        return {"unit": "number", "step": float(_usual(apart)), "start": float(times.min())}
    start = str(times.min())
    gaps = apart.astype("int64") / 1e6
    if np.median(gaps) >= MONTH:
        end = bool(_last_of_month(times).all())
        days = np.unique(_day(times))
        if end or len(days) == 1:
            months = np.diff(_months(times))[series[1:] == series[:-1]]
            return {"unit": "month", "step": int(_usual(months)), "start": start, "end": end}
    step = _usual(gaps)
    weekdays = _weekday(times)
    if step == DAY and len(times) > 5 and weekdays.max() < 5 and (gaps >= 3 * DAY).any():
        return {"unit": "business day", "step": 1, "start": start}
    return {"unit": "second", "step": int(step) if step >= 1 else float(step), "start": start}


def ticks(times: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """Times as numbers of steps from the start, `(rows,)` int64.

    Raises:
        UserError: If times lie between the steps; the first is named.
    """
    if rule["unit"] == "month":
        start = np.array([rule["start"]], "datetime64[us]")
        found = (_months(times) - _months(start)[0]) / rule["step"]
        off = found % 1 != 0
        off |= ~_last_of_month(times) if rule["end"] else _day(times) != _day(start)[0]
    elif rule["unit"] == "business day":
        days: np.ndarray = times.astype("datetime64[D]")
        found = np.busday_count(np.datetime64(rule["start"], "D"), days).astype(float)
        off = ~np.is_busday(days)
    else:
        start = rule["start"] if rule["unit"] == "number" else np.datetime64(rule["start"])
        since = times - start if rule["unit"] == "number" else (times - start).astype("int64") / 1e6
        found = since / rule["step"]
        off = np.abs(found - np.round(found)) > 1e-3
    if off.any():
        first = times[off][0]
        raise UserError(
            f"Times must be evenly spaced; bring the table to one frequency first. Received: steps of "
            f"{spoken(rule)}, and {int(off.sum()):,} of {len(times):,} times between them, the first "
            f"{written(first)}"
        )
    return np.round(found).astype("int64")


def moments(numbers: np.ndarray, rule: Mapping[str, Any]) -> np.ndarray:
    """The times of ticks: datetime64[us], or numbers.

    Example:
        >>> rule = {"unit": "month", "step": 1, "start": "2024-01-31", "end": True}
        >>> [str(moment)[:10] for moment in moments(np.array([0, 1, 2]), rule)]
        ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    numbers = np.asarray(numbers)
    if rule["unit"] == "number":
        return rule["start"] + numbers * rule["step"]
    start: Any = np.datetime64(rule["start"], "us")
    if rule["unit"] == "month":
        month: Any = start.astype("datetime64[M]")
        clock = start - start.astype("datetime64[D]")
        first = month + numbers * rule["step"]
        within = start.astype("datetime64[D]") - month.astype("datetime64[D]")
        days = (first + 1).astype("datetime64[D]") - 1 if rule["end"] else first.astype("datetime64[D]") + within
        return days.astype("datetime64[us]") + clock
    if rule["unit"] == "business day":
        worked: Any = np.busday_offset(start.astype("datetime64[D]"), numbers, roll="forward")
        return worked.astype("datetime64[us]") + (start - start.astype("datetime64[D]"))
    return start + np.round(numbers * rule["step"] * 1e6).astype("int64").astype("timedelta64[us]")


def season(rule: Mapping[str, Any]) -> int:
    """Steps of the cycle that such data usually has: 24 hours, 7 days, 5 working days, 52 weeks, 12 months; else 1."""
    unit, step = rule["unit"], rule["step"]
    if unit == "month":
        return max(1, 12 // step) if 12 % step == 0 else 1
    if unit == "business day":
        return 5
    if unit == "number":
        return 1
    for cycle in (DAY, 7 * DAY, 364 * DAY):
        if step < cycle and cycle % step == 0:
            return int(cycle // step)
    return 1


def calendar(rule: Mapping[str, Any], steps: int) -> list[str]:
    """Which numbers of the calendar so many steps can teach something of: those whose cycle they hold twice.

    Example:
        >>> calendar({"unit": "second", "step": 3600}, 24 * 365)
        ['hour', 'weekday']
    """
    if rule["unit"] == "number":
        return []
    days = {"month": 30.4, "business day": 1.4}.get(rule["unit"], 1 / DAY) * rule["step"]
    return [name for name, cycle in CYCLES.items() if 2 * days <= cycle and 2 * cycle <= steps * days]


def parts(times: np.ndarray, names: list[str]) -> np.ndarray:
    """Numbers of the calendar, `(times, names)` float32: hour from 0, weekday from 0 (Monday), yearday from 0."""
    day: Any = times.astype("datetime64[D]")
    found = {
        "weekday": lambda: _weekday(times),
        "hour": lambda: (times - day).astype("int64") / 3.6e9,
        "yearday": lambda: (day - day.astype("datetime64[Y]")).astype("int64"),
    }
    return np.stack([found[name]() for name in names], axis=1).astype("float32")


def spoken(rule: Mapping[str, Any]) -> str:
    """The frequency in words.

    Example:
        >>> spoken({"unit": "second", "step": 3600}), spoken({"unit": "month", "step": 3})
        ('1 hour', '3 months')
    """
    unit, step = rule["unit"], rule["step"]
    if unit == "second":
        unit, size = next(
            (
                (name, size)
                for name, size in (("week", 7 * DAY), ("day", DAY), ("hour", 3600), ("minute", 60))
                if step % size == 0
            ),
            ("second", 1),
        )
        step = step / size
    if unit == "number":
        return f"{step:g}"
    return f"{step:g} {unit}{'' if step == 1 else 's'}"


def written(moment: Any) -> str:
    """A time as it stands in a file: a date, with its clock where it is not midnight."""
    if np.asarray(moment).dtype.kind != "M":
        return f"{float(moment):g}"
    word = str(np.datetime64(moment, "us")).replace("T", " ")
    return word.removesuffix(".000000").removesuffix(" 00:00:00")


def _usual(values: np.ndarray) -> Any:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[counts.argmax()]


def _months(times: np.ndarray) -> np.ndarray:
    return times.astype("datetime64[M]").astype("int64")


def _day(times: np.ndarray) -> np.ndarray:
    return (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype("int64")


def _last_of_month(times: np.ndarray) -> np.ndarray:
    return (times.astype("datetime64[D]") + 1).astype("datetime64[M]") != times.astype("datetime64[M]")


def _weekday(times: np.ndarray) -> np.ndarray:
    return (times.astype("datetime64[D]").astype("int64") + 3) % 7  # 1970 began on a Thursday
