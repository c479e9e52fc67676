"""Dates as people write them, day first or month first, with a clock or without: how is learnt once and kept."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfkit.data.cells import by_distinct
from tfkit.data.numbers import MOST

PARTS = ("year", "month", "day", "weekday", "hour", "days")
FEW = 500  # distinct cells that a form is chosen by

_ISO = "ISO8601"
_DAYS = (
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
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p")
_BARE = ("%Y%m%d", "%Y", "seconds", "milliseconds")  # as likely a number: read so only where the user says date

_LOOKS = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d\d?",
    "%d": r"\d\d?",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,9}",
    "%a": "[A-Za-z]{3}",
}
_SHAPES = {day: re.sub("%[a-zA-Z]", lambda sign: _LOOKS[sign[0]], day.replace(".", r"\.")) for day in _DAYS}
_SHAPES[_ISO] = r"\d{4}-\d\d?(-\d\d?)?"
_SPANS = {"seconds": (1e8, 1e10, 1), "milliseconds": (1e11, 1e13, 1000)}  # since 1970: the years 1973 to 2286


def find(cells: Any, *, asked: bool = False) -> dict[str, Any] | None:
    """How the dates of a column are written: up to three forms, the one that reads most cells first.

    Args:
        cells: Plain cells, none missing.
        asked: Whether the user says that they are dates; then 20240131, 2024 and seconds since 1970 are dates too.

    Example:
        >>> import pandas as pd
        >>> find(pd.Series(["31/12/2024", "01/02/2025"]))
        {'kind': 'date', 'forms': ['%d/%m/%Y']}
    """
    if cells.dtype.kind == "M":
        return {"kind": "date", "forms": [_ISO]}
    if not len(cells) or (cells.dtype.kind == "f" and not asked):
        return None
    few = cells.iloc[:: -(-len(cells) // (10 * FEW))]
    words = few.drop_duplicates()
    words = words.iloc[:: -(-len(words) // FEW)]
    rule = {"kind": "date", "forms": _choose(words, _BARE if asked and _is_bare(words) else _likely(words))}
    return rule if rule["forms"] and (~np.isnan(days(few, rule))).mean() >= MOST else None


def days(cells: Any, rule: dict[str, Any]) -> np.ndarray:
    """Plain cells as days since 1970 in UTC, float64 with NaN where they are missing or no dates."""
    return by_distinct(cells, lambda words: _days(_moments(words, rule["forms"])), np.nan)


def moments(cells: Any, rule: dict[str, Any]) -> np.ndarray:
    """Plain cells as datetime64[us] in UTC, NaT where they are missing or no dates."""
    return by_distinct(cells, lambda words: _moments(words, rule["forms"]), "NaT")


def parts(cells: Any, rule: dict[str, Any]) -> dict[str, np.ndarray]:
    """Year, month, day, weekday (0: Monday), hour (12.5: half past noon), days since 1970; UTC, `(rows,)` float32."""
    import pandas as pd

    codes, distinct = pd.factorize(cells)
    moments = _moments(pd.Series(distinct), rule["forms"])
    calendar = pd.Series(moments).dt
    found = {"year": calendar.year, "month": calendar.month, "day": calendar.day, "weekday": calendar.day_of_week}
    found["days"] = _days(moments)
    found["hour"] = found["days"] % 1 * 24
    return {part: np.append(found[part], np.nan).astype("float32")[codes] for part in PARTS}


def _days(moments: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(moments), np.nan, moments.astype("int64") / 86_400e6)


def _likely(few: Any) -> list[str]:
    """The forms that at least one of the words looks like: a look is a hundred times cheaper than reading."""
    import pyarrow as pa
    from pyarrow import compute

    if few.dtype.kind == "f":
        return []
    text = pa.array(few)

    def seen(shape: str) -> bool:
        return bool(compute.any(compute.match_substring_regex(text, shape)).as_py())

    if not seen(r"\d\D+\d"):
        return []
    days = [day for day in (_ISO, *_DAYS) if seen(rf"^{_SHAPES[day]}([T ]\d.*)?$")]
    return [day + clock for day in days for clock in (_CLOCKS if day != _ISO else ("",))]


def _choose(few: Any, forms: Iterable[str]) -> list[str]:
    """The form that reads most, and others for what it leaves, unless they turn day and month round."""
    reads = {form: ~np.isnat(_moments(few, [form])) for form in forms}
    chosen: list[str] = []
    done: np.ndarray = np.zeros(len(few), bool)
    while reads and len(chosen) < 3 and not done.all():
        best = max(reads, key=lambda form: int((reads[form] & ~done).sum()))  # the first of the best
        if not (reads[best] & ~done).any():
            break
        chosen.append(best)
        done |= reads[best]
        reads = {form: read for form, read in reads.items() if not _turned(form, best)}
    return chosen if done.mean() >= MOST else []


def _turned(form: str, other: str) -> bool:
    """Whether two forms differ in nothing that tells the day from the month."""
    one, two = (re.match("%([dm])([-/.])%[dm]", name) for name in (form, other))
    return bool(one and two and one[1] != two[1] and one[2] == two[2])


def _moments(words: Any, forms: list[str]) -> np.ndarray:
    """Distinct cells as datetime64 in UTC, each by the first form that reads it; NaT where none does."""
    if words.dtype.kind == "M":
        return words.dt.tz_convert(None).to_numpy("datetime64[us]")
    found: np.ndarray = np.full(len(words), "NaT", "datetime64[us]")
    for form in forms:
        rest = np.isnat(found)
        if rest.any():
            found[rest] = _by(words[rest], form).to_numpy("datetime64[us]")
    return found


def _by(words: Any, form: str) -> Any:
    import pandas as pd

    if form in _SPANS:
        low, high, factor = _SPANS[form]
        values = pd.to_numeric(words, errors="coerce")
        values = (values.where((values >= low) & (values < high)) * (1e6 / factor)).round()
        return pd.to_datetime(values, unit="us", errors="coerce")
    if words.dtype.kind == "f":
        words = words.where(words % 1 == 0).astype("Int64").astype("string").astype("str")
    return pd.to_datetime(words, format=form, errors="coerce", utc=True).dt.tz_convert(None)


def _is_bare(few: Any) -> bool:
    """Whether most cells are digits and nothing else."""
    return few.dtype.kind == "f" or bool(few.str.fullmatch(r"\d+").mean() >= MOST)
