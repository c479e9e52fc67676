"""Rows with the same time: hours when clocks are set back, equal rows, and what is refused.

Public reports of this kind: pandas-dev/pandas 38243, davidusb-geek/emhass 589, unit8co/darts 980.
"""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.forecasting.columns import infer_columns
from tfkit.data.forecasting.series_grid import to_series_grid
from tfkit.errors import UserError


def local_hours(zone, start, end, freq="h"):
    """Local times without a zone, as many systems write them."""
    times = pd.date_range(start, end, freq=freq, tz=zone, inclusive="left")
    texts = [time.strftime("%Y-%m-%d %H:%M:%S") for time in times]
    return pd.DataFrame({"when": texts, "load": np.arange(len(times), dtype=float)})


def make_grid(table, **settings):
    frame, rules = infer_columns(table, **settings)
    return to_series_grid(frame, rules)


@pytest.mark.reading("Steps of a forecast", "stated")
@pytest.mark.parametrize(
    ("zone", "start", "end", "freq", "first"),
    [
        ("Europe/Berlin", "2020-10-20", "2020-10-30", "h", "2020-10-25 02:00:00"),
        ("America/New_York", "2021-11-01", "2021-11-12", "h", "2021-11-07 01:00:00"),
        ("Australia/Sydney", "2022-03-28", "2022-04-08", "h", "2022-04-03 02:00:00"),
        ("Europe/London", "2023-10-25", "2023-11-02", "30min", "2023-10-29 01:00:00"),
        ("America/Santiago", "2023-03-28", "2023-04-08", "h", "2023-04-01 23:00:00"),
        ("Europe/Paris", "2019-10-20", "2019-11-02", "15min", "2019-10-27 02:00:00"),
    ],
)
def test_the_hour_that_occurs_twice_is_read_once(zone, start, end, freq, first):
    table = local_hours(zone, start, end, freq)
    grid, frequency, messages = make_grid(table)
    assert frequency["step"] == pd.Timedelta(freq if freq[0].isdigit() else f"1{freq}").total_seconds()
    assert any(f"the first {first}: the first row is used" in message for message in messages)
    distinct = table.drop_duplicates("when")
    np.testing.assert_array_equal(grid.values, distinct["load"])


def test_equal_rows_are_one_row():
    table = local_hours("UTC", "2024-01-01", "2024-01-03")
    grid, _, messages = make_grid(pd.concat([table.iloc[:20], table.iloc[18:]]))
    np.testing.assert_array_equal(grid.values, table["load"])
    assert "2 rows dropped: equal to the row before, of the same time" in messages


@pytest.mark.reading("Steps of a forecast", "refused")
@pytest.mark.parametrize(
    "day",
    ["2024-10-26 02:00:00", "2024-10-27 12:00:00", "2024-01-07 02:00:00", "2024-07-07 02:00:00", "2024-10-28 02:00:00"],
)
def test_other_values_at_the_same_time_are_refused(day):
    table = local_hours("UTC", pd.Timestamp(day) - pd.Timedelta("2D"), pd.Timestamp(day) + pd.Timedelta("2D"))
    repeated = table[table["when"] == day].assign(load=-1.0)
    with pytest.raises(UserError, match=f"one row per time.*the first {day}"):
        make_grid(pd.concat([table, repeated]))
