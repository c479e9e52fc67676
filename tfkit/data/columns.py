"""What a column of a table is, and how its cells become numbers or words: rules that are learnt once and kept."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data import dates, numbers
from tfkit.data.cells import by_distinct, plain, spelled

LEFT_OUT = {  # kinds that are of no use, and why
    "text": "text too varied to be a category",
    "identifier": "tells rows apart and nothing else",
    "constant": "the same in every row",
    "empty": "missing in every row",
}
YES = ("yes", "y", "true", "t", "1", "on")
NO = ("no", "n", "false", "f", "0", "off")
LARGEST = 1e37  # larger numbers count as infinite: the difference of two of them must be a float32


def infer(cells: Any, kind: str | None = None) -> dict[str, Any]:
    """The rule of a column, from its training cells: its kind, and how a cell is read.

    Args:
        cells: A pandas Series of any dtype.
        kind: A kind the user has set, one of number, category, date; None to find it.

    Returns:
        A plain dictionary with `kind` (number, category, yes/no, date, text, identifier, constant, empty) and what
        reading needs, fit for JSON.

    Raises:
        ValueError: If the user's kind does not fit the cells.

    Example:
        >>> import pandas as pd
        >>> infer(pd.Series(["1,200", "13,000", None]))
        {'kind': 'number', 'written': '1,234.5', 'signs': False}
        >>> infer(pd.Series(["yes", "no", "yes"]))
        {'kind': 'yes/no', 'words': ['no', 'yes']}
    """
    cells = plain(cells)
    present = cells.dropna()
    if kind is not None:
        return _as_set(present, kind)
    if not len(present):
        return {"kind": "empty"}
    if len(present) == len(cells) and (present == present.iloc[0]).all():
        return {"kind": "constant"}
    values = numbers.as_floats(present)
    rule = _number(values)
    if rule and not (rule["written"] == numbers.PLAIN and is_code(present)):
        return _kind_of_numbers(values, rule, len(cells), str(cells.name))
    return dates.find(present) or _kind_of_words(present)


def convert(cells: Any, rule: dict[str, Any]) -> tuple[dict[str, np.ndarray], int]:
    """Cells as raw values by a rule: float32 with NaN where missing, or strings with "" where missing.

    Args:
        cells: A pandas Series of any dtype.
        rule: What `infer` gave for the training cells.

    Returns:
        A dictionary of arrays `(rows,)`, one with the key "" or one for each part of a date, and how many cells did not
        fit the rule and count as missing.
    """
    cells = plain(cells)
    if rule["kind"] == "date":
        arrays = dates.parts(cells, rule)
    elif "written" in rule:
        arrays = {"": _numbers(cells, rule)}
    elif rule["kind"] == "yes/no":
        arrays = {"": by_distinct(cells, lambda words: _yes_no(words, rule["words"]))}
    else:
        arrays = {"": spelled(cells)}
    values = next(iter(arrays.values()))
    absent = values == "" if values.dtype == object else np.isnan(values)
    return arrays, int(absent.sum() - cells.isna().sum())


def is_code(present: Any) -> bool:
    """Whether digits are a name and no number: 01067 is a post code, and 17 digits no float64 can tell apart."""
    import pyarrow as pa
    from pyarrow import compute

    if present.dtype.kind != "O":
        return False
    words = pa.array(present)
    codes = compute.match_substring_regex(words, r"^(?:0\d+|[1-9]\d{16,})$")
    share = compute.mean(codes).as_py()
    return share > 1 - numbers.MOST or (share > 0 and len(compute.unique(compute.utf8_length(words))) == 1)


def _as_set(present: Any, kind: str) -> dict[str, Any]:
    """The rule of a kind that the user has set."""
    if kind == "category":
        return {"kind": "category"}
    rule = _number(numbers.as_floats(present)) if kind == "number" else dates.find(present, asked=True)
    if not rule:
        some = ", ".join(repr(str(word)) for word in present.unique()[:3])
        what = "numbers" if kind == "number" else "dates in a form that is known"
        raise ValueError(f"does not hold {what}" + (f", such as {some}" if some else ": it is empty"))
    return rule


def _number(present: Any) -> dict[str, Any] | None:
    if not len(present) or present.dtype.kind == "M":
        return None
    return numbers.rule_of() if present.dtype.kind == "f" else numbers.find(present.value_counts())


def _numbers(cells: Any, rule: dict[str, Any]) -> np.ndarray:
    """Numbers `(rows,)` float32, NaN where missing or infinite."""
    if rule["kind"] == "yes/no" and cells.dtype.kind == "O":
        cells = cells.str.lower().replace({**dict.fromkeys(YES, "1"), **dict.fromkeys(NO, "0")})
    values = numbers.read(cells, rule)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= LARGEST, values, np.nan).astype("float32")


def _kind_of_numbers(present: Any, rule: dict[str, Any], rows: int, name: str) -> dict[str, Any]:
    """A number, unless the cells say otherwise: the same in every row, yes and no, a row's own number."""
    import pandas as pd

    values = numbers.read(present, rule)
    values = values[np.isfinite(values)]
    distinct = pd.unique(values)
    if not len(distinct):
        return {"kind": "empty"}
    if len(distinct) == 1:
        return {"kind": "constant"} if len(values) == rows else rule
    if len(distinct) == 2 and set(distinct) == {0.0, 1.0}:
        return {**rule, "kind": "yes/no"}
    if len(distinct) == len(values) >= 50 and (distinct % 1 == 0).all():
        dense = distinct.max() - distinct.min() < 2 * len(distinct)
        if dense or re.search(r"(^|[\s_\-.])(id|uuid|index|idx|key|row|nr)$|ID$|Id$", name):
            return {**rule, "kind": "identifier"}
    return rule


def _kind_of_words(present: Any) -> dict[str, Any]:
    """Yes/no, a category, or too varied to be one."""
    distinct = present.unique()
    if pair := yes_no_pair(distinct):
        return {"kind": "yes/no", "words": pair}
    if len(present) >= 20 and len(distinct) > 0.5 * len(present):
        spaces = sum(len(str(word).split()) - 1 for word in distinct[:1000]) / len(distinct[:1000])
        return {"kind": "text" if spaces >= 2 or len(distinct) < 0.9 * len(present) else "identifier"}
    return {"kind": "category"}


def called(rule: Mapping[str, Any]) -> str:
    """What the cells of a column are called in a message."""
    return {"number": "finite numbers", "date": "dates", "yes/no": "yes or no"}.get(rule["kind"], rule["kind"])


def yes_no_pair(words: Any) -> list[str] | None:
    """The words that stand for no and for yes, as they are first written, where there are no others.

    Example:
        >>> yes_no_pair(["True", "False", "TRUE"]), yes_no_pair(["yes", "no", "maybe"])
        (['False', 'True'], None)
    """
    low: dict[str, str] = {}
    for word in words[:20]:
        low.setdefault(str(word).lower(), str(word))
    if len(words) <= 20:
        for yes, no in zip(YES, NO, strict=True):
            if {yes, no} == set(low):
                return [low[no], low[yes]]
    return None


def _yes_no(words: Any, pair: list[str]) -> np.ndarray:
    """The two words of training for whatever means yes or no; else missing."""
    table = {**dict.fromkeys(NO, pair[0]), **dict.fromkeys(YES, pair[1])}
    return np.array([table.get(word.lower(), "") for word in spelled(words)], object)
