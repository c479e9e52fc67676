"""Days of the week and of the month, and rules for the day in each month."""

from typing import Any

import numpy as np

DAY_SECONDS = 86_400

_TOLERANCE_DAYS = 4  # of business days at the start or end of a month, which may be holidays

_MIN_EXACT_FRACTION = 0.8

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def weekday(days: np.ndarray) -> np.ndarray:
    """Return the day of the week from 0 (Monday) of dates."""
    return (days.astype("datetime64[D]").astype("int64") + 3) % 7  # 1970-01-01 was a Thursday


def to_months(times: np.ndarray) -> np.ndarray:
    """Return the months since 1970 of times."""
    return times.astype("datetime64[M]").astype("int64")


def infer_month_rule(times: np.ndarray) -> dict[str, Any] | None:
    """Infer which day of the month all times have; None if there is no rule.

    Returns:
        A dictionary with `day`: a number, which in shorter months is the last day; or "business start", "business end",
        "weekday" with `weekday` and `number` (from 0), or "last weekday" with `weekday`.

    Example:
        >>> infer_month_rule(np.array(["2024-01-31", "2024-02-29"], "datetime64[us]"))
        {'day': 31}
        >>> infer_month_rule(np.array(["2024-03-29", "2024-04-26", "2024-05-31"], "datetime64[us]"))
        {'day': 'last weekday', 'weekday': 4}
    """
    days: Any = np.unique(times.astype("datetime64[D]"))
    months = days.astype("datetime64[M]")
    numbers = (days - months.astype("datetime64[D]")).astype("int64") + 1
    rules: list[dict[str, Any]] = [{"day": 31}, {"day": int(numbers.max())}]
    if len(np.unique(weekday(days))) == 1:
        first = {"weekday": int(weekday(days[:1])[0])}
        rules += [{"day": "last weekday", **first}, {"day": "weekday", **first, "number": int(numbers[0] - 1) // 7}]
    for rule in rules:
        if (days_in_months(months, rule) == days).all():
            return rule
    for rule in ({"day": "business end"}, {"day": "business start"}):
        expected = days_in_months(months, rule)
        is_exact = float((expected == days).mean()) >= _MIN_EXACT_FRACTION
        if is_exact and is_on_rule(days, rule).all():
            return rule
    return None


def days_in_months(months: np.ndarray, rule: dict[str, Any]) -> np.ndarray:
    """Return the day of each month by a rule of `infer_month_rule`, datetime64[D]."""
    first: Any = months.astype("datetime64[D]")
    last: Any = (months + 1).astype("datetime64[D]") - 1
    if rule["day"] == "business end":
        return np.busday_offset(last, 0, roll="backward")
    if rule["day"] == "business start":
        return np.busday_offset(first, 0, roll="forward")
    if rule["day"] == "weekday":
        return first + (rule["weekday"] - weekday(first)) % 7 + 7 * rule["number"]
    if rule["day"] == "last weekday":
        return last - (weekday(last) - rule["weekday"]) % 7
    return np.minimum(first + (rule["day"] - 1), last)


def is_on_rule(times: np.ndarray, rule: dict[str, Any]) -> np.ndarray:
    """Return whether each time is on the day of its month; business days may be holidays, and then be some days off."""
    days: Any = times.astype("datetime64[D]")
    distance = (days - days_in_months(times.astype("datetime64[M]"), rule)).astype("int64")
    if rule["day"] == "business end":
        return (distance <= 0) & (distance >= -_TOLERANCE_DAYS)
    if rule["day"] == "business start":
        return (distance >= 0) & (distance <= _TOLERANCE_DAYS)
    return distance == 0


def describe_month_rule(rule: dict[str, Any]) -> str:
    """Describe the day of the month, "" for the usual ones: a fixed day or the last."""
    if rule["day"] == "business end":
        return "the last business day"
    if rule["day"] == "business start":
        return "the first business day"
    if rule["day"] == "last weekday":
        return f"the last {_WEEKDAYS[rule['weekday']]}"
    if rule["day"] == "weekday":
        return f"{_WEEKDAYS[rule['weekday']]} number {rule['number'] + 1}"
    return ""
