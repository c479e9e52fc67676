"""Write times in the form in which a column writes them."""

from __future__ import annotations

import datetime
import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.dates.formats import EPOCH_UNITS, ISO
from tfkit.data.columns.dates.parsing import parse, utc_offsets

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE_CELLS = 200

_ISO_CELL = re.compile(
    r"(?P<date>\d{4}-\d\d?-\d\d?|\d{4}-\d\d?|\d{8})(?:(?P<separator>[T ])(?P<hour>\d\d?)(?P<colon>:?)"
    r"(?P<minute>\d\d)?(?::?(?P<second>\d\d))?(?:\.(?P<fraction>\d+))?)?(?P<zone>\s?(?:Z|[+-]\d\d(?::?\d\d)?))?"
)

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_DIRECTIVES = {  # those of strftime, with a fixed width of the year, and "-" before a number without leading zeros
    "%Y": lambda time: f"{time.year:04d}",
    "%y": lambda time: f"{time.year % 100:02d}",
    "%m": lambda time: f"{time.month:02d}",
    "%d": lambda time: f"{time.day:02d}",
    "%H": lambda time: f"{time.hour:02d}",
    "%I": lambda time: f"{(time.hour - 1) % 12 + 1:02d}",
    "%M": lambda time: f"{time.minute:02d}",
    "%S": lambda time: f"{time.second:02d}",
    "%p": lambda time: "AM" if time.hour < 12 else "PM",
    "%b": lambda time: _MONTHS[time.month - 1][:3],
    "%B": lambda time: _MONTHS[time.month - 1],
    "%a": lambda time: _WEEKDAYS[time.weekday()],
    "%q": lambda time: str((time.month + 2) // 3),
    "%G": lambda time: f"{time.isocalendar()[0]:04d}",
    "%V": lambda time: f"{time.isocalendar()[1]:02d}",
    "%u": lambda time: str(time.isoweekday()),
    "%f": lambda time: f"{time.microsecond:06d}",
}


def infer_layout(cells: pd.Series, rule: dict[str, Any]) -> str | None:
    """Return the layout that most cells of a date column have; None for dates that are not text.

    A layout is the format with details: `%-d` is a day without a leading zero, `%3f` has three digits of the second,
    `%:z` is an offset such as +02:00, `upper:` and `lower:` change the case of letters.

    Args:
        cells: Plain cells, none missing.
        rule: Result of `infer_format`.

    Example:
        >>> import pandas as pd
        >>> infer_layout(pd.Series(["2024-01-31T12:30:00.5Z"]), {"formats": ["ISO8601"]})
        '%Y-%m-%dT%H:%M:%S.%1fZ'
        >>> infer_layout(pd.Series(["1/2/2024", "10/2/2024"]), {"formats": ["%d/%m/%Y"]})
        '%-d/%-m/%Y'
    """
    if cells.dtype.kind == "M":
        return None
    date_format = rule["formats"][0]
    if cells.dtype.kind == "f" or date_format in EPOCH_UNITS:
        return date_format
    sample = cells.drop_duplicates()
    sample = sample.iloc[:: -(-len(sample) // _SAMPLE_CELLS)]
    sample = sample[~np.isnat(parse(sample, {**rule, "formats": [date_format]}))]
    if not len(sample):
        return None
    if date_format == ISO:
        return Counter(_iso_layout(cell) for cell in sample).most_common(1)[0][0]
    offsets = utc_offsets(sample)
    times, cell_list = parse(sample, rule) + offsets, sample.tolist()

    def num_equal(layout: str) -> int:
        return sum(map(str.__eq__, format_times(times, layout, offsets), cell_list))

    return max(_variants(date_format), key=num_equal)  # the first maximum


def format_times(times: np.ndarray, layout: str | None, offsets: np.ndarray | None = None) -> list[str]:
    """Format local times, datetime64[us].

    Args:
        times: Local times.
        layout: Result of `infer_layout`; None for the date, followed by the time of day unless it is midnight.
        offsets: Local time minus UTC, timedelta64[us]; None for 0.

    Example:
        >>> format_times(np.array(["1960-02-01"], "datetime64[us]"), "%YM%m")
        ['1960M02']
    """
    times = np.asarray(times, "datetime64[us]")
    if layout is None:
        texts = [text.replace("T", " ") for text in np.datetime_as_string(times)]
        return [text.removesuffix(".000000").removesuffix(" 00:00:00") for text in texts]
    if offsets is None:
        offsets = np.zeros(len(times), "timedelta64[us]")
    if layout in EPOCH_UNITS:
        return [_epoch_text(int(value), EPOCH_UNITS[layout][2]) for value in (times - offsets).astype("int64")]
    minutes: list[int] = offsets.astype("timedelta64[m]").astype("int64").tolist()
    function = {"upper": str.upper, "lower": str.lower}.get(layout.partition(":")[0])
    pattern = layout.partition(":")[2] if function else layout
    tokens = re.findall(r"%[-:]?\d?[A-Za-z]|[^%]+", pattern)
    moments = times.astype(object).tolist()
    texts = [
        "".join(_format_token(token, moment, offset) for token in tokens)
        for moment, offset in zip(moments, minutes, strict=True)
    ]
    return [function(text) for text in texts] if function else texts


def _iso_layout(cell: str) -> str:
    """Return the layout of an ISO 8601 cell."""
    match = _ISO_CELL.fullmatch(cell)
    if match is None:
        return "%Y-%m-%d"
    date = match["date"]
    layout = "%Y%m%d" if "-" not in date else "-".join(("%Y", "%m", "%d")[: date.count("-") + 1])
    if re.search(r"-\d(?!\d)", date):
        layout = layout.replace("%m", "%-m").replace("%d", "%-d")
    if match["separator"]:
        colon = match["colon"]
        layout += match["separator"] + "%H"
        layout += f"{colon}%M" if match["minute"] else ""
        layout += f"{colon}%S" if match["second"] else ""
        layout += f".%{min(len(match['fraction']), 9)}f" if match["fraction"] else ""
    zone = match["zone"] or ""
    space, sign = (" " if zone.startswith(" ") else ""), zone.strip()
    return layout + space + ("Z" if sign == "Z" else {0: "", 3: "%2z", 5: "%z"}.get(len(sign), "%:z"))


def _variants(date_format: str) -> list[str]:
    """Return the layouts of a format: with or without leading zeros, in upper or lower case."""
    cases = ("", "upper:", "lower:") if re.search("%[bBapqV]|M%m", date_format) else ("",)
    dates = {date_format, re.sub("%([mdV])", r"%-\1", date_format)}
    layouts = sorted(dates, key=len) + sorted({re.sub("%([HI])", r"%-\1", text) for text in dates} - dates, key=len)
    fractions = [f"%{digits}f" for digits in (6, 3, 1, 2, 4, 5, 9)] if "%f" in date_format else ["%f"]
    zones = ("%:z", "%z", "Z") if "%z" in date_format else ("%z",)
    return [
        case + layout.replace("%f", fraction).replace("%z", zone)
        for case, layout, fraction, zone in itertools.product(cases, layouts, fractions, zones)
    ]


def _format_token(token: str, moment: datetime.datetime, offset: int) -> str:
    if token[0] != "%":
        return token
    if token.endswith("f"):
        return f"{moment.microsecond:06d}000"[: int(token[1:-1] or 6)]
    if token.endswith("z"):
        sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
        colon = ":" if ":" in token else ""
        return f"{sign}{hours:02d}" + ("" if "2" in token else f"{colon}{minutes:02d}")
    if token[1] == "-":
        return _DIRECTIVES["%" + token[2:]](moment).lstrip("0") or "0"
    return _DIRECTIVES[token](moment)


def _epoch_text(microseconds: int, units_per_second: int) -> str:
    value, remainder = divmod(microseconds * units_per_second, 10**6)
    return str(value) if not remainder else f"{microseconds * units_per_second / 1e6:.6f}".rstrip("0")
