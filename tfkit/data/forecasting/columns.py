"""Infer the roles and formats of the columns of a time series table, and parse their cells."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns import infer_type, numbers
from tfkit.data.columns.names import require_columns
from tfkit.data.columns.values import normalize_dtype
from tfkit.data.files.read import read_frame
from tfkit.data.forecasting.metadata import TableRules
from tfkit.data.forecasting.row_counters import find_row_counters
from tfkit.data.forecasting.time_column import infer_time
from tfkit.errors import UserError, format_list


def infer_columns(
    data: Any,
    *,
    target: Sequence[str] = (),
    time_column: str | None = None,
    series_id_column: str | None = None,
    known_covariates: Sequence[str] = (),
    exclude_columns: Iterable[str] = (),
    day_first: bool | None = None,
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
        day_first: Whether 01/02/2024 is 1 February; None for the order that gives regular steps.
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
    time, messages = infer_time(frame, time_column, [name for name in frame if name not in named], day_first)
    unassigned = [name for name in frame if name not in {*named, *time["columns"]}]
    if not target:
        counters = find_row_counters(frame, unassigned, time)
        unassigned = [name for name in unassigned if name not in counters]
        messages += [f"column {name!r} left out: {reason}" for name, reason in counters.items()]
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
        notes=messages,
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
