"""Columns that count the rows: the index of a frame that was saved with it."""

import re
from typing import Any

import numpy as np

INDEX_NAME = re.compile(r"|unnamed: ?\d+|level_\d+|column_1|_?index|row_?names?|row_?(number|nr|id)", re.IGNORECASE)

MIN_ROWS = 3


def counts_rows(column: Any) -> bool:
    """Return whether the values of a column are 0, 1, 2, ... or 1, 2, 3, ...

    Example:
        >>> import pandas as pd
        >>> counts_rows(pd.Series(["1", "2", "3"])), counts_rows(pd.Series([1, 3, 2]))
        (True, False)
    """
    import pandas as pd

    if len(column) < MIN_ROWS or str(column.iloc[0]).strip() not in ("0", "1", "0.0", "1.0"):
        return False
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    return bool(np.array_equal(values, np.arange(len(values)) + values[0]))


def saved_index_columns(frame: Any) -> list[str]:
    """Return the columns that are a saved index: named like one, or first without a name, and counting the rows."""
    return [name for name in frame.columns if INDEX_NAME.fullmatch(str(name)) and counts_rows(frame[name])]
