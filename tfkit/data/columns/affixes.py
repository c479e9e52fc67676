"""Currencies, units, magnitudes and signs around a number: $5, 48.1 kg, 1.2M, (12.50), 10,000+."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MAGNITUDES = {  # text after a number, in lower case -> power of ten
    **dict.fromkeys(("k", "thousand"), 3),
    **dict.fromkeys(("lakh", "lakhs", "lac"), 5),
    **dict.fromkeys(("m", "mn", "mio", "million"), 6),
    **dict.fromkeys(("cr", "crore", "crores"), 7),
    **dict.fromkeys(("b", "bn", "billion"), 9),
    **dict.fromkeys(("t", "tn", "trillion"), 12),
}

CURRENCY_CODES = set(
    "AED ARS AUD BDT BGN BRL BTC CAD CHF CLP CNY COP CZK DKK EGP ETH EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW KZT "
    "LKR MAD MXN MYR NGN NOK NPR NZD PEN PHP PKR PLN QAR RMB RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR "
    "Rs Rs. Fr Fr. kr kr. zł".split()
)

_UNITS_WITHOUT_K = {"m", "b", "t", "T"}  # metres, bytes, tonnes, unless the column also has another magnitude

_NOT_UNITS = {"am", "pm", "a.m.", "p.m.", "st", "nd", "rd", "th"}  # clocks and ordinals

_MAX_SUFFIXES = 20  # different texts after a number that are looked at

_MIN_AFFIXES = 0.5  # of the cells must have the currency or unit

_MIN_SUFFIXES = 0.05  # of the cells must have a text after the number, for it to be looked at

_SPACE = "[\\s\u00a0\u202f\u2009]"  # RE2 knows only the white space of ASCII as \\s

_APOSTROPHES = "'\u2019"

_SIGNS = (  # pattern, replacement: other minus signs, accounting parentheses, a sign at the end
    ("[\u2212\u2013\ufe63\uff0d]", "-"),
    (r"^([^()\d]*)\(\s*([^()-]*\d[^()-]*?)\s*\)([^()\d]*)$", r"-\1\2\3"),
    (rf"^([^-+].*?){_SPACE}?-$", r"-\1"),
    (rf"^(.*\d[^\d+]*?){_SPACE}?\+$", r"\1"),
)

_PREFIX = r"\p{L}{0,3}\p{Sc}|\p{L}{2,3}\.?"

_CELL = (
    rf"^[-+]?{_SPACE}?(?P<prefix>{_PREFIX})?{_SPACE}?[-+]?{_SPACE}?\.?\d(?:[\d.,{_APOSTROPHES}]|{_SPACE})*?"
    rf"(?P<space>{_SPACE}?)(?P<suffix>[^\d\s.,{_APOSTROPHES}()+-][^(),+]{{0,14}})?$"
)

_CODE = r"^[-+]?(?:0\d|\d{17,}$)"  # 00123 A is a code, not a number

STARTS_LIKE_NUMBER = rf"^[-+.(−\s]*(?:{_PREFIX})?(?:[-+.(−]|{_SPACE})*(?:\d|(?i:inf))"


def infer_affixes(counts: pd.Series) -> dict[str, Any]:
    """Infer what stands before and after the numbers of a column: the most frequent currency or unit, magnitudes.

    Args:
        counts: The number of cells of each distinct string, a Series with the strings as its index.

    Example:
        >>> import pandas as pd
        >>> infer_affixes(pd.Series(["USD 1.2M", "USD (450K)"]).value_counts())
        {'prefix': 'USD', 'suffix': '', 'magnitudes': True}
        >>> infer_affixes(pd.Series(["48.1 kg", "50 kg"]).value_counts())
        {'prefix': '', 'suffix': 'kg', 'magnitudes': False}
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import compute

    cells = compute.extract_regex(normalize_signs(pa.array(counts.index)), _CELL)
    frame = pd.DataFrame(
        {name: compute.struct_field(cells, name).to_pandas() for name in ("prefix", "space", "suffix")}
    )
    frame = frame.fillna("").assign(count=counts.to_numpy() / counts.sum())
    prefixes = frame.groupby("prefix")["count"].sum()
    suffixes = frame.groupby("suffix")["count"].sum().nlargest(_MAX_SUFFIXES)
    suffixes = suffixes[[text != "" and text.lower() not in _NOT_UNITS for text in suffixes.index]]
    suffixes = suffixes[suffixes >= _MIN_SUFFIXES]
    spaced = set(frame.loc[frame["space"] != "", "suffix"])
    magnitudes = _are_magnitudes(suffixes.index.to_list(), spaced)
    units = [_singular(_split_magnitude(text)[1] if magnitudes else text) for text in suffixes.index]
    units = suffixes.groupby(units).sum()
    if magnitudes and len(units) > 1:  # 12A and 14B are not 12 and 14 billion
        magnitudes, units = False, units[:0]
    return {
        "prefix": _most_frequent(prefixes[[_is_currency(text) for text in prefixes.index]]),
        "suffix": _most_frequent(units),
        "magnitudes": magnitudes,
    }


