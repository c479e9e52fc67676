"""Infer the formats of a column of dates, with or without a time of day."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.dates import formats
from tfkit.data.columns.dates.day_order import prefers_second
from tfkit.data.columns.dates.parsing import parse, shift_centuries, to_days
from tfkit.data.columns.numbers import MIN_MATCH_FRACTION

if TYPE_CHECKING:
    import pandas as pd

MAX_DISTINCT_CELLS = 500  # to choose a format by

MAX_ORDERED_CELLS = 5000  # to choose the order of day and month by

MAX_FORMATS = 3  # of a column

MIN_DIGIT_DATES = 5  # distinct cells such as 20240131: by chance, 1 of 27 numbers of eight digits is such a date

_TIME_NAME = r"(?i)(?:^|[^a-z])(?:date|time|timestamp|datetime|clock|ds|month|year|day|week|period|hour)s?(?:$|[^a-z])"


def infer_format(cells: pd.Series, *, is_date: bool = False, day_first: bool | None = None) -> dict[str, Any] | None:
    """Return the rule of a date column, None if the cells are not dates.

    The rule has up to three formats, the one that parses most cells first. With years of two digits it has the last
    year of their century too (`pivot`), chosen so that no date is later than now.

    Args:
        cells: Plain cells, none missing.
        is_date: Whether the user sets the type to date; then 20240131, 2024, 0930 and seconds since 1970 are dates.
        day_first: Whether 01/02/2024 is 1 February; None for the order that reads most cells, then for the order that
            gives regular steps.

    Example:
        >>> import pandas as pd
        >>> infer_format(pd.Series(["31/12/2024", "01/02/2025"]))
        {'kind': 'date', 'formats': ['%d/%m/%Y']}
    """
    if cells.dtype.kind == "M":
        return {"kind": "date", "formats": [formats.ISO]}
    if not len(cells):
        return None
    sample = cells.iloc[:: -(-len(cells) // (10 * MAX_DISTINCT_CELLS))]
    distinct = sample.drop_duplicates()
    distinct = distinct.iloc[:: -(-len(distinct) // MAX_DISTINCT_CELLS)]
    candidates = _without_order(_candidates(distinct, is_date=is_date), day_first)
    chosen = _choose_formats(distinct, candidates, cells)
    rule: dict[str, Any] = {"kind": "date", "formats": chosen}
    if any("%y" in date_format for date_format in chosen):
        rule["pivot"] = _last_year(cells, rule)
    return rule if chosen and (~np.isnan(to_days(sample, rule))).mean() >= MIN_MATCH_FRACTION else None


def describe_format(rule: Mapping[str, Any]) -> str:
    """Describe how the dates of a column are read, for messages.

    Example:
        >>> describe_format({"formats": ["%d/%m/%y"], "pivot": 2026})
        'parsed as %d/%m/%y, years of two digits as 1927 to 2026'
    """
    text = f"parsed as {' or '.join(rule['formats'])}"
    return text + (f", years of two digits as {rule['pivot'] - 99} to {rule['pivot']}" if "pivot" in rule else "")


def first_unreadable(cells: pd.Series, day_first: bool | None = None) -> tuple[str, int]:
    """Return the first cell that the best formats cannot read, and the number of these cells.

    Example:
        >>> import pandas as pd
        >>> first_unreadable(pd.Series(["2024-01-31", "soon", "later"]))
        ('soon', 2)
    """
    distinct = cells.drop_duplicates()
    candidates = _candidates(distinct.iloc[:MAX_DISTINCT_CELLS], is_date=True) or _likely_formats(
        distinct.iloc[:MAX_DISTINCT_CELLS].astype(str)
    )
    candidates = _without_order(candidates, day_first)
    chosen = _choose_formats(distinct.iloc[:MAX_DISTINCT_CELLS], candidates, cells, min_fraction=0)
    is_unreadable = np.isnan(to_days(cells, {"formats": chosen, "pivot": 2000}))
    return str(cells[is_unreadable].iloc[0]), int(is_unreadable.sum())


def is_time_of_day(rule: Mapping[str, Any]) -> bool:
    """Return whether the cells of a date column have a time of day and no date."""
    return all(map(formats.is_clock, rule["formats"]))


def ambiguous_order(cells: pd.Series, rule: dict[str, Any]) -> str:
    """Return "day" or "month", whichever is first, if all cells can be read in the other order too; else "".

    Example:
        >>> import pandas as pd
        >>> cells = pd.Series(["01/02/2024", "01/03/2024", "01/04/2024"])
        >>> ambiguous_order(cells, {"formats": ["%d/%m/%Y"]}), ambiguous_order(cells, {"formats": ["%Y"]})
        ('day', '')
    """
    swapped = re.sub("^%([dm])([-/.])%([dm])", r"%\3\2%\1", rule["formats"][0])
    if swapped == rule["formats"][0] or cells.dtype.kind != "O":
        return ""
    if np.isnat(parse(cells.drop_duplicates(), {"formats": [swapped], "pivot": 2000})).any():
        return ""
    return "month" if swapped.startswith("%d") else "day"


def _candidates(distinct: pd.Series, *, is_date: bool) -> list[str]:
    """Return the formats to try."""
    digits = (
        distinct.map("{:.0f}".format) if distinct.dtype.kind == "f" else distinct.str.replace(r"\.\d*$", "", regex=True)
    )
    if digits.str.fullmatch(r"\d+").mean() < MIN_MATCH_FRACTION:
        return [] if distinct.dtype.kind == "f" else _likely_formats(distinct, is_date=is_date)
    sizes = digits.str.len()
    if is_date:
        lengths = sizes.value_counts().index
        clock = ["%H%M"] if (sizes == 4).all() and digits.str.startswith("0").any() else []
        fixed = [date_format for size in lengths for date_format in formats.DIGIT_FORMATS.get(size, ())]
        return [*clock, *fixed, *(unit for unit in formats.EPOCH_UNITS if unit not in fixed)]
    if len(distinct) < MIN_DIGIT_DATES or not (sizes == sizes.iloc[0]).all():
        return []
    if sizes.iloc[0] == 4 and digits.str.startswith("0").any() and re.search(_TIME_NAME, str(distinct.name)):
        return ["%H%M"]
    is_likely = digits.str.fullmatch(formats.format_pattern("%Y%m%d")).mean() >= MIN_MATCH_FRACTION
    return ["%Y%m%d"] if is_likely else []


def _without_order(candidates: Sequence[str], day_first: bool | None) -> list[str]:
    """Return the formats without those that contradict `day_first`.

    Month first is unusual with points: 01.02.2024 is always 1 February.
    """
    if day_first is None:
        return list(candidates)
    unwanted = "%m[-/]%d" if day_first else "%d[-/]%m"
    return [date_format for date_format in candidates if not re.match(unwanted, date_format)]


def _likely_formats(distinct: pd.Series, *, is_date: bool = False) -> list[str]:
    """Return the formats whose pattern matches at least one string.

    Matching is a hundred times cheaper than parsing.
    """
    import pyarrow as pa
    from pyarrow import compute

    text = pa.array(distinct)

    def any_matches(pattern: str) -> bool:
        return bool(compute.any(compute.match_substring_regex(text, f"^(?:{pattern})$")).as_py())

    if not any_matches(r".*(?:\d\D+\d|\d\d).*|\d+ ?[AaPp][Mm]"):
        return []
    times = [time for time in formats.TIME_FORMATS if any_matches(f".*[T ,:]{formats.format_pattern(time)}")]
    has_iso = any_matches(rf"{formats.format_pattern(formats.ISO)}(?:[T ]\d.*)?|\d{{8}}T\d\d.*")
    likely = [formats.ISO] if has_iso else []
    for day_format in formats.DAY_FORMATS:
        pattern = formats.format_pattern(day_format)
        if any_matches(pattern) and day_format != "%Y%m%d":
            likely.append(day_format)
        if any_matches(rf"{pattern}[T ,:]+\d.*"):
            separators = [text for text in (" ", "T", ", ", ":") if any_matches(rf"{pattern}{text}\d.*")]
            likely += [day_format + separator + time for separator in separators for time in times]
    clocks = (*formats.CLOCK_FORMATS, *(formats.NUMERIC_CLOCK_FORMATS if is_date else ()))
    without_day = (*formats.MONTH_FORMATS, *formats.QUARTER_FORMATS, *formats.WEEK_FORMATS, *clocks)
    return likely + [date_format for date_format in without_day if any_matches(formats.format_pattern(date_format))]


def _choose_formats(
    distinct: pd.Series, candidates: Sequence[str], cells: pd.Series, *, min_fraction: float = MIN_MATCH_FRACTION
) -> list[str]:
    """Return the format that parses most cells, then formats for the remaining ones.

    A format that swaps day and month of a chosen one is not used. If both orders parse as many cells, the dates in the
    order of the rows decide.
    """
    is_parsed = {
        date_format: ~np.isnat(parse(distinct, {"formats": [date_format], "pivot": 2000})) for date_format in candidates
    }
    chosen: list[str] = []
    is_done: np.ndarray = np.zeros(len(distinct), bool)
    while is_parsed and len(chosen) < MAX_FORMATS and not is_done.all():
        num_new = {date_format: int((mask & ~is_done).sum()) for date_format, mask in is_parsed.items()}
        best = max(num_new, key=num_new.__getitem__)  # the first maximum
        if not num_new[best]:
            break
        swapped = [
            name for name in num_new if formats.swaps_day_and_month(name, best) and num_new[name] == num_new[best]
        ]
        best = next((name for name in swapped if _prefers(name, best, cells)), best)
        chosen.append(best)
        is_done |= is_parsed[best]
        is_parsed = {
            date_format: mask
            for date_format, mask in is_parsed.items()
            if not formats.swaps_day_and_month(date_format, best)
        }
    return chosen if is_done.mean() >= min_fraction else []


def _prefers(second: str, first: str, cells: pd.Series) -> bool:
    """Return whether the dates in the order of the rows speak for the second of two formats."""
    ordered = cells.drop_duplicates().iloc[:MAX_ORDERED_CELLS]
    readings = [parse(ordered, {"formats": [date_format], "pivot": 2000}) for date_format in (first, second)]
    return prefers_second(*readings)


def _last_year(cells: pd.Series, rule: Mapping[str, Any]) -> int:
    """Return the last year of the century of two-digit years.

    No date of the column is later than now. New rows may be later than these, up to ten years; and a century that would
    divide the dates of the column in two is not possible.
    """
    now = datetime.datetime.now(datetime.UTC).year
    distinct = cells.drop_duplicates()
    timestamps = parse(distinct, {**rule, "formats": [f for f in rule["formats"] if "%y" in f], "pivot": now})
    timestamps = timestamps[~np.isnat(timestamps)]
    timestamps = shift_centuries(timestamps, now)
    years: Any = timestamps.astype("datetime64[Y]").astype("int64") + 1970
    return int(min(max(now, years.max() + 10), years.min() + 99))
