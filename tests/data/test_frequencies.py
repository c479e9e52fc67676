import numpy as np
import pandas as pd
import pytest

from tfkit.data import frequencies
from tfkit.errors import UserError


def times(first, freq, count):
    return np.array(pd.date_range(first, periods=count, freq=freq), "datetime64[us]")


def found(moments):
    return frequencies.find(moments, np.zeros(len(moments)))


EVERY = [  # pandas' name, what it is in words, steps of a season
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
]


@pytest.mark.parametrize(("freq", "words", "season"), EVERY)
def test_a_frequency_is_found_and_its_times_are_ticks(freq, words, season):
    moments = times("2020-02-29 12:00", freq, 60)
    rule = found(moments)
    assert frequencies.spoken(rule) == words
    assert frequencies.season(rule) == season
    np.testing.assert_array_equal(frequencies.ticks(moments, rule), np.arange(60))
    np.testing.assert_array_equal(frequencies.moments(np.arange(60), rule), moments)


@pytest.mark.parametrize("freq", [freq for freq, _, _ in EVERY])
def test_gaps_do_not_hide_a_frequency_and_time_goes_on_beyond_it(freq):
    moments = times("2021-01-31", freq, 50)
    kept = np.r_[0:10, 13:40]
    rule = found(moments[kept])
    np.testing.assert_array_equal(frequencies.ticks(moments[kept], rule), kept)
    np.testing.assert_array_equal(frequencies.moments(np.arange(40, 50), rule), moments[40:])


def test_plain_numbers_count_steps():
    rule = frequencies.find(np.array([10.0, 15, 20, 30]), np.zeros(4))
    assert rule == {"unit": "number", "step": 5.0, "start": 10.0}
    assert frequencies.ticks(np.array([10.0, 30, 5]), rule).tolist() == [0, 4, -1]
    assert frequencies.moments(np.array([-1, 2]), rule).tolist() == [5.0, 20.0]
    assert (frequencies.season(rule), frequencies.calendar(rule, 1000)) == (1, [])


def test_steps_are_those_inside_a_series():
    moments = np.concatenate([times("2020-01-01", "D", 5), times("2019-06-01", "D", 5)])
    assert frequencies.spoken(frequencies.find(moments, np.repeat([0, 1], 5))) == "1 day"
    with pytest.raises(UserError, match="There must be two rows at least in a series"):
        frequencies.find(moments[:1], np.zeros(1))


def test_times_between_the_steps_are_refused_and_the_first_is_named():
    moments = times("2020-01-01", "h", 50)
    moments[7] += np.timedelta64(10, "m")
    with pytest.raises(UserError, match="steps of 1 hour, and 1 of 50 times between them, the first 2020-01-01 07:10"):
        frequencies.ticks(moments, found(moments))
    months = times("2020-01-31", "ME", 10)
    with pytest.raises(UserError, match="steps of 1 month, and 1 of 1 times between them, the first 2020-02-03"):
        frequencies.ticks(np.array(["2020-02-03"], "datetime64[us]"), found(months))
    week = times("2024-01-01", "B", 20)
    with pytest.raises(UserError, match="the first 2024-01-06"):
        frequencies.ticks(np.array(["2024-01-06"], "datetime64[us]"), found(week))


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
def test_the_calendar_is_told_where_its_cycle_is_there_twice(freq, steps, names):
    assert frequencies.calendar(found(times("2020-01-01", freq, 30)), steps) == names


def test_parts_of_the_calendar():
    moments = np.array(["2024-01-01T00:00", "2024-12-31T12:30", "1969-12-28T06:00"], "datetime64[us]")
    expected = [[0, 0, 0], [12.5, 1, 365], [6, 6, 361]]
    np.testing.assert_allclose(frequencies.parts(moments, ["hour", "weekday", "yearday"]), expected)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (np.datetime64("2024-01-31T00:00:00", "us"), "2024-01-31"),
        (np.datetime64("2024-01-31T07:30", "us"), "2024-01-31 07:30:00"),
        (17.0, "17"),
        (0.5, "0.5"),
    ],
)
def test_a_time_is_written_as_short_as_it_can_be(moment, words):
    assert frequencies.written(moment) == words