def all_in_parentheses(counts: pd.Series) -> bool:
    """Whether every string is in parentheses, so that these do not mean a negative number."""
    return bool(counts.index.str.fullmatch(r"\s*\(.*\)\s*").all())


def normalize_signs(text: pa.Array) -> pa.Array:
    """Write every negative number with a leading hyphen, and drop a plus at the end."""
    from pyarrow import compute

    text = compute.utf8_trim_whitespace(text)
    for pattern, replacement in _SIGNS:
        text = compute.replace_substring_regex(text, pattern, replacement)
    return text


def strip_affixes(text: pa.Array, affixes: Mapping[str, Any]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Reduce strings to the number.

    Returns:
        The numbers, an exponent such as "e6" or "" for each, and whether each is a number with these affixes.
    """
    import pyarrow as pa
    from pyarrow import compute

    text = normalize_signs(text)
    if affixes["prefix"]:
        text = compute.replace_substring_regex(
            text, rf"^([-+]?){_SPACE}?{re.escape(affixes['prefix'])}{_SPACE}?([-+]?){_SPACE}?", r"\1\2"
        )
    if affixes["suffix"]:
        text = compute.replace_substring_regex(text, rf"(?i){_SPACE}?{re.escape(affixes['suffix'])}s?$", "")
    exponents = pa.array([""] * len(text), text.type)
    if affixes["magnitudes"]:
        tokens = compute.struct_field(
            compute.extract_regex(text, rf"\d\.?{_SPACE}?(?P<token>\p{{L}}+)$"), "token"
        ).to_pandas()
        exponents = pa.array(
            tokens.str.lower().map({token: f"e{power}" for token, power in MAGNITUDES.items()}).fillna("").to_list(),
            text.type,
        )
        has_exponent = compute.not_equal(exponents, "")
        text = compute.if_else(has_exponent, compute.replace_substring_regex(text, rf"{_SPACE}?\p{{L}}+$", ""), text)
    return text, exponents, compute.invert(compute.match_substring_regex(text, _CODE))


def describe_affixes(affixes: Mapping[str, Any] | None) -> str:
    """Describe affixes for messages; empty for a number without any.

    Example:
        >>> describe_affixes({"prefix": "USD", "suffix": "", "magnitudes": True})
        "'USD' before the number, K, M, B as thousand, million, billion"
    """
    if affixes is None:
        return ""
    texts = [f"{affixes[key]!r} {position} the number" for key, position in _POSITIONS.items() if affixes[key]]
    texts += ["K, M, B as thousand, million, billion"] if affixes["magnitudes"] else []
    return ", ".join(texts) or "signs such as (5), 5- and 5+"


_POSITIONS = {"prefix": "before", "suffix": "after"}


def _are_magnitudes(suffixes: list[str], spaced: set[str]) -> bool:
    """Whether texts after numbers are magnitudes: `300 K`, all with a space and one letter, is a unit."""
    tokens = {token for token, _ in map(_split_magnitude, suffixes) if token}
    is_unit = len(tokens) == 1 and len(max(tokens)) == 1 and bool(tokens & spaced)
    return bool(tokens - _UNITS_WITHOUT_K) and not is_unit


def _is_currency(prefix: str) -> bool:
    return prefix != "" and (not prefix.rstrip(".").isalpha() or prefix in CURRENCY_CODES)


def _most_frequent(fractions: pd.Series) -> str:
    """Return the text that most cells have; empty if it is not in half of them."""
    return str(fractions.idxmax()) if fractions.max() >= _MIN_AFFIXES else ""


def _split_magnitude(suffix: str) -> tuple[str, str]:
    """Split the text after a number into magnitude and unit: "M USD" is ("M", "USD"), "kg" is ("", "kg")."""
    match = re.match(r"^([^\W\d_]+)(?:\s+(.+)|([^\w\s]+))?$", suffix)
    if match and match[1].lower() in MAGNITUDES:
        return match[1], match[2] or match[3] or ""
    return "", suffix


def _singular(unit: str) -> str:
    return unit[:-1] if len(unit) > 3 and unit.endswith("s") else unit
