"""Infer the types of table columns and convert their cells by stored rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import dates, numbers
from tfkit.data.columns.saved_index import INDEX_NAME, MIN_ROWS
from tfkit.data.columns.values import map_distinct, normalize_dtype, to_strings

if TYPE_CHECKING:
    import pandas as pd

EXCLUDED_KINDS = {  # column types that are not used, and why
    "text": "text too varied to be a category",
    "mixed": "numbers and other text, different in nearly every row; to use the numbers, set numeric_columns",
    "identifier": "an identifier",
    "constant": "the same in every row",
    "empty": "missing in every row",
}

TRUE_STRINGS = ("yes", "y", "true", "t", "1", "on")

FALSE_STRINGS = ("no", "n", "false", "f", "0", "off")

MAX_ABS_VALUE = 1e37  # larger numbers count as infinite: the difference of two of them must be a float32

_MIN_IDENTIFIERS = 50  # distinct integers

_MIN_VARIED_CELLS = 20

_MAX_DISTINCT_FRACTION = 0.5  # of a category

_IDENTIFIER_FRACTION = 0.9  # of distinct cells, from which on strings are identifiers

_MIN_USER_NUMBERS = 0.5  # of the cells of a column that the user sets as numbers; the others count as missing

_SAMPLE_CELLS = 1000

_IDENTIFIER_NAME = r"(^|[\s_\-.])(id|uuid|index|idx|key|row|nr)$|ID$|Id$"


def infer_column_type(cells: pd.Series, kind: str | None = None, *, day_first: bool | None = None) -> dict[str, Any]:
    """Infer the rule of a column from its training cells: its type and its format.

    Args:
        cells: A pandas Series of any dtype.
        kind: A type set by the user, one of number, category, date; None to infer it.
        day_first: Whether 01/02/2024 is 1 February; None for the order that reads most cells.

    Returns:
        A dictionary for JSON with `kind` (number, category, yes/no, date, text, mixed, identifier, constant, empty) and
        the parameters of parsing; for an identifier the `reason`.

    Raises:
        ValueError: If the cells do not have the user's type.

    Example:
        >>> import pandas as pd
        >>> infer_column_type(pd.Series(["1,200", "13,000", None]))
        {'kind': 'number', 'number_format': '1,234.5'}
        >>> infer_column_type(pd.Series(["yes", "no", "yes"]))
        {'kind': 'yes/no', 'labels': ['no', 'yes']}
    """
    decimal_comma = bool(cells.attrs.get("decimal_comma"))
    cells = normalize_dtype(cells)
    present = cells.dropna()
    if kind is not None:
        return _user_rule(present, kind, day_first, decimal_comma)
    if not len(present):
        return {"kind": "empty"}
    if len(present) == len(cells) and (present == present.iloc[0]).all():
        return {"kind": "constant"}
    if date_rule := dates.infer_format(present, day_first=day_first):
        return date_rule
    values = present if decimal_comma else numbers.as_floats(present)
    rule = _number_rule(values, decimal_comma=decimal_comma)
    if rule and not (rule["number_format"] == numbers.PLAIN_FORMAT and is_code(present)):
        return _infer_numeric(values, rule, len(cells), str(cells.name))
    return _infer_text(present)


def convert_column(cells: pd.Series, rule: dict[str, Any]) -> tuple[dict[str, np.ndarray], int]:
    """Convert cells by a rule to float64 or strings, NaN or "" if missing.

    Args:
        cells: A pandas Series of any dtype.
        rule: The result of `infer_column_type` for the training cells.

    Returns:
        A dictionary of arrays `(rows,)`, one with the key "" or one for each part of a date, and the number of cells
        that do not match the rule and count as missing.
    """
    cells = normalize_dtype(cells)
    if rule["kind"] == "date":
        arrays = dates.extract_parts(cells, rule)
    elif "number_format" in rule:
        arrays = {"": _to_numbers(cells, rule)}
    elif rule["kind"] == "yes/no":
        arrays = {"": map_distinct(cells, lambda distinct: _to_boolean_labels(distinct, rule["labels"]))}
    else:
        arrays = {"": to_strings(cells)}
    values = next(iter(arrays.values()))
    is_missing = values == "" if values.dtype == object else np.isnan(values)
    return arrays, int(is_missing.sum() - cells.isna().sum())


def is_code(present: pd.Series) -> bool:
    """Return whether strings of digits are codes, not numbers.

    01067 is a postal code, and float64 cannot represent 17 digits exactly.
    """
    import pyarrow as pa
    from pyarrow import compute

    if present.dtype.kind != "O":
        return False
    text = pa.array(present)
    is_match = compute.match_substring_regex(text, r"^(?:0\d+|[1-9]\d{16,})$")
    fraction = compute.mean(is_match).as_py()
    return fraction > 1 - numbers.MIN_MATCH_FRACTION or (
        fraction > 0 and len(compute.unique(compute.utf8_length(text))) == 1
    )


def _user_rule(present: pd.Series, kind: str, day_first: bool | None, decimal_comma: bool) -> dict[str, Any]:
    """Return the rule of a type set by the user."""
    if kind == "category":
        return {"kind": "category"}
    if kind == "number":
        return _user_number_rule(present if decimal_comma else numbers.as_floats(present), decimal_comma)
    rule = dates.infer_format(present, is_date=True, day_first=day_first)
    if not rule and len(present):
        cell, count = dates.first_unreadable(present, day_first)
        raise ValueError(
            f"does not contain dates in a known format; for example {cell!r}, the first of {count:,} cells that "
            "cannot be read"
        )
    if not rule:
        raise ValueError("does not contain dates in a known format: it is empty")
    return rule


def _user_number_rule(present: pd.Series, decimal_comma: bool) -> dict[str, Any]:
    """Return the rule of a column that the user sets as numbers; half of the cells must be numbers of one format."""
    if not len(present):
        raise ValueError("does not contain numbers: it is empty")
    best = _number_rule(present, 0.0, decimal_comma=decimal_comma) or numbers.number_rule()
    values = numbers.parse(present, best)
    fraction = np.isfinite(values).mean()
    if fraction < _MIN_USER_NUMBERS:
        cell, row = first_unreadable(present, values)
        raise ValueError(
            f"does not contain numbers of one format; {1 - fraction:.0%} of the cells are not, "
            f"such as {cell!r} in row {row:,}"
        )
    return best


def first_unreadable(cells: pd.Series, values: np.ndarray) -> tuple[str, int]:
    """Return the first cell that is not missing, and whose converted value is, and the number of its row."""
    is_missing = values == "" if values.dtype == object else ~np.isfinite(values)
    unreadable = cells[cells.notna().to_numpy() & is_missing]
    return str(unreadable.iloc[0]), int(unreadable.index[0]) + 1


def _number_rule(
    present: pd.Series, min_fraction: float = numbers.MIN_MATCH_FRACTION, *, decimal_comma: bool = False
) -> dict[str, Any] | None:
    if not len(present) or present.dtype.kind == "M":
        return None
    if present.dtype.kind == "f":
        return numbers.number_rule()
    return numbers.infer_format(present.value_counts(), min_fraction=min_fraction, decimal_comma=decimal_comma)


def _to_numbers(cells: pd.Series, rule: dict[str, Any]) -> np.ndarray:
    """Parse numbers `(rows,)` as float64, NaN if missing or infinite."""
    if rule["kind"] == "yes/no" and cells.dtype.kind == "O":
        cells = cells.str.lower().replace({**dict.fromkeys(TRUE_STRINGS, "1"), **dict.fromkeys(FALSE_STRINGS, "0")})
    values = numbers.parse(cells, rule)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= MAX_ABS_VALUE, values, np.nan)


def _infer_numeric(present: pd.Series, rule: dict[str, Any], num_rows: int, name: str) -> dict[str, Any]:
    """Return the rule of a column of numbers: number, constant, boolean or identifier."""
    import pandas as pd

    values = numbers.parse(present, rule)
    values = values[np.isfinite(values)]
    distinct = pd.unique(values)
    if not len(distinct):
        return {"kind": "empty"}
    if len(distinct) == 1:
        return {"kind": "constant"} if len(values) == num_rows else rule
    if len(distinct) == 2 and set(distinct) == {0.0, 1.0}:
        return {**rule, "kind": "yes/no"}
    is_index = bool(INDEX_NAME.fullmatch(name)) and len(values) >= MIN_ROWS
    if len(distinct) == len(values) and (len(values) >= _MIN_IDENTIFIERS or is_index) and (distinct % 1 == 0).all():
        is_plain = rule["number_format"] == numbers.PLAIN_FORMAT and "affixes" not in rule
        is_dense = distinct.max() - distinct.min() < 2 * len(distinct)
        if is_plain and (is_dense or re.search(_IDENTIFIER_NAME, name)):
            reason = "without large gaps" if is_dense else "in a column with the name of an identifier"
            return {**rule, "kind": "identifier", "reason": f"an integer of its own in every row, {reason}"}
    return rule


def _infer_text(present: pd.Series) -> dict[str, Any]:
    """Return the rule of a column of strings: boolean, category, text or identifier."""
    distinct = present.unique()
    if pair := boolean_labels(distinct):
        return {"kind": "yes/no", "labels": pair}
    if len(present) >= _MIN_VARIED_CELLS and len(distinct) > _MAX_DISTINCT_FRACTION * len(present):
        sample = distinct[:_SAMPLE_CELLS]
        mean_spaces = sum(len(str(text).split()) - 1 for text in sample) / len(sample)
        if mean_spaces >= 2 or len(distinct) < _IDENTIFIER_FRACTION * len(present):
            return {"kind": "text"}
        subset = present.iloc[:: -(-len(present) // _SAMPLE_CELLS)]
        if not is_code(present) and _number_rule(subset, _MIN_USER_NUMBERS):
            return {"kind": "mixed"}
        return {"kind": "identifier", "reason": f"{len(distinct):,} different texts in {len(present):,} rows"}
    return {"kind": "category"}


def describe_type(rule: Mapping[str, Any]) -> str:
    """Describe the cells of a column type, for messages."""
    return {"number": "finite numbers", "date": "dates", "yes/no": "yes or no"}.get(rule["kind"], rule["kind"])


def boolean_labels(strings: Any) -> list[str] | None:
    """Return the strings for no and yes, in the spelling that occurs first.

    None if there are strings with another meaning.

    Example:
        >>> boolean_labels(["True", "False", "TRUE"]), boolean_labels(["yes", "no", "maybe"])
        (['False', 'True'], None)
    """
    max_spellings = 20
    first_spelling: dict[str, str] = {}
    for text in strings[:max_spellings]:
        first_spelling.setdefault(str(text).lower(), str(text))
    if len(strings) <= max_spellings:
        for yes, no in zip(TRUE_STRINGS, FALSE_STRINGS, strict=True):
            if {yes, no} == set(first_spelling):
                return [first_spelling[no], first_spelling[yes]]
    return None


def _to_boolean_labels(strings: pd.Series, pair: list[str]) -> np.ndarray:
    """Replace every spelling of no and yes by the labels of training, others by ""."""
    labels = {**dict.fromkeys(FALSE_STRINGS, pair[0]), **dict.fromkeys(TRUE_STRINGS, pair[1])}
    return np.array([labels.get(text.lower(), "") for text in to_strings(strings)], object)
