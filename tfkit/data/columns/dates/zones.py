"""Time zones of timestamps with UTC offsets: find the zone, convert between UTC and local time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.dates.parsing import parse, utc_offsets

if TYPE_CHECKING:
    import pandas as pd

_USUAL_ZONES = (  # tried first
    "Europe/Berlin",
    "Europe/London",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Australia/Sydney",
)

_MAX_INSTANTS = 200  # that a zone is compared with


def infer_zone(cells: pd.Series, rule: dict[str, Any]) -> str | None:
    """Return the zone of timestamps with offsets: +02:00, or a name if the offset changes; None without offsets.

    UTC is returned if no zone has these offsets.

    Example:
        >>> import pandas as pd
        >>> cells = pd.Series(["2022-10-29T12:00:00+02:00", "2022-10-31T12:00:00+01:00"])
        >>> infer_zone(cells, {"kind": "date", "formats": ["ISO8601"]})
        'Europe/Berlin'
    """
    distinct = cells.dropna().drop_duplicates()
    if distinct.dtype.kind == "M":
        return None if str(distinct.dt.tz) == "UTC" else str(distinct.dt.tz)
    if distinct.dtype.kind == "f":
        return None
    times = parse(distinct, rule)
    offsets: np.ndarray = utc_offsets(distinct).astype("timedelta64[m]").astype("int64")
    is_present = ~np.isnat(times)
    times, offsets = times[is_present], offsets[is_present]
    if not offsets.any():
        return None
    if (offsets == offsets[0]).all():
        hours, minutes = divmod(abs(int(offsets[0])), 60)
        return f"{'-' if offsets[0] < 0 else '+'}{hours:02d}:{minutes:02d}"
    order = np.argsort(times)
    times, offsets = times[order], offsets[order]
    changes = np.flatnonzero(np.diff(offsets))
    if len(changes) > _MAX_INSTANTS:
        return "UTC"
    spread = np.linspace(0, len(times) - 1, _MAX_INSTANTS).astype(int)
    return _matching_zone(*(array[np.unique([*spread, *changes, *(changes + 1)])] for array in (times, offsets)))


def to_local(times: np.ndarray, zone: str | None) -> np.ndarray:
    """Convert datetime64[us] in UTC to local time.

    Example:
        >>> to_local(np.array(["2022-07-01T10:00"], "datetime64[us]"), "Europe/Berlin").astype(str).tolist()
        ['2022-07-01T12:00:00.000000']
    """
    import pandas as pd

    if zone is None:
        return times
    return _index(times).tz_localize("UTC").tz_convert(pd.Timestamp(0, tz=zone).tz).tz_localize(None).to_numpy()


def to_utc(times: np.ndarray, zone: str | None) -> np.ndarray:
    """Convert datetime64[us] in local time to UTC; a time that daylight saving skips becomes the next that exists."""
    import pandas as pd

    if zone is None:
        return times
    local = _index(times)
    is_first: Any = np.ones(len(local), bool)
    index = local.tz_localize(pd.Timestamp(0, tz=zone).tz, ambiguous=is_first, nonexistent="shift_forward")
    return index.tz_convert(None).to_numpy()


def _matching_zone(times: np.ndarray, offsets: np.ndarray) -> str:
    """Return the first zone that has these offsets in minutes at these times, else UTC."""
    from zoneinfo import available_timezones

    for zone in dict.fromkeys((*_USUAL_ZONES, *sorted(available_timezones()))):
        minutes = (to_local(times, zone) - times).astype("timedelta64[m]").astype("int64")
        if (minutes == offsets).all():
            return zone
    return "UTC"


def _index(times: np.ndarray) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(np.asarray(times, "datetime64[us]"))
