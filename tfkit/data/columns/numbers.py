"""Infer and parse number formats: 1,234.5, 1.234,5 and 1,23,456.7, with affixes such as $ and kg, and 12:30."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.affixes import (
    STARTS_LIKE_NUMBER,
    all_in_parentheses,
    describe_affixes,
    infer_affixes,
    strip_affixes,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MIN_MATCH_FRACTION = 0.95  # of the cells must match a type; the others count as missing and are reported

MAX_DISTINCT_CELLS = 10_000  # to choose a format by

MAX_AFFIX_CELLS = 1000  # distinct cells to infer currency, unit and magnitudes by

PLAIN_FORMAT = "1234.5"

CLOCK_FORMAT = "12:30:00"

_CAST_SAMPLE = 100  # cells

_DECIMAL_SAMPLE = 1000  # rows by which a decimal comma is detected

_DECIMAL_COMMA = r"\D{0,5}[-+]?(?:\d{1,3}(?:[. ]\d{3})+|\d+)(?:,\d+)?\D{0,5}"  # 1.234,5 with a currency or unit

_CERTAIN_COMMA = r",(?:\d{1,2}|\d{4,})(?:\D|$)|\.\d{3},|(?:^|\D)0,\d"  # not a thousands separator

_SPACES = " '\u2019\u00a0\u202f\u2009"  # possible thousands separators

_FORMATS = {  # format -> (pattern that all cells match, thousands separators, decimal point)
    PLAIN_FORMAT: (r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?i:inf|infinity)", "", "."),
    "1,234.5": (r"[-+]?(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?", ",", "."),
    "1.234,5": (r"[-+]?(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d+)?", ".", ","),
    "1 234.5": (rf"[-+]?(?:\d+|[1-9]\d{{0,2}}(?:[{_SPACES}]\d{{3}})+)(?:\.\d+)?", _SPACES, "."),
    "1 234,5": (rf"[-+]?(?:\d+|[1-9]\d{{0,2}}(?:[{_SPACES}]\d{{3}})+)(?:,\d+)?", _SPACES, ","),
    "1,23,456.7": (r"[-+]?(?:\d+|[1-9]\d?(?:,\d{2})*,\d{3})(?:\.\d+)?", ",", "."),
    CLOCK_FORMAT: (r"[-+]?(?:\d+ days?,? [-+]?)?\d{1,3}:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?", "", "."),
}


def number_rule(number_format: str = PLAIN_FORMAT, affixes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the rule of a number column; the default is the rule of a numeric dtype."""
    return {"kind": "number", "number_format": number_format, **({} if affixes is None else {"affixes": affixes})}


def describe_format(rule: Mapping[str, Any]) -> list[str]:
    """Describe how numbers are written, for messages; empty for the format of Python."""
    number_format, affixes = rule.get("number_format", PLAIN_FORMAT), describe_affixes(rule.get("affixes"))
    texts = ([f"as {number_format}"] if number_format != PLAIN_FORMAT else []) + (
        [f"with {affixes}"] if affixes else []
    )
    return [f"written {', '.join(texts)}"] if texts else []


def as_floats(cells: pd.Series) -> pd.Series:
    """Convert plain cells to float64 if all are numbers in Python's format.

    No cell may be missing. Other cells are returned unchanged.
    """
    import pandas as pd
    import pyarrow as pa

    values = _cast(pa.array(cells)) if cells.dtype.kind == "O" else None
    return cells if values is None else pd.Series(values.to_numpy(zero_copy_only=False), cells.index, name=cells.name)


def has_decimal_comma(frame: pd.DataFrame) -> bool:
    """Return whether a column has numbers with a decimal comma that cannot be read otherwise, such as 3,5 or 1.234,50.

    Example:
        >>> import pandas as pd
        >>> has_decimal_comma(pd.DataFrame({"a": ["1.234", "2.500"], "b": ["3,5", "12,25"]}))
        True
    """
    for _, column in frame.items():
        cells = column.iloc[:_DECIMAL_SAMPLE].dropna()
        if len(cells) and cells.dtype.kind == "O" and str(cells.iloc[0]).strip():
            text = cells.astype("str").str.strip()
            is_number = text.str.fullmatch(_DECIMAL_COMMA)
            if is_number.mean() >= MIN_MATCH_FRACTION and text[is_number].str.contains(_CERTAIN_COMMA).any():
                return True
    return False


