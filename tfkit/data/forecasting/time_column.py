"""Find the time column of a table, parse its cells, and write times in the same form."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import dates, infer_type, numbers
from tfkit.data.columns.names import require_columns
from tfkit.data.columns.values import to_strings
from tfkit.errors import UserError, format_list

if TYPE_CHECKING:
    import pandas as pd

_TIME_WORD = r"(?:^|[^a-z])(?:date|time|datetime|timestamp|ds|month|quarter|year|day|week|period)(?:$|[^a-z])"

_PARTS = (  # directive, names of its column, pattern of its cells; those of a group exclude each other
    (("%Y", ("year", "yr"), r"[12]\d{3}"),),
    (
        ("%m", ("month", "mon", "mo"), r"\d\d?"),
        ("%b", ("month", "mon", "mo"), "[A-Za-z]{3}"),
        ("%B", ("month", "mon", "mo"), "[A-Za-z]{3,9}"),
        ("%q", ("quarter", "qtr", "q"), "[1-4]"),
        ("%V", ("week", "wk", "isoweek"), r"\d\d?"),
    ),
    (("%d", ("day", "dd", "mday"), r"\d\d?"),),
    (("%H", ("hour", "hr", "hh"), r"\d\d?"),),
)

_CLOCK_NAME = r"(?:^|[^a-z])(?:time|clock|hour)(?:$|[^a-z])"


def infer_time(
    frame: Any, name: str | None, candidates: Sequence[str], day_first: bool | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Find the time column and its format: dates, or numbers if the column is named.

    Args:
        frame: The rows, with cells of plain types.
        name: The time column; None to find it.
        candidates: Columns without another role.
        day_first: Whether 01/02/2024 is 1 February; None to infer it.

    Returns:
        The rule: `column`, all `columns` that together have the time, the `layouts` to write it, `zone`, and the format
        of `dates.infer_format`; and messages.

    Raises:
        UserError: If there is no such column.
    """
    columns = _part_columns(frame, name, candidates)
    if len(columns) > 1:
        return _rule_of_parts(frame, columns), [_joined_message(list(columns.values()))]
    rule = _named_rule(frame, name, day_first) if name else _first_rule(frame, candidates, day_first)
    if rule["kind"] != "date":
        return {**rule, "columns": [rule["column"]]}, []
    clock = _clock_column(frame, rule, candidates)
    if clock:
        rule = _rule_with_clock(frame, rule["column"], clock, day_first)
    else:
        rule |= {"columns": [rule["column"]], "layouts": [dates.infer_layout(frame[rule["column"]].dropna(), rule)]}
    cells = join_cells(frame, rule["columns"])
    if zone := dates.infer_zone(cells, rule):
        rule["zone"] = zone
    return rule, _messages(cells, rule)


def parse_times(frame: Any, rule: Mapping[str, Any]) -> np.ndarray:
    """Convert the time column to datetime64[us] in UTC or numbers.

    Raises:
        UserError: If the column does not exist or a cell is not a time.
    """
    require_columns(frame, rule["columns"])
    cells = join_cells(frame, rule["columns"])
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


def format_times(times: np.ndarray, rule: Mapping[str, Any]) -> dict[str, list[str]]:
    """Write times in the form of the table, column by column.

    Args:
        times: datetime64[us] in UTC, or numbers.
        rule: Result of `infer_time`.

    Example:
        >>> rule = {"kind": "date", "columns": ["year", "month"], "layouts": ["%Y", "%-m"]}
        >>> format_times(np.array(["1960-03-01"], "datetime64[us]"), rule)
        {'year': ['1960'], 'month': ['3']}
    """
    if rule["kind"] != "date":
        texts = [str(int(value)) if value.is_integer() else repr(value) for value in map(float, times)]
        return {rule["columns"][0]: texts}
    local = dates.to_local(times, rule.get("zone"))
    return {
        name: dates.format_times(local, layout, local - times)
        for name, layout in zip(rule["columns"], rule["layouts"], strict=True)
    }


def format_time(time: Any, rule: Mapping[str, Any]) -> str:
    """Write one time in the form of the table, for messages."""
    return " ".join(texts[0] for texts in format_times(np.array([time]), rule).values())


def restore_dtypes(frame: "pd.DataFrame", times: np.ndarray, source: Any, rule: Mapping[str, Any]) -> "pd.DataFrame":
    """Give the columns of a result the types of the source, so that both can be joined.

    Args:
        frame: Times and series ids as text.
        times: The times of the rows.
        source: The table as the user gave it.
        rule: Result of `infer_time`.
    """
    import pandas as pd

    columns = {}
    for name in (name for name in frame if name in source):
        dtype = source[name].dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            columns[name] = pd.Series(times).dt.tz_localize("UTC").dt.tz_convert(dtype.tz).astype(dtype)
        elif dtype.kind == "M" and len(rule["columns"]) == 1:
            columns[name] = pd.Series(times).astype(dtype)
        elif dtype.kind in "iuf" or isinstance(dtype, pd.PeriodDtype):
            values = pd.to_numeric(frame[name], errors="coerce") if dtype.kind in "iuf" else frame[name]
            columns[name] = values.astype(dtype) if values.notna().all() else frame[name]
    return frame.assign(**columns)


def join_cells(frame: Any, names: Sequence[str]) -> Any:
    """Return the cells of a time column, or of several columns with a space between, missing if one is missing."""
    cells = frame[names[0]]
    if len(names) == 1:
        return cells
    parts = [cells.where(cells.isna(), to_strings(cells)).astype("str") for cells in (frame[name] for name in names)]
    return parts[0].str.cat(parts[1:], sep=" ").rename(names[0])


