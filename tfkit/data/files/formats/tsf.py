"""Read `.tsf` files of the Monash archive: a header of @lines, then one line per series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.errors import UserError, format_list

if TYPE_CHECKING:
    import pandas as pd

_STEPS: dict[str, dict[str, int]] = {  # arguments of pandas.DateOffset
    "secondly": {"seconds": 1},
    "4_seconds": {"seconds": 4},
    "10_seconds": {"seconds": 10},
    "minutely": {"minutes": 1},
    "5_minutes": {"minutes": 5},
    "10_minutes": {"minutes": 10},
    "15_minutes": {"minutes": 15},
    "half_hourly": {"minutes": 30},
    "hourly": {"hours": 1},
    "daily": {"days": 1},
    "weekly": {"weeks": 1},
    "monthly": {"months": 1},
    "quarterly": {"months": 3},
    "yearly": {"years": 1},
}

_TIME_FORMAT = "%Y-%m-%d %H-%M-%S"


def read(text: str, path: Path) -> pd.DataFrame:
    """Read the series as a wide table: a column `time`, and one column for each series, missing before its start.

    Returns:
        The rows, with messages in `attrs["messages"]`.

    Raises:
        UserError: If the header is not complete, or a line does not match it.
    """
    import pandas as pd

    attributes, frequency, lines = _header(text, path)
    if frequency not in _STEPS and frequency is not None:
        raise UserError(
            f"The @frequency of a .tsf file must be one of {format_list(_STEPS)}. Received: {path}, {frequency!r}"
        )
    columns: dict[str, Any] = {}
    for number, line in lines:
        *cells, values = line.split(":")
        if len(cells) != len(attributes):
            raise UserError(
                f"Each series of a .tsf file must have a value for each attribute. Received: {path}, {len(cells)} in "
                f"line {number}, {len(attributes)} attributes"
            )
        record = dict(zip(attributes, cells, strict=True))
        start = next((record[name] for name, kind in attributes.items() if kind == "date"), None)
        name = next((record[name] for name, kind in attributes.items() if kind == "string"), f"series_{number}")
        if name in columns:
            raise UserError(f"Names of series must differ. Received: {path}, more than one {name!r}")
        columns[name] = _to_series(values, start, frequency, path, number)
    frame = pd.DataFrame(columns)
    frame.index.name = "time"
    used = {kind: name for name, kind in reversed(attributes.items()) if kind in ("date", "string")}.values()
    unused = [name for name in attributes if name not in used]
    messages = [f"each series is a column: {len(columns):,} series of {len(frame):,} steps"]
    messages += [f"attributes that are not used: {format_list(unused)}"] if unused else []
    frame = frame.reset_index()
    frame.attrs["messages"] = messages
    return frame


def _header(text: str, path: Path) -> tuple[dict[str, str], str | None, list[tuple[int, str]]]:
    """Return the attributes, name -> type, the frequency, and the numbered lines of the series."""
    attributes: dict[str, str] = {}
    frequency = None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    for index, (number, line) in enumerate(lines):
        key, *values = line.split()
        if key.lower() == "@data" and lines[index + 1 :]:
            return attributes, frequency, lines[index + 1 :]
        if key.lower() == "@attribute" and len(values) == 2:
            attributes[values[0]] = values[1].lower()
        elif key.lower() == "@frequency" and values:
            frequency = values[0].lower()
        elif not key.startswith("@"):
            raise UserError(
                f"A .tsf file must begin with lines such as @attribute, then @data. Received: {path}, {line[:40]!r} in "
                f"line {number}"
            )
    raise UserError(f"A .tsf file must have a line @data, and series after it. Received: {path}, without")


def _to_series(values: str, start: str | None, frequency: str | None, path: Path, number: int) -> Any:
    """Return the values of a line, indexed by their time, or by their step without a start and a frequency."""
    import pandas as pd

    try:
        cells = [float("nan") if cell.strip() in ("?", "") else float(cell) for cell in values.split(",")]
        if start is None or frequency is None:
            return pd.Series(cells)
        first = pd.to_datetime(start, format=_TIME_FORMAT)
        ((unit, count),) = _STEPS[frequency].items()
        if unit in ("months", "years"):  # each counted from the first: the end of February is followed by March 31
            times = pd.DatetimeIndex([first + pd.DateOffset(**{unit: step * count}) for step in range(len(cells))])
        else:
            times = pd.date_range(first, periods=len(cells), freq=pd.Timedelta(**{unit: count}))
        return pd.Series(cells, times)
    except ValueError as error:
        raise UserError(
            f"Values of a .tsf file must be numbers, or ? where missing, and its times like 2000-01-31 00-00-00. "
            f"Received: {path}, line {number}: {str(error)[:80]}"
        ) from error