def infer_format(
    counts: pd.Series, *, min_fraction: float = MIN_MATCH_FRACTION, decimal_comma: bool = False
) -> dict[str, Any] | None:
    """Return the rule of the number format that matches most cells.

    None if it matches less than 95% of them.

    Args:
        counts: The number of cells of each distinct string, a Series with the strings as its index.
        min_fraction: The fraction of the cells that must match.
        decimal_comma: Whether other columns of the file have a decimal comma: then 1.234 is a number with a thousands
            separator.

    Example:
        >>> import pandas as pd
        >>> infer_format(pd.Series(["1,200", "13,000", "5"]).value_counts())
        {'kind': 'number', 'number_format': '1,234.5'}
        >>> infer_format(pd.Series(["1.200", "13.000", "5"]).value_counts(), decimal_comma=True)
        {'kind': 'number', 'number_format': '1.234,5'}
    """
    sample = _subsample(counts, MAX_DISTINCT_CELLS)
    if not _any_starts_like_number(sample):
        return None
    formats = list(_FORMATS)
    if decimal_comma and counts.index.str.contains(r"[.,]").any():
        formats = sorted(formats, key=lambda name: _FORMATS[name][2] != ",")
    rules = [number_rule(number_format) for number_format in formats]
    fractions = _match_fractions(sample, rules)
    if max(fractions) < 1 and not all_in_parentheses(sample):
        subset = _subsample(sample, MAX_AFFIX_CELLS)
        affixes = infer_affixes(subset)
        with_affixes = [number_rule(name, affixes) for name in formats if name != CLOCK_FORMAT]
        if max(_match_fractions(subset, with_affixes)) >= 0.9 * min_fraction:  # most columns of text do not
            rules += with_affixes
            fractions += _match_fractions(sample, with_affixes)
    best = int(np.argmax(fractions))  # the first maximum
    return rules[best] if fractions[best] >= min_fraction else None


def parse(cells: pd.Series, rule: Mapping[str, Any]) -> np.ndarray:
    """Parse plain cells as float64 by a rule; NaN if missing or not a number.

    Times are in seconds.
    """
    import pyarrow as pa
    from pyarrow import compute

    if cells.dtype.kind == "f":
        return cells.to_numpy("float64")
    if cells.dtype.kind == "M":
        return np.full(len(cells), np.nan)
    text = pa.array(cells, from_pandas=True)
    is_plain = rule["number_format"] == PLAIN_FORMAT and "affixes" not in rule
    values = _cast(text) if is_plain else None
    if values is None:
        digits, is_match = _strip_format(text, rule)
        if rule["number_format"] == CLOCK_FORMAT:
            return _to_seconds(digits, is_match)
        values = compute.cast(compute.if_else(is_match, digits, None), pa.float64())
    return np.array(values.to_numpy(zero_copy_only=False))


def _cast(text: pa.Array) -> pa.Array | None:
    """Cast all cells at once; None if a cell is not a number.

    This is the usual case, and ten times faster.
    """
    import pyarrow as pa
    from pyarrow import compute

    try:
        compute.cast(text[:_CAST_SAMPLE], pa.float64())  # a failing cast takes ten times as long: most fail here
        return compute.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return None


def _subsample(counts: pd.Series, max_cells: int) -> pd.Series:
    return counts.iloc[:: max(1, -(-len(counts) // max_cells))]


def _any_starts_like_number(counts: pd.Series) -> bool:
    """Return whether any string starts like a number.

    The test is cheap, and most columns of text fail it.
    """
    import pyarrow as pa
    from pyarrow import compute

    return bool(compute.any(compute.match_substring_regex(pa.array(counts.index), STARTS_LIKE_NUMBER)).as_py())


def _match_fractions(counts: pd.Series, rules: list[dict[str, Any]]) -> list[float]:
    """Return the fraction of cells that each rule parses.

    `counts` is as in `infer_format`.
    """
    import pyarrow as pa

    text, weights = pa.array(counts.index), counts.to_numpy()
    matches = (_strip_format(text, rule)[1].to_numpy(zero_copy_only=False) for rule in rules)
    return [float(weights[is_match].sum() / weights.sum()) for is_match in matches]


def _strip_format(text: pa.Array, rule: Mapping[str, Any]) -> tuple[pa.Array, pa.Array]:
    """Reduce strings to digits, sign and decimal point.

    Also return which of them match the format.
    """
    import pyarrow as pa
    from pyarrow import compute

    pattern, separators, decimal_point = _FORMATS[rule["number_format"]]
    exponents = None
    if "affixes" in rule:
        text, exponents, is_number = strip_affixes(text, rule["affixes"])
    is_match = compute.match_substring_regex(text, f"^(?:{pattern})$")
    if separators:
        text = compute.replace_substring_regex(text, f"[{re.escape(separators)}]", "")
    if decimal_point != ".":
        text = compute.replace_substring(text, decimal_point, ".")
    if exponents is not None:
        text = compute.binary_join_element_wise(text, exponents, pa.scalar("", text.type))
        is_match = compute.and_(is_match, is_number)
    return text, is_match


def _to_seconds(text: pa.Array, is_match: pa.Array) -> np.ndarray:
    """Convert times such as 12:30, 12:30:05.5 and 1 days 02:00:00 to seconds."""
    import pandas as pd

    times = text.to_pandas().where(is_match.to_pandas().fillna(False).astype(bool))
    times = times.str.replace(r"^([^:]*:\d+)$", r"\1:00", regex=True)
    return pd.to_timedelta(times, errors="coerce").dt.total_seconds().to_numpy("float64")
