"""Normalize DataFrames: unique column names, rows from 0, missing cells as NaN."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.names import unique_column_names
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_NA_VALUES = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "?", "k.A.", "k. A.")


def normalize_frame(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return a new frame with unique column names and rows 0, 1, ...

    A named index level becomes a column, any other is dropped.

    Raises:
        UserError: If there are no columns or no rows, or two columns have the same name.
    """
    index_names = [name for name in frame.index.names if name is not None]
    columns = unique_column_names([*index_names, *frame.columns], source)
    if not len(frame) or not columns:
        raise UserError(
            f"A table needs columns and rows. Received: {source}, {len(columns)} columns and {len(frame)} rows"
        )
    unnamed_levels = [level for level, name in enumerate(frame.index.names) if name is None]
    frame = frame.reset_index(level=unnamed_levels, drop=True).reset_index(drop=not index_names)
    frame.columns = columns
    return frame


def lists_to_text(frame: pd.DataFrame, list_columns: Collection[str] = ()) -> pd.DataFrame:
    """Write the lists of some columns as JSON text.

    Args:
        frame: A table whose cells may be lists, tuples, sets or arrays.
        list_columns: The columns that may contain lists of strings, numbers and missing values; lists in others stay.
    """
    for name in [name for name in list_columns if name in frame and frame[name].dtype == object]:
        is_list = frame[name].map(_is_flat_list)
        if not is_list.any():
            continue
        texts = frame.loc[is_list, name].map(lambda cell: json.dumps(list(cell), ensure_ascii=False, default=_to_json))
        frame = frame.assign(**{name: frame[name].mask(is_list, texts)})
    return frame


def _is_flat_list(cell: Any) -> bool:
    is_list = isinstance(cell, list | tuple | set | frozenset | np.ndarray)
    return is_list and all(value is None or np.ndim(value) == 0 for value in cell)


def _to_json(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def mark_missing(frame: pd.DataFrame, markers: Sequence[str]) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """Strip strings and replace missing markers by NaN.

    A table then reads the same from any file format.

    A cell is missing if it equals a marker, as a string or as a number. A categorical column gets the dtype of its
    categories.

    Returns:
        The new frame, and the number of cells for each marker: column -> marker -> count, without empty cells.
    """
    import pandas as pd
    from pandas.api import types

    numeric_markers = pd.to_numeric(pd.Series(list(markers)), errors="coerce").dropna().tolist()
    columns, missing_counts = {}, {}
    for name, column in frame.items():
        if column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object).infer_objects()
        if column.dtype == object:  # mixed types: without the markers, the cells may be numbers
            column = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
            is_missing = column.map(lambda cell: isinstance(cell, str) and cell in markers)
        elif types.is_string_dtype(column.dtype):
            column = column.str.strip()
            is_missing = column.isin(list(markers))
        elif numeric_markers and not types.is_bool_dtype(column.dtype):
            is_missing = column.isin(numeric_markers)
        else:
            columns[name] = column
            continue
        if is_missing.any():
            counts = column[is_missing].value_counts()
            missing_counts[name] = {marker: count for marker, count in counts.items() if marker != ""}
            column = column.mask(is_missing).infer_objects()
        columns[name] = column
    return pd.DataFrame(columns), missing_counts
