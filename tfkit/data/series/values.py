"""Convert table cells to the values of a series."""

from typing import Any

import numpy as np

from tfkit.errors import UserError


def parse_values(column: Any) -> np.ndarray:
    """Convert a column to values `(rows,)` float64, NaN where missing or infinite.

    Raises:
        UserError: If a cell is not a number; dates and booleans are not numbers.
    """
    import pandas as pd

    is_parsable = column.dtype.kind not in "bmM"
    values = pd.to_numeric(column, errors="coerce") if is_parsable else column.map(lambda cell: np.nan)
    values = values.astype("float64")
    is_invalid = column.notna() & values.isna()
    if is_invalid.any():
        raise UserError(
            f"Values of a series must be numbers, such as 1.5; exclude other columns with exclude_columns=. "
            f"Received: {str(column[is_invalid].iloc[0])[:60]!r} in {column.name!r}, row "
            f"{int(np.flatnonzero(is_invalid)[0]) + 1:,}"
        )
    return to_finite(values.to_numpy())


def to_finite(values: np.ndarray) -> np.ndarray:
    """Convert to float64, NaN where a value is not finite in float32."""
    return np.where(np.abs(values) < np.finfo("float32").max, values, np.nan).astype("float64")