def _part_columns(frame: Any, name: str | None, candidates: Sequence[str]) -> dict[str, str]:
    """Return the columns with year, month, ... of a table that has them in several; by directive."""
    available = [*candidates, *([name] if name else [])]
    by_name = {str(column).lower().strip("_ "): column for column in available}
    columns: dict[str, str] = {}
    for group in _PARTS:
        match = next((part for part in group if _has_part(frame, by_name, *part[1:])), None)
        if match is None:
            break  # without a year, a month has no meaning
        columns[match[0]] = next(by_name[text] for text in match[1] if text in by_name)
        if match[0] in ("%q", "%V"):
            break
    if "%V" in columns:  # the year of a week is not always that of its days
        columns = {"%G" if directive == "%Y" else directive: column for directive, column in columns.items()}
    return columns if name is None or name in columns.values() else {}


def _has_part(frame: Any, by_name: Mapping[str, str], names: Sequence[str], pattern: str) -> bool:
    """Return whether the first column with one of the names has cells of a pattern."""
    column = next((by_name[text] for text in names if text in by_name), None)
    if column is None:
        return False
    texts = to_strings(frame[column].dropna().iloc[:1000])
    return bool(len(texts)) and all(re.fullmatch(pattern, text) for text in texts)


def _rule_of_parts(frame: Any, columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the rule of times that are in several columns: year, month, ...; by directive."""
    layouts = []
    for directive, name in columns.items():
        layouts.append(_part_layout(frame[name], directive))
    names = list(columns.values())
    rule = {"column": names[0], "columns": names, "layouts": layouts}
    return {**rule, "kind": "date", "formats": [" ".join(columns)]}


def _part_layout(cells: Any, directive: str) -> str:
    """Return the layout of a part of the time, with or without leading zeros."""
    if directive in ("%Y", "%G", "%q"):
        return directive
    if directive in ("%b", "%B"):
        layout = dates.infer_layout(cells.dropna() + " 2000", {"formats": [f"{directive} %Y"]})
        return str(layout).removesuffix(" %Y")
    is_padded = cells.dtype.kind == "O" and cells.str.startswith("0").any() and (cells.dropna().str.len() == 2).all()
    return directive if is_padded else directive.replace("%", "%-")


def _rule_with_clock(frame: Any, name: str, clock: str, day_first: bool | None) -> dict[str, Any]:
    """Return the rule of times whose date and time of day are in two columns."""
    rule = dates.infer_format(join_cells(frame, [name, clock]).dropna(), is_date=True, day_first=day_first) or {}
    first = rule["formats"][0]
    if re.match("%[dm]", first):  # the steps of hours may tell the order of day and month, those of days not
        day_first = first.startswith("%d")
    cells, clock_cells = frame[name].dropna(), frame[clock].dropna()
    date_rule = dates.infer_format(cells, is_date=True, day_first=day_first) or {}
    clock_rule = dates.infer_format(clock_cells, is_date=True)
    is_clock = clock_rule is not None and dates.is_time_of_day(clock_rule)
    layout = dates.infer_layout(clock_cells, clock_rule or {}) if is_clock else _part_layout(clock_cells, "%H")
    layouts = [dates.infer_layout(cells, date_rule), layout]
    return {"column": name, **rule, "columns": [name, clock], "layouts": layouts}


def _joined_message(names: Sequence[str]) -> str:
    return f"times are read from the columns {format_list(names)} together"


def _clock_column(frame: Any, rule: Mapping[str, Any], candidates: Sequence[str]) -> str | None:
    """Return the column with the time of day, if the dates have none and are not distinct."""
    times = dates.to_datetimes(frame[rule["column"]], dict(rule))
    if (times != times.astype("datetime64[D]")).any() or not frame[rule["column"]].duplicated().any():
        return None
    for name in candidates:
        if name != rule["column"] and re.search(_CLOCK_NAME, str(name).lower()):
            joined = join_cells(frame, [rule["column"], name]).dropna()
            joined_rule = dates.infer_format(joined, is_date=True)
            if joined_rule:
                times = dates.to_datetimes(joined, joined_rule)
                if (times != times.astype("datetime64[D]")).any():
                    return str(name)
    return None


def _first_rule(frame: Any, candidates: Sequence[str], day_first: bool | None) -> dict[str, Any]:
    likely = [column for column in candidates if re.search(_TIME_WORD, str(column).lower())]
    for column in [*likely, *(column for column in candidates if column not in likely)]:
        rule = dates.infer_format(frame[column].dropna(), is_date=column in likely, day_first=day_first)
        if rule and not dates.is_time_of_day(rule):
            return {"column": column, **rule}
    raise UserError(
        "The table must have a time column; name it with time_column=, where plain numbers "
        f"count steps. Received: {format_list(frame)}, none of which contains dates"
    )


def _named_rule(frame: Any, name: str, day_first: bool | None) -> dict[str, Any]:
    cells = frame[name].dropna()
    rule = dates.infer_format(cells, is_date=True, day_first=day_first) or _infer_number(cells)
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


def _messages(cells: Any, rule: Mapping[str, Any]) -> list[str]:
    """Describe how times are read, where it could be otherwise."""
    name, messages = rule["column"], []
    if len(rule["columns"]) > 1:
        messages.append(_joined_message(rule["columns"]))
    if order := dates.ambiguous_order(cells.dropna(), dict(rule)):
        opposite = "day_first=false reads the month" if order == "day" else "day_first=true reads the day"
        messages.append(f"dates of {name!r} are read {order} first; {opposite} first")
    if "pivot" in rule:
        messages.append(f"years of two digits in {name!r} are read as {rule['pivot'] - 99} to {rule['pivot']}")
    if "zone" in rule:
        messages.append(f"times of {name!r} have UTC offsets: the calendar is that of {rule['zone']}")
    return messages
