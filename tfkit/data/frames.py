"""What every table must be, from whatever it was read: names that differ, rows from 0, one mark for what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "?")


def names(found: Iterable[Any], where: str) -> list[str]:
    """Stripped names, `column_N` where there is none; two of one name are refused."""
    words = ["" if name is None else str(name).strip() for name in found]
    words = [word or f"column_{number}" for number, word in enumerate(words, 1)]
    twice = [word for word, count in Counter(words).items() if count > 1]
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise UserError(
            f"Names of columns must differ; rename one. Received: {where}, more than one "
            f"{', '.join(map(repr, twice[:5]))}{more}"
        )
    return words


def flat(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """A new frame with unique names and rows 0, 1, ...; what a named index holds is a column like any other."""
    named = [name for name in frame.index.names if name is not None]
    columns = names([*named, *frame.columns], where)
    if not len(frame) or not columns:
        raise UserError(
            f"A table needs columns and rows. Received: {where}, {len(columns)} columns and {len(frame)} rows"
        )
    unnamed = [level for level, name in enumerate(frame.index.names) if name is None]
    frame = frame.reset_index(level=unnamed, drop=True).reset_index(drop=not named)
    frame.columns = columns
    return frame


def marked(frame: pd.DataFrame, words: Sequence[str]) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """Strings without white space around them, NaN where a cell is one of the words, or a number that one of them is.

    A table reads the same from any kind of file: a categorical column becomes what its categories are. Also what was
    taken for missing: column -> word -> how often, empty cells aside.
    """
    import pandas as pd
    from pandas.api import types

    numbers = pd.to_numeric(pd.Series(list(words)), errors="coerce").dropna().tolist()
    columns, said = {}, {}
    for name, column in frame.items():
        if column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object).infer_objects()
        if column.dtype == object:  # a mixture: what is left may be numbers after all
            column = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
            absent = column.map(lambda cell: isinstance(cell, str) and cell in words)
        elif types.is_string_dtype(column.dtype):
            column = column.str.strip()
            absent = column.isin(list(words))
        elif numbers and not types.is_bool_dtype(column.dtype):
            absent = column.isin(numbers)
        else:
            columns[name] = column
            continue
        if absent.any():
            said[name] = {word: count for word, count in column[absent].value_counts().items() if word != ""}
            column = column.mask(absent).infer_objects()
        columns[name] = column
    return pd.DataFrame(columns), said
