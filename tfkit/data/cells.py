"""Cells of any dtype become one of three, numbers, moments or words, so that one rule reads them all."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tfkit.errors import UserError

EXACT = 2**53  # the largest whole number up to which float64 holds every one


def plain(cells: Any) -> Any:
    """Cells of any dtype as float64, datetime64 in UTC, or strings; missing stays missing.

    Booleans become the words True and False, whole numbers too long for a float64 their digits, time spans seconds, and
    a mixture of types the words that a text file would have held.

    Args:
        cells: A pandas Series of any dtype.

    Raises:
        UserError: If a cell holds several values.

    Example:
        >>> import pandas as pd
        >>> plain(pd.Series([True, None], dtype="boolean")).tolist()
        ['True', nan]
        >>> plain(pd.Series([3, 4], dtype="category")).tolist()
        [3.0, 4.0]
    """
    import pandas as pd

    dtype, kind = cells.dtype, cells.dtype.kind
    if isinstance(dtype, pd.StringDtype):
        return cells if dtype.na_value is np.nan else cells.astype("str")
    if isinstance(dtype, pd.CategoricalDtype):
        return _coded(cells, plain(pd.Series(dtype.categories)), cells.cat.codes)
    if isinstance(dtype, pd.SparseDtype):
        return plain(cells.sparse.to_dense())
    if isinstance(dtype, pd.PeriodDtype):
        return plain(cells.dt.to_timestamp())
    if kind == "b":
        return _coded(cells, pd.Series(["False", "True"]), cells.astype("Int8").fillna(-1))
    if kind in "iu" and len(cells) and (cells.max() > EXACT or cells.min() < -EXACT):
        return cells.astype("string").astype("str")
    if kind in "iuf":
        return cells.astype("float64")
    if kind == "M":
        return pd.to_datetime(cells, utc=True).astype("datetime64[us, UTC]")
    if kind == "m":
        return cells.dt.total_seconds().astype("float64")
    return _from_objects(cells.astype(object))


def spelled(cells: Any) -> np.ndarray:
    """Plain cells as words, `(rows,)` strings with "" where missing; 3.0 and 3 are the same word.

    A zero byte is taken out: NumPy drops one at the end of a word, and two words of a vocabulary would become one.
    """
    return by_distinct(cells, _spell)


def by_distinct(cells: Any, read: Callable[[Any], np.ndarray], missing: Any = "") -> np.ndarray:
    """`read` of the distinct cells, put back in the place of each: what is slow is done once for each word.

    Args:
        cells: Plain cells.
        read: From a Series of distinct cells, none missing, to an array as long.
        missing: What stands where a cell is missing.
    """
    import pandas as pd

    codes, distinct = pd.factorize(cells)
    values = read(pd.Series(distinct))
    return np.concatenate([values, np.array([missing], values.dtype)])[codes]  # code -1, missing, is the last


def _coded(cells: Any, known: Any, codes: Any) -> Any:
    """The known cell of each code, missing where the code is -1."""
    import pandas as pd

    values = known.array.take(codes.to_numpy("int64"), allow_fill=True)
    return pd.Series(values, index=cells.index, name=cells.name)


def _from_objects(cells: Any) -> Any:
    """Python objects: decimals, dates, bytes, booleans, strings, or a mixture, which is read as strings."""
    import pandas as pd

    found = pd.api.types.infer_dtype(cells, skipna=True)
    if found == "integer" and cells.dropna().map(abs).max() > EXACT:
        return cells.map(str, na_action="ignore").astype("str")
    if found in ("decimal", "integer", "floating", "mixed-integer-float"):
        return pd.to_numeric(cells, errors="coerce").astype("float64")
    if found in ("date", "datetime", "datetime64"):
        return pd.to_datetime(cells, errors="coerce", utc=True).astype("datetime64[us, UTC]")
    if found in ("timedelta", "timedelta64"):
        return pd.to_timedelta(cells).dt.total_seconds()
    for value in cells if found == "mixed" else ():
        if isinstance(value, list | tuple | dict | set | np.ndarray):
            raise UserError(
                f"A cell must be a number, a word, a date or nothing; take nested values apart first. "
                f"Received: several values in a cell of {cells.name!r}"
            )
    return cells.map(_word, na_action="ignore").astype("str")


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _spell(distinct: Any) -> np.ndarray:
    if distinct.dtype.kind == "f":
        words = [str(int(value)) if value % 1 == 0 and abs(value) < 1e15 else str(value) for value in distinct.tolist()]
    elif distinct.dtype.kind == "M":
        words = [str(moment.tz_localize(None)).removesuffix(" 00:00:00") for moment in distinct]
    else:
        words = [re.sub(r"^(-?\d+)\.0+$", r"\1", word) if word.endswith("0") else word for word in distinct.tolist()]
        words = [word.replace("\0", "") for word in words]
    return np.array(words, object)
