"""Normalize cells of any dtype to float64, datetimes with a time zone, or strings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MAX_EXACT_INTEGER = 2**53  # float64 represents every integer up to this one exactly


def normalize_dtype(cells: pd.Series) -> pd.Series:
    """Convert cells of any dtype to float64, datetime64 with a time zone, or strings.

    Missing cells stay missing.

    Datetimes without a time zone are in UTC. Booleans become the strings True and False, integers beyond
    `MAX_EXACT_INTEGER` their digits, time spans seconds, and mixed types the strings that a text file would contain.

    Args:
        cells: A pandas Series of any dtype.

    Raises:
        UserError: If a cell contains several values.

    Example:
        >>> import pandas as pd
        >>> normalize_dtype(pd.Series([True, None], dtype="boolean")).tolist()
        ['True', nan]
        >>> normalize_dtype(pd.Series([3, 4], dtype="category")).tolist()
        [3.0, 4.0]
    """
    import pandas as pd

    dtype, kind = cells.dtype, cells.dtype.kind
    if isinstance(dtype, pd.StringDtype):
        return cells if dtype.na_value is np.nan else cells.astype("str")
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_codes(cells, normalize_dtype(pd.Series(dtype.categories)), cells.cat.codes)
    if isinstance(dtype, pd.SparseDtype):
        return normalize_dtype(cells.sparse.to_dense())
    if isinstance(dtype, pd.PeriodDtype):
        return normalize_dtype(cells.dt.to_timestamp())
    if kind == "b":
        return _from_codes(cells, pd.Series(["False", "True"]), cells.astype("Int8").fillna(-1))
    if kind in "iu" and len(cells) and (cells.max() > MAX_EXACT_INTEGER or cells.min() < -MAX_EXACT_INTEGER):
        return cells.astype("string").astype("str")
    if kind in "iuf":
        return cells.astype("float64")
    if kind == "M":
        zone = dtype.tz if isinstance(dtype, pd.DatetimeTZDtype) else "UTC"
        return (cells if zone != "UTC" else pd.to_datetime(cells, utc=True)).astype(pd.DatetimeTZDtype("us", zone))
    if kind == "m":
        return cells.dt.total_seconds().astype("float64")
    return _from_objects(cells.astype(object))


def to_strings(cells: pd.Series) -> np.ndarray:
    """Format plain cells as strings `(rows,)`, "" if missing.

    3.0 and 3 become the same string.

    Zero bytes are removed: NumPy drops them at the end of a string, so two entries of a vocabulary would become equal.
    """
    return map_distinct(cells, _to_strings)


def map_distinct(cells: pd.Series, function: Callable[[Any], np.ndarray], fill_value: Any = "") -> np.ndarray:
    """Apply a slow function to the distinct cells only; return a value for each cell.

    Args:
        cells: Plain cells.
        function: Maps a Series of distinct cells, none missing, to an array of the same length.
        fill_value: The value of a missing cell.
    """
    import pandas as pd

    codes, distinct = pd.factorize(cells)
    values = function(pd.Series(distinct))
    return np.concatenate([values, np.array([fill_value], values.dtype)])[codes]  # missing is code -1, the last value


def _from_codes(cells: pd.Series, categories: pd.Series, codes: pd.Series) -> pd.Series:
    """Return the category of each code, missing if the code is -1."""
    import pandas as pd

    values = categories.array.take(codes.to_numpy("int64"), allow_fill=True)
    return pd.Series(values, index=cells.index, name=cells.name)


def _from_objects(cells: pd.Series) -> pd.Series:
    """Convert Python objects: decimals, dates, bytes, booleans or strings.

    Mixed types become strings.
    """
    import pandas as pd

    inferred = pd.api.types.infer_dtype(cells, skipna=True)
    if inferred == "integer" and cells.dropna().map(abs).max() > MAX_EXACT_INTEGER:
        return cells.map(str, na_action="ignore").astype("str")
    if inferred in ("decimal", "integer", "floating", "mixed-integer-float"):
        return pd.to_numeric(cells, errors="coerce").astype("float64")
    if inferred in ("date", "datetime", "datetime64"):
        return pd.to_datetime(cells, errors="coerce", utc=True).astype("datetime64[us, UTC]")
    if inferred in ("timedelta", "timedelta64"):
        return pd.to_timedelta(cells).dt.total_seconds()
    for value in cells if inferred == "mixed" else ():
        if isinstance(value, list | tuple | dict | set | np.ndarray):
            raise UserError(
                "A cell must be a number, a string, a date or empty, or in a target a list of tags; flatten nested "
                f"values first. Received: several values in a cell of {cells.name!r}"
            )
    return cells.map(_decode, na_action="ignore").astype("str")


def _decode(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _to_strings(distinct: pd.Series) -> np.ndarray:
    if distinct.dtype.kind == "f":
        texts = [str(int(value)) if value % 1 == 0 and abs(value) < 1e15 else str(value) for value in distinct.tolist()]
    elif distinct.dtype.kind == "M":
        texts = [str(timestamp.tz_localize(None)).removesuffix(" 00:00:00") for timestamp in distinct]
    else:
        texts = [format_text(text) for text in distinct.tolist()]
    return np.array(texts, object)


def format_text(text: str) -> str:
    """Format one string as `to_strings` does.

    Example:
        >>> format_text("3.0"), format_text("a0")
        ('3', 'a0')
    """
    return (re.sub(r"^(-?\d+)\.0+$", r"\1", text) if text.endswith("0") else text).replace("\0", "")
