"""Tables in memory: frames, dictionaries, lists of rows, and anything with the Arrow PyCapsule interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd

TABLE_TYPES = (
    "a path, a DataFrame, a Series (one row), an Arrow table, a dictionary (of columns, or one row) or a list of "
    "dictionaries (rows)"
)


def to_frame(source: Any) -> pd.DataFrame:
    """Convert a table in memory to a DataFrame.

    Args:
        source: A DataFrame (returned unchanged); a Series, which is one row; a dictionary of columns, or of scalars,
            which is one row; a list of dictionaries, one for each row, where absent keys are missing cells; a
            structured array; or an object with `__arrow_c_stream__` or `__arrow_c_array__`, such as a table of
            polars, PyArrow or DuckDB.

    Raises:
        UserError: If it is none of these.

    Example:
        >>> to_frame({"age": 39, "city": "Oslo"}).to_dict("list")
        {'age': [39], 'city': ['Oslo']}
        >>> to_frame([{"age": 39}, {"age": 50, "city": "Oslo"}])["city"].isna().tolist()
        [True, False]
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return pd.DataFrame([source.to_dict()])
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return _from_arrow(source)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return pd.DataFrame(source)
    if isinstance(source, list | tuple):
        return _from_rows(source)
    raise UserError(f"A table must be {TABLE_TYPES}. Received: {type(source).__name__}{_advice(source)}")


def is_scalar(value: Any) -> bool:
    """Whether a value is one cell: a string, a number, a date, None."""
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        return bool(np.ndim(value) == 0)
    return isinstance(value, str | bytes) or not isinstance(value, Iterable)


def _from_mapping(source: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    columns = dict(source)
    if columns and all(is_scalar(value) for value in columns.values()):
        return pd.DataFrame({name: [value] for name, value in columns.items()})
    try:
        return pd.DataFrame(columns)
    except (ValueError, TypeError) as error:
        raise UserError(
            "A dictionary of columns needs a list for each name, all of one length; a dictionary of single values is "
            f"one row. Received: {first_line(error)}"
        ) from error


def _from_rows(rows: Any) -> pd.DataFrame:
    import pandas as pd

    rows = [row.to_dict() if isinstance(row, pd.Series) else row for row in rows]
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UserError(
                f"A list of rows must contain a dictionary for each row, column -> value. "
                f"Received: {type(row).__name__} at position {number}"
            )
        for name, value in row.items():
            if not is_scalar(value) and (isinstance(value, Mapping) or not all(map(is_scalar, value))):
                raise UserError(
                    "A cell must be a number, a string, a date or empty; flatten nested values first. "
                    f"Received: a {type(value).__name__} under {str(name)!r} at position {number}"
                )
    return pd.DataFrame([dict(row) for row in rows])


def _from_arrow(source: Any) -> pd.DataFrame:
    import pyarrow as pa

    try:
        is_stream = hasattr(source, "__arrow_c_stream__")
        table = pa.table(source) if is_stream else pa.Table.from_batches([pa.record_batch(source)])
        return table.to_pandas()
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UserError(
            f"An Arrow source must be a table of named columns. Received: {type(source).__name__}, {first_line(error)}"
        ) from error


def _advice(source: Any) -> str:
    """Advice for a type that is almost a table."""
    if hasattr(source, "collect") and hasattr(source, "collect_schema"):
        return "; call .collect() first"
    return "; give each column a name" if isinstance(source, np.ndarray) else ""
