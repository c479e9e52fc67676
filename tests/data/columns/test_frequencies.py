"""Tests of frequencies: inference, time indices, seasons, calendar features."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns import frequencies
from tfkit.errors import UserError

CUSTOM = {
    "C-MON": pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu"),
    "C-SIX": pd.offsets.CustomBusinessDay(weekmask="Mon Tue Wed Thu Fri Sat"),
    "LWOM-FRI": pd.offsets.LastWeekOfMonth(weekday=4),
}


def times(first, freq, count):
    freq = CUSTOM.get(freq, freq)
    return np.array(pd.date_range(first, periods=count, freq=freq), "datetime64[us]")


def infer(timestamps):
    return frequencies.infer_frequency(timestamps, np.zeros(len(timestamps)))


FREQUENCIES = [  # alias in pandas, formatted frequency, season length in steps
    ("h", "1 hour", 24),
    ("15min", "15 minutes", 96),
    ("s", "1 second", 86_400),
    ("D", "1 day", 7),
    ("W-SAT", "1 week", 52),
    ("MS", "1 month", 12),
    ("ME", "1 month", 12),
    ("QS", "3 months", 4),
    ("QE", "3 months", 4),
    ("YE", "12 months", 1),
    ("B", "1 business day", 5),
    ("BME", "1 month, on the last business day", 12),
    ("BMS", "1 month, on the first business day", 12),
    ("BQE", "3 months, on the last business day", 4),
    ("BQS-FEB", "3 months, on the first business day", 4),
    ("BYE", "12 months, on the last business day", 1),
    ("LWOM-FRI", "1 month, on the last Friday", 12),
    ("WOM-3FRI", "1 month, on Friday number 3", 12),
    ("WOM-1MON", "1 month, on Monday number 1", 12),
    ("QE-JAN", "3 months", 4),
    ("YS-APR", "12 months", 1),
    ("C-MON", "1 business day, on Mon, Tue, Wed, Thu, Sun", 5),
    ("C-SIX", "1 business day, on Mon, Tue, Wed, Thu, Fri, Sat", 6),
]


@pytest.mark.parametrize(("freq", "text", "season"), FREQUENCIES)
@pytest.mark.reading("Steps of a forecast", "read")
def test_frequency_is_inferred_and_times_become_indices(freq, text, season):
    timestamps = times("2020-02-29 12:00", freq, 60)
    rule = infer(timestamps)
    assert frequencies.format_frequency(rule) == text
    assert frequencies.season_length(rule) == season
    np.testing.assert_array_equal(frequencies.to_time_index(timestamps, rule), np.arange(60))
    np.testing.assert_array_equal(frequencies.to_timestamps(np.arange(60), rule), timestamps)


@pytest.mark.parametrize("freq", [freq for freq, _, _ in FREQUENCIES])
@pytest.mark.reading("Steps of a forecast", "read")
def test_frequency_with_gaps_and_extrapolation(freq):
    timestamps = times("2021-01-31", freq, 50)
    indices = np.r_[0:10, 13:40]
    rule = infer(timestamps[indices])
    np.testing.assert_array_equal(frequencies.to_time_index(timestamps[indices], rule), indices)
    np.testing.assert_array_equal(frequencies.to_timestamps(np.arange(40, 50), rule), timestamps[40:])


def test_numeric_times():
    rule = frequencies.infer_frequency(np.array([10.0, 15, 20, 30]), np.zeros(4))
    assert rule == {"unit": "number", "step": 5.0, "start": 10.0}
    assert frequencies.to_time_index(np.array([10.0, 30, 5]), rule).tolist() == [0, 4, -1]
    assert frequencies.to_timestamps(np.array([-1, 2]), rule).tolist() == [5.0, 20.0]
    assert (frequencies.season_length(rule), frequencies.learnable_calendar_features(rule, 1000)) == (1, [])


def test_steps_between_series_are_ignored():
    timestamps = np.concatenate([times("2020-01-01", "D", 5), times("2019-06-01", "D", 5)])
    assert frequencies.format_frequency(frequencies.infer_frequency(timestamps, np.repeat([0, 1], 5))) == "1 day"
    with pytest.raises(UserError, match="There must be at least two rows in a series"):
        frequencies.infer_frequency(timestamps[:1], np.zeros(1))


@pytest.mark.reading("Steps of a forecast", "refused")
def test_times_between_the_steps_are_refused():
    timestamps = times("2020-01-01", "h", 50)
    timestamps[7] += np.timedelta64(10, "m")
    with pytest.raises(UserError, match="steps of 1 hour, and 1 of 50 times between them, the first 2020-01-01 07:10"):
        frequencies.to_time_index(timestamps, infer(timestamps))
    months = times("2020-01-31", "ME", 10)
    with pytest.raises(UserError, match="steps of 1 month, and 1 of 1 times between them, the first 2020-02-03"):
        frequencies.to_time_index(np.array(["2020-02-03"], "datetime64[us]"), infer(months))
    business_days = times("2024-01-01", "B", 20)
    with pytest.raises(UserError, match="the first 2024-01-06"):
        frequencies.to_time_index(np.array(["2024-01-06"], "datetime64[us]"), infer(business_days))


@pytest.mark.parametrize(
    ("freq", "steps", "names"),
    [
        ("h", 24 * 8, ["hour"]),
        ("h", 24 * 14, ["hour", "weekday"]),
        ("h", 24 * 730, ["hour", "weekday", "yearday"]),
        ("D", 13, []),
        ("D", 14, ["weekday"]),
        ("W", 105, ["yearday"]),
        ("MS", 24, []),
        ("MS", 25, ["yearday"]),
        ("YE", 50, []),
        ("B", 20, ["weekday"]),
    ],
)
def test_calendar_features_need_two_periods(freq, steps, names):
    assert frequencies.learnable_calendar_features(infer(times("2020-01-01", freq, 30)), steps) == names


def test_calendar_features():
    timestamps = np.array(["2024-01-01T00:00", "2024-12-31T12:30", "1969-12-28T06:00"], "datetime64[us]")
    expected = [[0, 0, 0], [12.5, 1, 365], [6, 6, 361]]
    np.testing.assert_allclose(frequencies.calendar_features(timestamps, ["hour", "weekday", "yearday"]), expected)


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (np.datetime64("2024-01-31T00:00:00", "us"), "2024-01-31"),
        (np.datetime64("2024-01-31T07:30", "us"), "2024-01-31 07:30:00"),
        (17.0, "17"),
        (1609459200.0, "1609459200"),
        (0.5, "0.5"),
    ],
)
def test_timestamp_is_formatted_without_redundant_parts(timestamp, text):
    assert frequencies.format_timestamp(timestamp) == text


def retail_calendar(pattern, years, leaps=(), first="2015-01-31"):
    """Ends of periods of four, four and five weeks; in some years the last period is a week longer."""
    weeks = np.tile(pattern, 4 * years)
    weeks[[12 * leap + 11 for leap in leaps]] += 1
    return (np.datetime64(first) + 7 * np.concatenate([[0], np.cumsum(weeks)])).astype("datetime64[us]")


@pytest.mark.parametrize("pattern", [(4, 4, 5), (4, 5, 4), (5, 4, 4)])
@pytest.mark.parametrize("leaps", [(), (2,), (0, 5)])
@pytest.mark.reading("Steps of a forecast", "read")
def test_periods_of_four_and_five_weeks(pattern, leaps):
    timestamps = retail_calendar(pattern, 8, leaps)
    rule = infer(timestamps[:80])
    assert frequencies.format_frequency(rule) == f"{pattern[0]}, {pattern[1]} and {pattern[2]} weeks"
    assert frequencies.season_length(rule) == 12
    np.testing.assert_array_equal(frequencies.to_time_index(timestamps[:80], rule), np.arange(80))
    np.testing.assert_array_equal(frequencies.to_timestamps(np.arange(97), rule), timestamps)
    earlier = frequencies.to_timestamps(np.arange(-12, 0), rule)
    np.testing.assert_array_equal(frequencies.to_time_index(earlier, rule), np.arange(-12, 0))
    with pytest.raises(UserError, match=r"steps of 4|steps of 5"):
        frequencies.to_time_index(timestamps[:5] + np.timedelta64(1, "D"), rule)


@pytest.mark.reading("Steps of a forecast", "read")
def test_a_month_may_end_on_a_holiday():
    """Good Friday is on the last business day of March 2024: the last trading day is the day before."""
    timestamps = times("2020-01-31", "BME", 60)
    timestamps[timestamps == np.datetime64("2024-03-29")] -= np.timedelta64(1, "D")
    rule = infer(timestamps)
    assert rule["day"] == "business end"
    np.testing.assert_array_equal(frequencies.to_time_index(timestamps, rule), np.arange(60))


@pytest.mark.reading("Steps of a forecast", "read")
def test_trading_days_are_business_days_with_gaps():
    timestamps = times("2024-01-02", "B", 250)
    is_open = ~np.isin(timestamps.astype("datetime64[D]").astype(str), ["2024-01-15", "2024-02-19", "2024-07-04"])
    rule = infer(timestamps[is_open])
    np.testing.assert_array_equal(frequencies.to_time_index(timestamps[is_open], rule), np.flatnonzero(is_open))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata"])
@pytest.mark.parametrize(("freq", "text"), [("D", "1 day"), ("W-MON", "1 week"), ("MS", "1 month"), ("h", "1 hour")])
@pytest.mark.reading("Steps of a forecast", "read")
def test_steps_of_days_are_local_and_steps_of_hours_are_not(zone, freq, text):
    """Local midnights are 23 to 25 hours apart where the clock changes."""
    index = pd.date_range("2023-03-01", periods=400, freq=freq, tz=zone)
    utc = index.tz_convert(None).to_numpy("datetime64[us]")
    rule = frequencies.infer_frequency(utc, np.zeros(400), zone)
    assert frequencies.format_frequency(rule) == text
    np.testing.assert_array_equal(frequencies.to_time_index(utc, rule), np.arange(400))
    np.testing.assert_array_equal(frequencies.to_timestamps(np.arange(400), rule), utc)
    hours = frequencies.calendar_features(utc, ["hour"], zone)[:, 0]
    np.testing.assert_array_equal(hours, index.hour)
