"""Cells become the values of a series: numbers, NaN where missing."""

from typing import Any

import numpy as np

from tfkit.errors import UserError


def numeric(column: Any) -> np.ndarray:
    """The values of a column, `(rows,)` float32, NaN where missing or infinite.

    Raises:
        UserError: If a cell is no number; dates and yes/no are none.
    """
    import pandas as pd

    number = column.dtype.kind not in "bmM"
    found = (pd.to_numeric(column, errors="coerce") if number else column.map(lambda cell: np.nan)).astype("float64")
    wrong = column.notna() & found.isna()
    if wrong.any():
        raise UserError(
            f"Values of a series must be numbers, such as 1.5; leave other columns out with leave_out=. "
            f"Received: {str(column[wrong].iloc[0])[:60]!r} in {column.name!r}, row "
            f"{int(np.flatnonzero(wrong)[0]) + 1:,}"
        )
    return finite(found.to_numpy())


def finite(values: np.ndarray) -> np.ndarray:
    """The same as float32, NaN where it cannot say it."""
    return np.where(np.abs(values) < np.finfo("float32").max, values, np.nan).astype("float32")
