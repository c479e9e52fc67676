"""Formats of dates and times: their directives, and the patterns of the text that they match."""

import re

ISO = "ISO8601"

DAY_FORMATS = (
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
    "%d %b %y",
    "%d%b%Y",
    "%d%b%y",
    "%Y-%b-%d",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d.%m.%y",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y-%m-%d",
    "%a %b %d %Y",
    "%a, %d %b %Y",
)

MONTH_FORMATS = (
    "%b-%Y",
    "%b %Y",
    "%b/%Y",
    "%b%Y",
    "%b, %Y",
    "%B %Y",
    "%B-%Y",
    "%B, %Y",
    "%b-%y",
    "%b %y",
    "%b'%y",
    "%b%y",
    "%Y-%b",
    "%Y %b",
    "%Y %B",
    "%Y%b",
    "%y-%b",
    "%m/%Y",
    "%m-%Y",
    "%Y/%m",
    "%YM%m",
    "%Y-M%m",
)

QUARTER_FORMATS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "%Y/Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "Q%q%Y", "%qQ%Y", "%qQ %Y")

WEEK_FORMATS = ("%G-W%V", "%GW%V", "%G W%V", "%G-W%V-%u", "%GW%V%u", "W%V %G", "W%V-%G", "W%V/%G")

CLOCK_FORMATS = ("%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p", "%I %p", "%I%p", "%H.%M.%S")  # without a date

NUMERIC_CLOCK_FORMATS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")  # numbers of seconds, unless the user sets the type

TIME_FORMATS = (
    "%H:%M",
    "%H:%M:%S",
    "%H:%M:%S.%f",
    "%H.%M.%S",
    "%H.%M",
    "%I:%M %p",
    "%I:%M:%S %p",
    "%I:%M%p",
    "%I:%M:%S%p",
    "%I %p",
    "%I%p",
    "%H%M",
    "%H%M%S",
    "%H",
    "%H:%M:%S %z",
    "%H:%M:%S%z",
    "%H:%M %z",
    "%H:%M%z",
)

DIGIT_FORMATS = {  # number of digits -> formats; ambiguous with numbers
    4: ("%Y",),
    6: ("%Y%m",),
    8: ("%Y%m%d",),
    10: ("%Y%m%d%H", "seconds"),
    12: ("%Y%m%d%H%M", "milliseconds"),
    14: ("%Y%m%d%H%M%S",),
}

EPOCH_UNITS = {  # of numbers since 1970: first and last number, and units per second; the years 1973 to 2286
    "seconds": (10**8, 10**10, 1),
    "milliseconds": (10**11, 10**13, 10**3),
    "microseconds": (10**14, 10**16, 10**6),
    "nanoseconds": (10**17, 10**19, 10**9),
}

_DIRECTIVE_PATTERNS = {
    "%Y": r"\d{4}",
    "%G": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d\d?",
    "%d": r"\d\d?",
    "%b": "(?:[A-Za-z]{3}|Sept)",
    "%B": "[A-Za-z]{3,9}",
    "%a": "[A-Za-z]{3}",
    "%q": "[1-4]",
    "%V": r"\d\d?",
    "%u": "[1-7]",
    "%H": r"\d\d?",
    "%I": r"\d\d?",
    "%M": r"\d\d",
    "%S": r"\d\d",
    "%f": r"\d{1,9}",
    "%p": "(?:[AaPp][Mm])",
    "%z": r"(?:Z|[+-]\d\d:?\d\d)",
}


def format_pattern(date_format: str) -> str:
    """Return the regular expression of the text that a format matches.

    Example:
        >>> format_pattern("%d.%m.%Y")
        '\\\\d\\\\d?\\\\.\\\\d\\\\d?\\\\.\\\\d{4}'
    """
    if date_format == ISO:
        return r"\d{4}-\d\d?(?:-\d\d?)?"
    if date_format == "%Y%m%d":
        return r"(?:1[5-9]|2[0-2])\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    if re.fullmatch(r"(%[YmdHMS]){2,}", date_format):  # no separators: every part has its full width
        return re.sub("%.", lambda match: r"\d{4}" if match[0] == "%Y" else r"\d\d", date_format)
    pattern = re.sub(
        r"%[a-zA-Z]|[^%\w\s]", lambda match: _DIRECTIVE_PATTERNS.get(match[0], re.escape(match[0])), date_format
    )
    return f"(?i:{pattern})" if re.search("[QWM]%|%qQ", date_format) else pattern


def is_clock(date_format: str) -> bool:
    """Return whether a format has a time of day and no date."""
    return date_format not in EPOCH_UNITS and not re.search("%[YyG]|ISO", date_format)


def swaps_day_and_month(first: str, second: str) -> bool:
    """Return whether two formats start with day and month in opposite order.

    They must have the same separator.
    """
    matches = [re.match("%([dm])([-/.])%[dm]", date_format) for date_format in (first, second)]
    orders = [(match[1], match[2]) for match in matches if match]
    return len(orders) == 2 and orders[0][0] != orders[1][0] and orders[0][1] == orders[1][1]
