"""Tests of the forms in which people write dates and times: each is read, and written again in the same form."""

import datetime

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from tfkit.data.columns import dates
from tfkit.data.columns.dates import zones
from tfkit.data.columns.dates.formats import format_pattern
from tfkit.data.columns.dates.parsing import utc_offsets
from tfkit.data.columns.infer_type import convert_column, infer_column_type
from tfkit.data.columns.values import normalize_dtype

FORMS = [  # cells, the times that they mean
    (["Dec-2011", "Jan-2012"], ["2011-12-01", "2012-01-01"]),
    (["DEC-11", "JAN-12"], ["2011-12-01", "2012-01-01"]),
    (["Jan-60", "Feb-60"], ["1960-01-01", "1960-02-01"]),
    (["Jan 1960", "Feb 1960"], ["1960-01-01", "1960-02-01"]),
    (["January 1960", "February 1960"], ["1960-01-01", "1960-02-01"]),
    (["1960M01", "1960M12"], ["1960-01-01", "1960-12-01"]),
    (["1960m1", "1960m12"], ["1960-01-01", "1960-12-01"]),
    (["12/2011", "01/2012"], ["2011-12-01", "2012-01-01"]),
    (["2011/12", "2012/01"], ["2011-12-01", "2012-01-01"]),
    (["1960Q1", "1961Q4"], ["1960-01-01", "1961-10-01"]),
    (["1960-Q1", "1961-Q4"], ["1960-01-01", "1961-10-01"]),
    (["Q1 1960", "Q4 1961"], ["1960-01-01", "1961-10-01"]),
    (["1960q1", "1961q4"], ["1960-01-01", "1961-10-01"]),
    (["3Q2011", "4Q2011"], ["2011-07-01", "2011-10-01"]),
    (["2020-W05", "2020-W53"], ["2020-01-27", "2020-12-28"]),
    (["2020W05", "2020W53"], ["2020-01-27", "2020-12-28"]),
    (["2020-W05-3", "2020-W53-7"], ["2020-01-29", "2021-01-03"]),
    (["20200131T1305", "20200201T0000"], ["2020-01-31T13:05", "2020-02-01"]),
    (["20200131T130501Z"], ["2020-01-31T13:05:01"]),
    (["2020-01-31T13:05:01.250"], ["2020-01-31T13:05:01.25"]),
    (["15-05-71", "11-07-62"], ["1971-05-15", "1962-07-11"]),
    (["31JAN2024", "01FEB2024"], ["2024-01-31", "2024-02-01"]),
    (["1/2/2020 3:04 PM", "5/20/2020 11:04 AM"], ["2020-01-02T15:04", "2020-05-20T11:04"]),
    (["31.01.2020 18.00.00", "01.02.2020 00.30.00"], ["2020-01-31T18:00", "2020-02-01T00:30"]),
    (["Wed, 31 Jan 2024 10:00:00 +0100"], ["2024-01-31T09:00"]),
    (["1:05 PM", "12:10 AM"], ["1970-01-01T13:05", "1970-01-01T00:10"]),
    (["1:05pm", "11:10am"], ["1970-01-01T13:05", "1970-01-01T11:10"]),
    (["18.00.00", "09.30.15"], ["1970-01-01T18:00", "1970-01-01T09:30:15"]),
    (["2022-10-01 00:00:00+02:00", "2022-11-01 00:00:00+01:00"], ["2022-09-30T22:00", "2022-10-31T23:00"]),
]

DIGITS = [  # dates only if the user says so
    (["20240131", "20240201"], ["2024-01-31", "2024-02-01"]),
    (["202401", "202412"], ["2024-01-01", "2024-12-01"]),
    (["1871", "1872"], ["1871-01-01", "1872-01-01"]),
    (["0930", "1015"], ["1970-01-01T09:30", "1970-01-01T10:15"]),
    (["2020010112", "2020010113"], ["2020-01-01T12:00", "2020-01-01T13:00"]),
    (["202001011259", "202001011300"], ["2020-01-01T12:59", "2020-01-01T13:00"]),
    (["20200101125930"], ["2020-01-01T12:59:30"]),
    (["1609459200", "1609459201"], ["2021-01-01", "2021-01-01T00:00:01"]),
    (["1609459200.5", "1609459201"], ["2021-01-01T00:00:00.5", "2021-01-01T00:00:01"]),
    (["1609459200123"], ["2021-01-01T00:00:00.123"]),
    (["1609459200123456", "1609459200123457"], ["2021-01-01T00:00:00.123456", "2021-01-01T00:00:00.123457"]),
    (["1609459200000000000", "1609462800000000000"], ["2021-01-01", "2021-01-01T01:00"]),
]


