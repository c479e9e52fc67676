"""Infer the roles and formats of the columns of a time series table, and parse their cells."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns import dates, infer_type, numbers
from tfkit.data.columns.names import require_columns
from tfkit.data.columns.values import normalize_dtype
from tfkit.data.files.read import read_frame
from tfkit.data.forecasting.metadata import TableRules
from tfkit.errors import UserError, format_list

TIME_NAMES = ("date", "time", "datetime", "timestamp", "ds", "month", "year", "day", "week", "period")  # tried first


def infer_columns(
    data: Any,
    *,
    target: Sequence[str] = (),
    time_column: str | None = None,
    series_id_column: str | None = None,
    known_covariates: Sequence[str] = (),
    exclude_columns: Iterable[str] = (),
    read_options: Mapping[str, Any] | None = None,
) -> tuple[Any, TableRules]:
    """Read a table and infer the role and format of each column.

    Args:
        data: Any source that `read_frame` accepts.
        target: Columns to forecast; empty for all numeric columns without another role. One if there is a
            `series_id_column`.
        time_column: The time column; None for the first column with dates.
        series_id_column: The series id column of a long table; None for a wide table, one series per column.
        known_covariates: Columns whose future values are known.
        exclude_columns: Columns that are not used.
        read_options: delimiter, encoding, na_values of `read_frame`.

    Returns:
        The rows as a DataFrame, and the role and format of each column.

    Raises:
        UserError: If a column does not exist, cannot be parsed, or has two roles.
    """
    frame = read_frame(data, **(read_options or {}))
    roles = (time_column, series_id_column)
    named = [*target, *known_covariates, *exclude_columns, *(name for name in roles if name)]
    require_columns(frame, named)
    repeated = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if repeated:
        raise UserError(
            "A column must have one role: time, series id, target, known covariate, or excluded. "
            f"Received: {format_list(repeated)}, named more than once"
        )
    frame = frame.assign(**{name: normalize_dtype(column) for name, column in frame.items()})
    time = _infer_time(frame, time_column, [name for name in frame if name not in named])
    unassigned = [name for name in frame if name not in {*named, time["column"]}]
    targets = {name: _infer_numeric(frame[name]) for name in (target or unassigned)}
    if not targets:
        raise UserError(
            f"The table must have a numeric column to forecast besides the time column. Received: {format_list(frame)}"
        )
    if series_id_column and len(targets) > 1:
        raise UserError(
            f"A table with series_id_column= must have one column to forecast; name it with target=. "
            f"Received: {format_list(targets)}"
        )
    return frame, TableRules(
        time=time,
        series_id_column=series_id_column,
        target_columns=targets,
        known_covariates={name: _infer_numeric(frame[name], "known covariate") for name in known_covariates},
        read_options=dict(read_options or {}),
    )


def parse_numbers(cells: Any, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert cells to float64, NaN where missing.

    Raises:
        UserError: If a cell is not a finite number.
    """
    if rule["kind"] == "yes/no" and "number_format" not in rule:
        categories = infer_type.convert_column(cells, dict(rule))[0][""]
        values = np.where(categories == rule["labels"][1], 1.0, np.where(categories == rule["labels"][0], 0.0, np.nan))
    else:
        values = numbers.parse(cells, rule)
    with np.errstate(invalid="ignore"):
        invalid = np.flatnonzero(~(np.abs(values) <= infer_type.MAX_ABS_VALUE) & cells.notna().to_numpy())
    if len(invalid):
        row = int(cells.index[invalid[0]]) + 1
        raise UserError(
            f"A numeric column must contain finite numbers or empty cells; correct or clear the others. "
            f"Received in {cells.name!r}: {str(cells.iloc[invalid[0]])!r} in row {row:,} (line {row + 1:,} of "
            f"a CSV file), the first of {len(invalid):,}"
        )
    return values


def parse_times(frame: Any, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert the time column to datetime64[us] or numbers.

    Raises:
        UserError: If the column does not exist or a cell is not a time.
    """
    require_columns(frame, [rule["column"]])
    cells = frame[rule["column"]]
    times = dates.to_datetimes(cells, dict(rule)) if rule["kind"] == "date" else numbers.parse(cells, rule)
    invalid = np.flatnonzero(np.isnat(times) if rule["kind"] == "date" else ~np.isfinite(times))
    if len(invalid):
        row = int(cells.index[invalid[0]]) + 1
        cell = "no time" if cells.isna().iloc[invalid[0]] else repr(str(cells.iloc[invalid[0]]))
        raise UserError(
            f"Every row must have a valid time; correct or remove the others. Received in "
            f"{rule['column']!r}: {cell} in row {row:,} (line {row + 1:,} of a CSV file), the first of "
            f"{len(invalid):,}"
        )
    return times


def _infer_time(frame: Any, name: str | None, candidates: Sequence[str]) -> dict[str, Any]:
    """Find the time column and its format: dates, or numbers if the column is named."""
    if name is None:
        likely = [column for column in candidates if column.lower().strip("_") in TIME_NAMES]
        for column in [*likely, *(column for column in candidates if column not in likely)]:
            rule = dates.infer_format(frame[column].dropna(), is_date=column in likely)
            if rule:
                return {"column": column, **rule}
        raise UserError(
            "The table must have a time column; name it with time_column=, where plain numbers "
            f"count steps. Received: {format_list(frame)}, none of which contains dates"
        )
    cells = frame[name].dropna()
    rule = dates.infer_format(cells, is_date=True) or _infer_number(cells)
    if not rule:
        examples = format_list(cells.astype(str).unique()[:3])
        raise UserError(
            f"The time column must contain dates in a known format, such as 2024-01-31 12:00, or "
            f"numbers. Received: {name!r}, which contains {examples or 'nothing'}"
        )
    return {"column": name, **rule}


def _infer_number(cells: Any) -> dict[str, Any] | None:
    """Return the number format of cells, or None if they are not numbers."""
    try:
        return infer_type.infer_column_type(cells, "number")
    except ValueError:
        return None


def _infer_numeric(cells: Any, role: str = "column to forecast") -> dict[str, Any]:
    """Return the number format of a column.

    Raises:
        UserError: If the column is empty or a cell is not a number.
    """
    present = cells.dropna()
    if not len(present):
        raise UserError(
            f"A {role} must contain numbers; exclude it with exclude_columns=. Received: {cells.name!r}, which is empty"
        )
    if role == "known covariate" and (rule := infer_type.infer_column_type(cells))["kind"] == "yes/no":
        return rule
    number_format = _infer_number(present)
    if number_format is None:
        values = numbers.parse(present, numbers.number_rule())
        first = present[np.isnan(values)].iloc[0]
        raise UserError(
            f"A {role} must contain numbers; correct its cells, exclude it with exclude_columns=, or, if it "
            f"identifies the series, name it with series_id_column=. Received: {cells.name!r}, which contains "
            f"{str(first)!r}"
        )
    parse_numbers(cells, number_format)
    return number_format
