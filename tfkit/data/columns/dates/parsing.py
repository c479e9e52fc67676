"""Parse cells by the formats of a date column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.dates.formats import EPOCH_UNITS, ISO, format_pattern, is_clock
from tfkit.data.columns.values import map_distinct

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("year", "month", "day", "weekday", "hour", "days")

_OFFSET_PATTERN = r"[T ]\d\d?(?::?\d\d){0,2}(?:\.\d+)?\s?[+-]\d\d(?::?\d\d)?$"  # after a time of day

_CENTURY_MONTHS = 1200


def to_days(cells: pd.Series, rule: dict[str, Any]) -> np.ndarray:
    """Parse plain cells as float64 days since 1970 in UTC; NaN if not a date."""
    return map_distinct(cells, lambda distinct: _to_days(parse(distinct, rule)), np.nan)


def to_datetimes(cells: pd.Series, rule: dict[str, Any]) -> np.ndarray:
    """Parse plain cells as datetime64[us] in UTC; NaT if missing or not a date."""
    return map_distinct(cells, lambda distinct: parse(distinct, rule), "NaT")


def extract_parts(cells: pd.Series, rule: dict[str, Any]) -> dict[str, np.ndarray]:
    """Parse plain cells and return the parts of their dates, `(rows,)` float64.

    The parts are year, month, day, weekday (0: Monday) and hour (12.5: half past noon) in the local time of the cell,
    and days since 1970 in UTC. A column of times of day has only the hour.
    """
    import pandas as pd

    codes, distinct = pd.factorize(cells)
    distinct = pd.Series(distinct)
    timestamps = parse(distinct, rule)
    local = timestamps + utc_offsets(distinct)
    calendar = pd.Series(local).dt
    parts = {"year": calendar.year, "month": calendar.month, "day": calendar.day, "weekday": calendar.day_of_week}
    parts["days"] = _to_days(timestamps)
    parts["hour"] = np.where(np.isnat(local), np.nan, local.astype("int64") % 86_400_000_000 / 3600e6)
    names = ("hour",) if all(map(is_clock, rule["formats"])) else PARTS
    return {part: np.append(parts[part], np.nan).astype("float64")[codes] for part in names}


def parse(distinct: pd.Series, rule: dict[str, Any]) -> np.ndarray:
    """Parse distinct cells as datetime64[us] in UTC; NaT if no format matches.

    Each cell is parsed by the first format that matches.
    """
    if distinct.dtype.kind == "M":
        return distinct.dt.tz_convert(None).to_numpy("datetime64[us]")
    timestamps: np.ndarray = np.full(len(distinct), "NaT", "datetime64[us]")
    for date_format in rule["formats"]:
        is_missing = np.isnat(timestamps)
        if is_missing.any():
            parsed = _parse_format(distinct[is_missing], date_format).to_numpy("datetime64[us]")
            timestamps[is_missing] = shift_centuries(parsed, rule["pivot"]) if "%y" in date_format else parsed
    return timestamps


def utc_offsets(distinct: pd.Series) -> np.ndarray:
    """Return local time minus UTC of each cell, timedelta64[us]; 0 where the cell has no offset.

    Example:
        >>> import pandas as pd
        >>> utc_offsets(pd.Series(["2024-01-31 12:00+01:30", "2024-01-31"])).tolist()
        [datetime.timedelta(seconds=5400), datetime.timedelta(0)]
    """
    import pandas as pd

    if distinct.dtype.kind == "M":
        return (distinct.dt.tz_localize(None) - distinct.dt.tz_convert(None)).to_numpy("timedelta64[us]")
    offsets: np.ndarray = np.zeros(len(distinct), "timedelta64[us]")
    if distinct.dtype.kind == "f":
        return offsets
    has_offset = distinct.str.contains(_OFFSET_PATTERN, regex=True).to_numpy(bool)
    if has_offset.any():
        codes, endings = pd.factorize(distinct[has_offset].str.slice(-len("+00:00")))
        offsets[has_offset] = np.array([_parse_offset(text) for text in endings], "timedelta64[m]")[codes]
    return offsets


def _parse_offset(text: str) -> int:
    """Return the minutes of the UTC offset at the end of a text."""
    sign, digits = re.findall(r"([+-])([\d:]+)$", text)[0]
    digits = digits.replace(":", "").ljust(4, "0")
    return (60 * int(digits[:2]) + int(digits[2:])) * (-1 if sign == "-" else 1)


def shift_centuries(timestamps: np.ndarray, last_year: int) -> np.ndarray:
    """Move dates by centuries into the hundred years that end with `last_year`.

    Example:
        >>> shift_centuries(np.array(["2046-05-15", "2001-01-01"], "datetime64[us]"), 2026).astype("datetime64[D]")
        array(['1946-05-15', '2001-01-01'], dtype='datetime64[D]')
    """
    months: Any = timestamps.astype("datetime64[M]")
    years = months.astype("datetime64[Y]").astype("int64") + 1970
    centuries = np.where(np.isnat(timestamps), 0, (last_year - years) // 100)
    shifted = (months + _CENTURY_MONTHS * centuries).astype("datetime64[us]")
    return shifted + (timestamps - months.astype("datetime64[us]"))


def _to_days(timestamps: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(timestamps), np.nan, timestamps.astype("int64") / 86_400e6)


def _parse_format(distinct: pd.Series, date_format: str) -> pd.Series:
    import pandas as pd

    if date_format in EPOCH_UNITS:
        return _parse_epoch(distinct, date_format)
    if distinct.dtype.kind == "f":
        is_exact = (distinct % 1 == 0) & (distinct.abs() < 2**53)
        distinct = distinct.where(is_exact).astype("Int64").astype("string").astype("str")
    if date_format != ISO:
        distinct = distinct.where(distinct.str.fullmatch(format_pattern(date_format)).fillna(False).astype(bool))
    if "%q" in date_format:
        quarters = distinct.str.extract(format_pattern(date_format).replace("[1-4]", "([1-4])"))[0]
        months = quarters.map({str(quarter): str(3 * quarter - 2) for quarter in range(1, 5)})
        distinct, date_format = distinct.str.extract(r"(\d{4})")[0].str.cat(months, sep="-"), "%Y-%m"
    if "%V" in date_format and "%u" not in date_format:
        distinct, date_format = distinct + " 1", date_format + " %u"
    if "%b" in date_format:
        distinct = distinct.str.replace("(?i:sept)", "Sep", regex=True)
    if re.search("%[GV]|M%m", date_format):
        distinct = distinct.str.upper()
    parsed = pd.to_datetime(distinct, format=date_format, errors="coerce", utc=True).dt.tz_convert(None)
    return parsed + pd.DateOffset(years=70) if is_clock(date_format) else parsed  # 1900 becomes 1970


def _parse_epoch(distinct: pd.Series, unit: str) -> pd.Series:
    """Parse numbers since 1970; integers exactly."""
    import pandas as pd

    low, high, units_per_second = EPOCH_UNITS[unit]
    values = pd.to_numeric(distinct, errors="coerce")
    is_inside = (values >= low) & (values < high)
    if values.dtype.kind in "iu":
        microseconds = (
            values * (10**6 // units_per_second) if units_per_second <= 10**6 else values // (units_per_second // 10**6)
        )
    else:
        microseconds = (values.where(is_inside) * (1e6 / units_per_second)).round()
    return pd.to_datetime(microseconds.where(is_inside), unit="us", errors="coerce")