@pytest.mark.parametrize(
    ("cells", "times", "is_date"),
    [*((*form, False) for form in FORMS), *((*form, True) for form in DIGITS)],
    ids=lambda value: str(value[0]) if isinstance(value, list) else str(value),
)
@pytest.mark.reading("Dates and times", "read")
def test_a_form_is_read_and_written_again(cells, times, is_date):
    column = normalize_dtype(pd.Series(cells))
    rule = dates.infer_format(column, is_date=is_date)
    utc = dates.to_datetimes(column, rule)
    np.testing.assert_array_equal(utc, np.array(times, "datetime64[us]"))
    offsets = utc_offsets(column)
    assert dates.format_times(utc + offsets, dates.infer_layout(column, rule), offsets) == cells


@pytest.mark.parametrize("cells", [cells for cells, _ in FORMS], ids=lambda cells: cells[0])
@pytest.mark.reading("Dates and times", "read")
def test_a_column_of_dates_is_never_an_identifier(cells):
    """All cells are distinct, as in a column of identifiers."""
    column = pd.Series([*cells] * 30) if len(cells) == 1 else pd.Series(cells)
    assert (
        infer_column_type(column.drop_duplicates() if len(cells) > 1 else pd.concat([column, pd.Series([None])]))[
            "kind"
        ]
        == "date"
    )


def test_digits_that_are_all_dates_are_dates_in_a_table():
    days = pd.date_range("2019-12-20", periods=60)
    for column in (days.strftime("%Y%m%d"), days.strftime("%Y%m%d").astype(int)):
        assert infer_column_type(pd.Series(column, name="x"))["formats"] == ["%Y%m%d"]
    assert infer_column_type(pd.Series(range(20191201, 20191261), name="x"))["kind"] != "date"  # 20191260 is no day
    assert infer_column_type(pd.Series(["10000000", "34567890"] * 20, name="x"))["kind"] != "date"


@pytest.mark.parametrize("strings", [["12-34-56", "56-78-90"], ["May", "June"], ["5 PMC", "6 PMC"], ["1.2.3", "1.2.4"]])
@pytest.mark.reading("Dates and times", "refused")
def test_other_text_has_no_form(strings):
    assert dates.infer_format(pd.Series(strings)) is None


@pytest.mark.parametrize("date_format", ["%d.%m.%Y", "%YQ%q", "%b-%y", "%G-W%V"])
@hypothesis.given(day=st.dates(min_value=datetime.date(1930, 1, 1), max_value=datetime.date(2020, 12, 31)))
@hypothesis.settings(max_examples=25, deadline=None)
def test_what_is_written_is_read(date_format, day):
    text = dates.format_times(np.array([day], "datetime64[us]"), date_format)
    column = pd.Series(text)
    assert column.str.fullmatch(format_pattern(date_format)).all()
    rule = {"formats": [date_format], "pivot": 2020}
    assert dates.format_times(dates.to_datetimes(column, rule), date_format) == text


@pytest.mark.parametrize(
    ("cells", "years"),
    [
        (["15/05/46", "11/07/01"], [1946, 2001]),
        (["15-05-71", "11-07-99"], [1971, 1999]),
        (["15.05.26", "11.07.25"], [2026, 2025]),
        (["15.05.27", "11.07.25"], [1927, 2025]),
        (["Jan-68", "Feb-69"], [1968, 1969]),
        (["31-Jan-30", "01-Feb-70"], [1930, 1970]),
    ],
)
@pytest.mark.reading("Dates and times", "stated")
def test_no_date_of_two_digits_passes_the_present(cells, years, monkeypatch):
    class Now(dates.inference.datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 12, 1, tzinfo=tz)

    monkeypatch.setattr(dates.inference.datetime, "datetime", Now)
    column = pd.Series(cells)
    rule = dates.infer_format(column)
    assert (dates.to_datetimes(column, rule).astype("datetime64[Y]").astype(int) + 1970).tolist() == years
    assert f"to {rule['pivot']}" in dates.describe_format(rule)


