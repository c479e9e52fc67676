"""Numbers as people write them: 1,234.5 and 1.234,5, $1,200, 12% and 12:30. How is learnt once and kept."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

MOST = 0.95  # share of the cells that must fit a kind; the rest counts as missing and is said
FEW = 10_000  # distinct cells that a form is chosen by
PLAIN = "1234.5"
CLOCK = "12:30:00"

_GAPS = " '\u00a0\u202f\u2009"  # what may stand between thousands
_WRITTEN = {  # how numbers are written -> (all cells look like this, taken away, the decimal point)
    PLAIN: (r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?i:inf|infinity)", "", "."),
    "1,234.5": (r"[-+]?(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?", ",", "."),
    "1.234,5": (r"[-+]?(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d+)?", ".", ","),
    "1 234.5": (rf"[-+]?(?:\d+|[1-9]\d{{0,2}}(?:[{_GAPS}]\d{{3}})+)(?:\.\d+)?", _GAPS, "."),
    "1 234,5": (rf"[-+]?(?:\d+|[1-9]\d{{0,2}}(?:[{_GAPS}]\d{{3}})+)(?:,\d+)?", _GAPS, ","),
    CLOCK: (r"[-+]?(?:\d+ days?,? [-+]?)?\d{1,3}:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?", "", "."),
}
_SIGNS = r"^([-+]?)[$€£¥₹]\s?|\s?[$€£¥₹%]$"  # what may stand beside a number


def rule_of(written: str = PLAIN, signs: bool = False) -> dict[str, Any]:
    """The rule of a column of numbers, without a word of those that are numbers already."""
    return {"kind": "number", "written": written, "signs": signs}


def as_floats(cells: Any) -> Any:
    """Plain cells, none missing, as float64 if each is a number as Python writes it; else as they are."""
    import pandas as pd
    import pyarrow as pa

    values = _cast(pa.array(cells)) if cells.dtype.kind == "O" else None
    return cells if values is None else pd.Series(values.to_numpy(zero_copy_only=False), cells.index, name=cells.name)


def find(counts: Any) -> dict[str, Any] | None:
    """How the numbers of a column of words are written: the form that reads most cells, if it reads 95% of them.

    Args:
        counts: How often each distinct word stands there, a Series with the words as its index.

    Example:
        >>> import pandas as pd
        >>> find(pd.Series(["1,200", "13,000", "5"]).value_counts())
        {'kind': 'number', 'written': '1,234.5', 'signs': False}
    """
    few = counts.iloc[:: max(1, -(-len(counts) // FEW))]
    if not _look_right(few):
        return None
    forms = [rule_of(written, signs) for signs in (False, True) for written in _WRITTEN]
    shares = _shares(few, forms)
    best = int(np.argmax(shares))  # the first of the best
    return forms[best] if shares[best] >= MOST else None


def read(cells: Any, rule: Mapping[str, Any]) -> np.ndarray:
    """Plain cells as float64 by a rule, times in seconds; NaN where they are missing or no numbers."""
    import pyarrow as pa
    from pyarrow import compute

    if cells.dtype.kind == "f":
        return cells.to_numpy("float64")
    if cells.dtype.kind == "M":
        return np.full(len(cells), np.nan)
    text = pa.array(cells, from_pandas=True)
    values = _cast(text) if rule["written"] == PLAIN and not rule["signs"] else None
    if values is None:
        bare, fits = _bare(text, rule)
        if rule["written"] == CLOCK:
            return _seconds(bare, fits)
        values = compute.cast(compute.if_else(fits, bare, None), pa.float64())
    return np.array(values.to_numpy(zero_copy_only=False))


def _cast(text: Any) -> Any:
    """All cells as numbers at once, the usual case and ten times faster; None where one is none."""
    import pyarrow as pa
    from pyarrow import compute

    try:
        compute.cast(text[:100], pa.float64())  # a cast that fails takes ten times as long: most fail here
        return compute.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return None


def _look_right(counts: Any) -> bool:
    """Whether any word begins like a number: cheap, and most words do not."""
    import pyarrow as pa
    from pyarrow import compute

    return bool(
        compute.any(compute.match_substring_regex(pa.array(counts.index), r"^[-+.$€£¥₹ ]*(?:\d|(?i:inf))")).as_py()
    )


def _shares(counts: Any, forms: list[dict[str, Any]]) -> list[float]:
    """The share of the cells that each form reads; `counts`: how often each distinct word stands there."""
    import pyarrow as pa

    text, weights = pa.array(counts.index), counts.to_numpy()
    return [float(weights[_bare(text, form)[1].to_numpy(zero_copy_only=False)].sum() / weights.sum()) for form in forms]


def _bare(text: Any, rule: Mapping[str, Any]) -> tuple[Any, Any]:
    """The words with nothing but digits, sign and point, and which of them are numbers of that form."""
    from pyarrow import compute

    pattern, away, point = _WRITTEN[rule["written"]]
    if rule["signs"]:
        text = compute.replace_substring_regex(text, _SIGNS, r"\1")
    fits = compute.match_substring_regex(text, f"^(?:{pattern})$")
    if away:
        text = compute.replace_substring_regex(text, f"[{re.escape(away)}]", "")
    if point != ".":
        text = compute.replace_substring(text, point, ".")
    return text, fits


def _seconds(words: Any, fits: Any) -> np.ndarray:
    """The seconds of times such as 12:30, 12:30:05.5 and 1 days 02:00:00."""
    import pandas as pd

    words = words.to_pandas().where(fits.to_pandas().fillna(False).astype(bool))
    words = words.str.replace(r"^([^:]*:\d+)$", r"\1:00", regex=True)
    return pd.to_timedelta(words, errors="coerce").dt.total_seconds().to_numpy("float64")
