"""Format numbers, percentages, intervals, sizes and names for people."""

import math
from collections.abc import Sequence
from typing import Any


def format_number(value: Any) -> str:
    """Format a number with four significant digits; integers stay exact.

    Example:
        >>> format_number(0.123456), format_number(12345.678), format_number(7), format_number(None)
        ('0.1235', '12,346', '7', '')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value + 0.0:.4g}"


def format_alike(values: Sequence[float | None]) -> list[str]:
    """Format numbers to be compared with the same number of decimals; None is an empty string.

    Example:
        >>> format_alike([2.26, 0.4723, 1.445]), format_alike([123.4, 0.5]), format_alike([12345.6, None])
        (['2.2600', '0.4723', '1.4450'], ['123.40', '0.50'], ['12,346', ''])
    """
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value)]
    digits = math.floor(math.log10(max(sizes))) if sizes and max(sizes) > 0 else 0
    decimals = min(max(4 - max(digits, 0), 0), 4) if digits >= -2 else 3 - digits
    return ["" if value is None else f"{value + 0.0:,.{decimals}f}" for value in values]


def format_percent(share: float) -> str:
    """Format a fraction as a percentage.

    Example:
        >>> format_percent(0.1234), format_percent(0.0012), format_percent(1)
        ('12.3%', '0.12%', '100%')
    """
    return f"{share:.0%}" if share in (0, 1) else f"{share:.2%}" if abs(share) < 0.01 else f"{share:.1%}"


def format_interval(ends: Sequence[float] | None) -> str:
    """Format an interval; None is an empty string.

    Example:
        >>> format_interval([0.1, 0.25])
        '0.1 to 0.25'
    """
    return f"{format_number(ends[0])} to {format_number(ends[1])}" if ends else ""


def shorten(text: str, length: int) -> str:
    """Cut a text that is longer than `length` characters.

    Example:
        >>> shorten("learning_rate=0.001", 14)
        'learning_rate…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


def format_size(bytes: int) -> str:
    """Format a file size in MB or kB.

    Example:
        >>> format_size(1_234_567)
        '1.2 MB'
    """
    return f"{bytes / 1e6:.1f} MB" if bytes >= 1e6 else f"{bytes / 1e3:.0f} kB"


def display_name(name: str) -> str:
    """Return the display name of a metric or a setting.

    Example:
        >>> display_name("roc_auc"), display_name("root_mean_squared_error")
        ('ROC AUC', 'root mean squared error')
    """
    acronyms = {"roc": "ROC", "auc": "AUC", "f1": "F1", "r2": "R2", "mase": "MASE", "smape": "sMAPE"}
    return " ".join(acronyms.get(part, part) for part in name.split("_"))