def test_the_century_is_replayed():
    """New rows may be some years later than those of training."""
    rule = dates.infer_format(pd.Series(["15/05/20", "11/07/26"]))
    assert dates.to_datetimes(pd.Series(["01/02/28", "29/02/00"]), rule).astype("datetime64[D]").astype(
        str
    ).tolist() == [
        "2028-02-01",
        "2000-02-29",
    ]


@pytest.mark.parametrize(
    ("times", "text_format", "date_format"),
    [
        (pd.date_range("2023-01-01", periods=12, freq="MS"), "%d/%m/%Y", "%d/%m/%Y"),
        (pd.date_range("2023-01-01", periods=12, freq="MS"), "%m/%d/%Y", "%m/%d/%Y"),
        (pd.date_range("2021-01-01", periods=36, freq="MS"), "%d-%m-%Y", "%d-%m-%Y"),
        (pd.date_range("2021-01-01", periods=9, freq="QS"), "%d/%m/%y", "%d/%m/%y"),
        (pd.date_range("2000-06-05", periods=11, freq="YS-JUN"), "%d/%m/%Y", "%d/%m/%Y"),
        (pd.date_range("2021-01-01", periods=36, freq="MS"), "%m-%d-%Y", "%m-%d-%Y"),
        (pd.date_range("2021-03-02", periods=10, freq="D"), "%m/%d/%Y", "%m/%d/%Y"),
        (pd.date_range("2021-03-02", periods=10, freq="D"), "%d/%m/%Y", "%d/%m/%Y"),
        (pd.date_range("2021-03-02", periods=240, freq="h"), "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M"),
    ],
)
@pytest.mark.reading("Dates and times", "read")
def test_the_order_of_day_and_month_with_regular_steps_is_used(times, text_format, date_format):
    cells = pd.Series(times.strftime(text_format))
    assert dates.infer_format(pd.concat([cells, cells], ignore_index=True))["formats"] == [date_format]
    opposite = dates.infer_format(cells, day_first=not text_format.startswith("%d"))
    assert opposite is None or opposite["formats"] != [date_format]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("Europe/Paris", "Europe/Berlin"),
        ("America/New_York", "America/New_York"),
        ("Australia/Sydney", "Australia/Sydney"),
        ("Asia/Kolkata", "+05:30"),
        ("America/Caracas", "-04:00"),
        ("UTC", None),
    ],
)
@pytest.mark.reading("Dates and times", "read")
def test_the_zone_is_inferred_from_the_offsets(zone, expected):
    cells = pd.Series(pd.date_range("2023-01-01", periods=400, tz=zone).map(lambda time: time.isoformat()))
    rule = dates.infer_format(cells)
    assert dates.infer_zone(cells, rule) == expected
    times = dates.to_datetimes(cells, rule)
    local = zones.to_local(times, expected)
    assert (local == local.astype("datetime64[D]")).all()
    np.testing.assert_array_equal(zones.to_utc(local, expected), times)


def test_offsets_of_no_zone_are_utc():
    cells = pd.Series(["2023-01-01T00:00+01:00", "2023-01-02T00:00-07:00", "2023-01-03T00:00+01:00"])
    assert dates.infer_zone(cells, dates.infer_format(cells)) == "UTC"


def test_the_parts_of_a_date_are_local():
    cells = pd.Series(["2024-07-01 00:30+02:00", "2024-07-01 23:30-05:00", "2024-07-01 23:30Z"])
    parts = dates.extract_parts(cells, dates.infer_format(cells))
    assert (parts["day"].tolist(), parts["hour"].tolist()) == ([1, 1, 1], [0.5, 23.5, 23.5])
    np.testing.assert_allclose(np.diff(parts["days"]), [30 / 24, -5 / 24], atol=2e-3)
    aware = pd.Series(pd.date_range("2024-07-01", periods=3, tz="Asia/Tokyo"))
    assert set(convert_column(aware, infer_column_type(aware))[0]["hour"]) == {0.0}


def test_times_of_day_have_an_hour_only():
    cells = pd.Series(["1:05 PM", "2:30 AM"])
    rule = infer_column_type(cells)
    arrays, num_unreadable = convert_column(pd.Series(["1:05 PM", "noon", None]), rule)
    assert (list(arrays), num_unreadable) == (["hour"], 1)
    np.testing.assert_allclose(arrays["hour"], [13 + 5 / 60, np.nan, np.nan])
