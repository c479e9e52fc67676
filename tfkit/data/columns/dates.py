"""Infer and parse date formats, with or without a time of day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.numbers import MIN_MATCH_FRACTION
from tfkit.data.columns.values import map_distinct

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("year", "month", "day", "weekday", "hour", "days")

MAX_DISTINCT_CELLS = 500  # to choose a format by

MAX_FORMATS = 3  # of a column

_ISO = "ISO8601"

_DAY_FORMATS = (
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%Y.%m.%d",
    "%a %b %d %Y",
    "%a, %d %b %Y",
)

_TIME_FORMATS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p")

_DIGIT_FORMATS = ("%Y%m%d", "%Y", "seconds", "milliseconds")  # ambiguous with numbers: only if the user sets date

_DIRECTIVE_PATTERNS = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d\d?",
    "%d": r"\d\d?",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,9}",
    "%a": "[A-Za-z]{3}",
}

_FORMAT_PATTERNS = {
    day_format: re.sub("%[a-zA-Z]", lambda match: _DIRECTIVE_PATTERNS[match[0]], day_format.replace(".", r"\."))
    for day_format in _DAY_FORMATS
}

_FORMAT_PATTERNS[_ISO] = r"\d{4}-\d\d?(-\d\d?)?"

_EPOCH_RANGES = {"seconds": (1e8, 1e10, 1), "milliseconds": (1e11, 1e13, 1000)}  # since 1970: the years 1973 to 2286


def infer_format(cells: pd.Series, *, is_date: bool = False) -> dict[str, Any] | None:
    """Return the rule of a date column, None if the cells are not dates.

    The rule has up to three formats, the one that parses most cells first.

    Args:
        cells: Plain cells, none missing.
        is_date: Whether the user sets the type to date; then 20240131, 2024 and seconds since 1970 are dates, too.

    Example:
        >>> import pandas as pd
        >>> infer_format(pd.Series(["31/12/2024", "01/02/2025"]))
        {'kind': 'date', 'formats': ['%d/%m/%Y']}
    """
    if cells.dtype.kind == "M":
        return {"kind": "date", "formats": [_ISO]}
    if not len(cells) or (cells.dtype.kind == "f" and not is_date):
        return None
    sample = cells.iloc[:: -(-len(cells) // (10 * MAX_DISTINCT_CELLS))]
    distinct = sample.drop_duplicates()
    distinct = distinct.iloc[:: -(-len(distinct) // MAX_DISTINCT_CELLS)]
    candidates = _DIGIT_FORMATS if is_date and _is_digits(distinct) else _likely_formats(distinct)
    rule = {"kind": "date", "formats": _choose_formats(distinct, candidates)}
    return rule if rule["formats"] and (~np.isnan(to_days(sample, rule))).mean() >= MIN_MATCH_FRACTION else None


def to_days(cells: pd.Series, rule: dict[str, Any]) -> np.ndarray:
    """Parse plain cells as float64 days since 1970 in UTC; NaN if not a date."""
    return map_distinct(cells, lambda distinct: _to_days(_parse(distinct, rule["formats"])), np.nan)


def to_datetimes(cells: pd.Series, rule: dict[str, Any]) -> np.ndarray:
    """Parse plain cells as datetime64[us] in UTC; NaT if missing or not a date."""
    return map_distinct(cells, lambda distinct: _parse(distinct, rule["formats"]), "NaT")


def extract_parts(cells: pd.Series, rule: dict[str, Any]) -> dict[str, np.ndarray]:
    """Parse plain cells and return the parts of their dates, `(rows,)` float64.

    The parts are year, month, day, weekday (0: Monday), hour (12.5: half past noon) and days since 1970, in UTC.
    """
    import pandas as pd

    codes, distinct = pd.factorize(cells)
    timestamps = _parse(pd.Series(distinct), rule["formats"])
    calendar = pd.Series(timestamps).dt
    parts = {"year": calendar.year, "month": calendar.month, "day": calendar.day, "weekday": calendar.day_of_week}
    parts["days"] = _to_days(timestamps)
    parts["hour"] = parts["days"] % 1 * 24
    return {part: np.append(parts[part], np.nan).astype("float64")[codes] for part in PARTS}


def _to_days(timestamps: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(timestamps), np.nan, timestamps.astype("int64") / 86_400e6)


def _likely_formats(distinct: pd.Series) -> list[str]:
    """Return the formats whose pattern matches at least one string.

    Matching is a hundred times cheaper than parsing.
    """
    import pyarrow as pa
    from pyarrow import compute

    if distinct.dtype.kind == "f":
        return []
    text = pa.array(distinct)

    def any_matches(pattern: str) -> bool:
        return bool(compute.any(compute.match_substring_regex(text, pattern)).as_py())

    if not any_matches(r"\d\D+\d"):
        return []
    day_formats = [
        day_format
        for day_format in (_ISO, *_DAY_FORMATS)
        if any_matches(rf"^{_FORMAT_PATTERNS[day_format]}([T ]\d.*)?$")
    ]
    return [
        day_format + time_format
        for day_format in day_formats
        for time_format in (_TIME_FORMATS if day_format != _ISO else ("",))
    ]


def _choose_formats(distinct: pd.Series, candidates: Iterable[str]) -> list[str]:
    """Return the format that parses most cells, then formats for the remaining ones.

    A format that swaps day and month of a chosen one is not used.
    """
    is_parsed = {date_format: ~np.isnat(_parse(distinct, [date_format])) for date_format in candidates}
    chosen: list[str] = []
    is_done: np.ndarray = np.zeros(len(distinct), bool)
    while is_parsed and len(chosen) < MAX_FORMATS and not is_done.all():
        num_new = {date_format: int((mask & ~is_done).sum()) for date_format, mask in is_parsed.items()}
        best = max(num_new, key=num_new.__getitem__)  # the first maximum
        if not num_new[best]:
            break
        chosen.append(best)
        is_done |= is_parsed[best]
        is_parsed = {
            date_format: mask for date_format, mask in is_parsed.items() if not _swaps_day_and_month(date_format, best)
        }
    return chosen if is_done.mean() >= MIN_MATCH_FRACTION else []


def _swaps_day_and_month(first: str, second: str) -> bool:
    """Return whether two formats start with day and month in opposite order.

    They must have the same separator.
    """
    first_match, second_match = (re.match("%([dm])([-/.])%[dm]", date_format) for date_format in (first, second))
    return bool(
        first_match and second_match and first_match[1] != second_match[1] and first_match[2] == second_match[2]
    )


def _parse(distinct: pd.Series, formats: list[str]) -> np.ndarray:
    """Parse distinct cells as datetime64 in UTC; NaT if no format matches.

    Each cell is parsed by the first format that matches.
    """
    if distinct.dtype.kind == "M":
        return distinct.dt.tz_convert(None).to_numpy("datetime64[us]")
    timestamps: np.ndarray = np.full(len(distinct), "NaT", "datetime64[us]")
    for date_format in formats:
        is_missing = np.isnat(timestamps)
        if is_missing.any():
            timestamps[is_missing] = _parse_format(distinct[is_missing], date_format).to_numpy("datetime64[us]")
    return timestamps


def _parse_format(distinct: pd.Series, date_format: str) -> pd.Series:
    import pandas as pd

    if date_format in _EPOCH_RANGES:
        low, high, units_per_second = _EPOCH_RANGES[date_format]
        values = pd.to_numeric(distinct, errors="coerce")
        values = (values.where((values >= low) & (values < high)) * (1e6 / units_per_second)).round()
        return pd.to_datetime(values, unit="us", errors="coerce")
    if distinct.dtype.kind == "f":
        distinct = (
            distinct.where((distinct % 1 == 0) & (distinct.abs() < 2**53))
            .astype("Int64")
            .astype("string")
            .astype("str")
        )
    return pd.to_datetime(distinct, format=date_format, errors="coerce", utc=True).dt.tz_convert(None)


def _is_digits(distinct: pd.Series) -> bool:
    """Return whether most cells contain only digits."""
    return distinct.dtype.kind == "f" or bool(distinct.str.fullmatch(r"\d+").mean() >= MIN_MATCH_FRACTION)
