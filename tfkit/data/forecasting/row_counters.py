"""Find columns that only repeat the time or count the rows: they are not series."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns import dates, numbers
from tfkit.data.forecasting.time_column import join_cells

_MIN_ROWS = 12

_COUNTER_NAME = r"(?:column_\d+|unnamed.*|index|level_\d+|row|rownum|row_?number|nr|no|obs|id|x1|v1|\.\.\.\d+)"

_DECIMAL_YEAR_TOLERANCE = 0.09  # years: a month


def find_row_counters(frame: Any, names: Sequence[str], time: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that repeat the time or count the rows, and why they are left out.

    At least one column of `names` is not returned, so that there is a series.

    Args:
        frame: The rows, with cells of plain types.
        names: Columns without a role.
        time: Result of `infer_time`.
    """
    if len(frame) < _MIN_ROWS or len(names) < 2:
        return {}
    parts = _time_parts(frame, time)
    counters: dict[str, str] = {}
    for name in names:
        cells = frame[name]
        if cells.isna().any():
            continue
        values = numbers.parse(cells, numbers.number_rule())
        if not np.isfinite(values).all():
            continue
        if re.fullmatch(_COUNTER_NAME, str(name).lower()) and (np.diff(values) == 1).all():
            counters[name] = "it counts the rows"
        elif part := next((part for part, expected in parts.items() if _is_equal(values, expected, part)), None):
            counters[name] = f"it repeats the {part} of {time['column']!r}"
    return counters if len(counters) < len(names) else {}


def _is_equal(values: np.ndarray, expected: np.ndarray, part: str) -> bool:
    tolerance = _DECIMAL_YEAR_TOLERANCE if part == "decimal year" else 0
    varies = bool(np.ptp(values) > 0)
    return varies and bool((np.abs(values - expected) <= tolerance).all())


def _time_parts(frame: Any, time: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the parts of the times that a table may repeat."""
    if time["kind"] != "date":
        return {}
    times = dates.to_local(dates.to_datetimes(join_cells(frame, time["columns"]), dict(time)), time.get("zone"))
    if np.isnat(times).any():
        return {}
    day: Any = times.astype("datetime64[D]")
    year, month = day.astype("datetime64[Y]"), day.astype("datetime64[M]")
    years, months = year.astype("int64") + 1970, month.astype("int64") % 12 + 1
    yeardays = (day - year).astype("int64")
    weekdays = (day.astype("int64") + 3) % 7
    return {
        "year": years,
        "quarter": (months + 2) // 3,
        "month": months,
        "day": (day - month).astype("int64") + 1,
        "day of the year": yeardays + 1,
        "day of the week": weekdays,
        "day of the week from 1": weekdays + 1,
        "hour": (times - day).astype("int64") // 3_600_000_000,
        "decimal year": years + yeardays / 365.25,
    }
