"""Tests of date formats: inference, parsing and parts of dates."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.dates import extract_parts, infer_format, to_days
from tfkit.data.columns.values import normalize_dtype

DAY = pd.Timedelta(days=1)


def days_since_1970(*timestamps):
    return [(pd.Timestamp(timestamp) - pd.Timestamp(0)) / DAY for timestamp in timestamps]


@pytest.mark.parametrize(
    ("strings", "formats", "timestamps"),
    [
        (["2024-01-31", "2024-1-5"], ["ISO8601"], ["2024-01-31", "2024-01-05"]),
        (["2024-01-31T12:00:00Z", "2024-01-31 12:00:00.5"], ["ISO8601"], ["2024-01-31 12:00", "2024-01-31 12:00:00.5"]),
        (["2024-01-31 12:00+02:00", "2024-01-31 12:00-05:00"], ["ISO8601"], ["2024-01-31 10:00", "2024-01-31 17:00"]),
        (["2024-01", "2024-02"], ["ISO8601"], ["2024-01-01", "2024-02-01"]),
        (["31/12/2024", "01/02/2025"], ["%d/%m/%Y"], ["2024-12-31", "2025-02-01"]),
        (["12/31/2024", "01/02/2025"], ["%m/%d/%Y"], ["2024-12-31", "2025-01-02"]),
        (["12/31/24", "1/2/25"], ["%m/%d/%y"], ["2024-12-31", "2025-01-02"]),
        (["31.12.2024 09:30", "1.2.2025 9:30"], ["%d.%m.%Y %H:%M"], ["2024-12-31 09:30", "2025-02-01 09:30"]),
        (["5 Jan 2024", "31 December 2024"], ["%d %b %Y", "%d %B %Y"], ["2024-01-05", "2024-12-31"]),
        (["Jan 5, 2024 3:04 PM"], ["%b %d, %Y %I:%M %p"], ["2024-01-05 15:04"]),
        (["Wed, 31 Jan 2024 10:00:00"], ["%a, %d %b %Y %H:%M:%S"], ["2024-01-31 10:00"]),
        (["2024-01-31", "31.01.2024", "1/31/2024"], ["ISO8601", "%m/%d/%Y", "%d.%m.%Y"], ["2024-01-31"] * 3),
        (["0001-01-01", "9999-12-31"], ["ISO8601"], ["0001-01-01", "9999-12-31"]),
    ],
)
@pytest.mark.reading("Dates and times", "read")
def test_format_is_inferred_and_parsed(strings, formats, timestamps):
    rule = infer_format(pd.Series(strings))
    assert {**rule, "pivot": 0} == {"kind": "date", "formats": formats, "pivot": 0}
    epoch = np.datetime64(0, "us")
    expected = [(np.datetime64(timestamp, "us") - epoch) / np.timedelta64(1, "D") for timestamp in timestamps]
    assert to_days(pd.Series([*strings, None, "x"]), rule).tolist() == pytest.approx(
        [*expected, np.nan, np.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    "strings",
    [
        ["w1", "w2"],
        ["2024", "2025"],
        ["20240131", "20240201"],
        ["1.2.3.4", "1.2.3.5"],
        ["12-34", "56-78"],
        ["1:30", "2:30"],
        ["2024-02-30", "2024-02-31"],
        ["31/12/2024", "12/31/2024"],
        ["555-1234", "555-4321"],
        ["5 kg 2 g", "6 kg 1 g"],
    ],
)
@pytest.mark.reading("Dates and times", "refused")
def test_no_format_for_other_text(strings):
    assert infer_format(pd.Series(strings)) is None


@pytest.mark.parametrize(
    ("cells", "date_format", "timestamps"),
    [
        (pd.Series(["20240131", "20241231"]), "%Y%m%d", ["2024-01-31", "2024-12-31"]),
        (pd.Series([20240131.0, 20241231.0]), "%Y%m%d", ["2024-01-31", "2024-12-31"]),
        (pd.Series(["2023", "2024"]), "%Y", ["2023-01-01", "2024-01-01"]),
        (pd.Series([2023.0, 2024.0]), "%Y", ["2023-01-01", "2024-01-01"]),
        (pd.Series(["1706659200", "1706702400"]), "seconds", ["2024-01-31", "2024-01-31 12:00"]),
        (pd.Series([1706659200000.0, 1706702400000.0]), "milliseconds", ["2024-01-31", "2024-01-31 12:00"]),
    ],
)
@pytest.mark.reading("Dates and times", "read")
def test_numbers_are_dates_if_the_user_sets_the_type(cells, date_format, timestamps):
    assert infer_format(cells) is None
    rule = infer_format(cells, is_date=True)
    assert rule["formats"] == [date_format]
    assert to_days(cells, rule).tolist() == days_since_1970(*timestamps)


def test_parts_of_a_date():
    cells = pd.Series(["2024-02-29 18:45", None, "1969-12-31"])
    parts = extract_parts(cells, infer_format(cells.dropna()))
    assert {name: values.dtype for name, values in parts.items()} == dict.fromkeys(parts, "float64")
    expected = {"year": [2024, 1969], "month": [2, 12], "day": [29, 31], "weekday": [3, 2], "hour": [18.75, 0]}
    for name, values in (expected | {"days": days_since_1970("2024-02-29 18:45", "1969-12-31")}).items():
        np.testing.assert_allclose(parts[name], [values[0], np.nan, values[1]], rtol=1e-6)


def test_datetime_cells_are_parsed_by_any_rule():
    rule = infer_format(pd.Series(["31.01.2024", "01.02.2024"]))
    cells = normalize_dtype(pd.Series(pd.to_datetime(["2024-01-31 12:00", None]), name="x"))
    assert to_days(cells, rule).tolist() == pytest.approx([*days_since_1970("2024-01-31 12:00"), np.nan], nan_ok=True)


def test_new_file_is_parsed_by_the_inferred_format():
    day_first = infer_format(pd.Series(["31/01/2024", "01/02/2024"]))
    assert to_days(pd.Series(["03/04/2024"]), day_first).tolist() == days_since_1970("2024-04-03")
    assert np.isnan(to_days(pd.Series(["04/13/2024"]), day_first)).all()


def test_one_cell_in_twenty_may_not_match():
    dates = [f"2024-01-{day:02d}" for day in range(1, 31)]
    assert infer_format(pd.Series([*dates, "unknown"])) is not None
    assert infer_format(pd.Series([*dates, *["unknown"] * 10])) is None, "cells are counted, not distinct strings"
