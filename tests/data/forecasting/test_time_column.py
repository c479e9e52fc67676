"""Tests of the time column of a forecast: its form is read, and answers are written in the same form."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data import forecasting
from tfkit.data.forecasting.columns import infer_columns
from tfkit.data.forecasting.features import series_timestamps
from tfkit.data.forecasting.row_counters import find_row_counters

ROWS = 48


def next_times(table, **settings):
    """Return the texts of the three times after the table, without the series id."""
    grid, rules = forecasting.load(table, **settings)
    frame = series_timestamps(grid.names, np.zeros(3, int), grid.time_index.max() + np.arange(1, 4), rules)
    return frame[rules.time["columns"]].agg(" ".join, axis=1).tolist(), rules


def table(cells, name="date", **columns):
    return pd.DataFrame({name: cells, "value": np.random.default_rng(0).normal(size=len(cells)), **columns})


def month_cells(text):
    return pd.date_range("1960-01-01", periods=ROWS, freq="MS").strftime(text)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (month_cells("%YM%m"), ["1964M01", "1964M02", "1964M03"]),
        (month_cells("%b-%y"), ["Jan-64", "Feb-64", "Mar-64"]),
        (month_cells("%B %Y"), ["January 1964", "February 1964", "March 1964"]),
        (month_cells("%Y-%m"), ["1964-01", "1964-02", "1964-03"]),
        (month_cells("%m/%Y"), ["01/1964", "02/1964", "03/1964"]),
        (month_cells("%d/%m/%Y"), ["01/01/1964", "01/02/1964", "01/03/1964"]),
        (month_cells("%Y%m"), ["196401", "196402", "196403"]),
        ([f"{1970 + i // 4}Q{i % 4 + 1}" for i in range(ROWS)], ["1982Q1", "1982Q2", "1982Q3"]),
        ([f"Q{i % 4 + 1} {1970 + i // 4}" for i in range(ROWS)], ["Q1 1982", "Q2 1982", "Q3 1982"]),
        ([str(1871 + i) for i in range(ROWS)], ["1919", "1920", "1921"]),
        (
            pd.date_range("2020-01-27", periods=ROWS, freq="W-MON").strftime("%G-W%V"),
            ["2020-W53", "2021-W01", "2021-W02"],
        ),
        (
            pd.date_range("2020-01-31", periods=ROWS, freq="BME").strftime("%Y-%m-%d"),
            ["2024-01-31", "2024-02-29", "2024-03-29"],
        ),
        (
            pd.date_range("2024-01-01", periods=ROWS, freq="B").strftime("%d.%m.%Y"),
            ["07.03.2024", "08.03.2024", "11.03.2024"],
        ),
        (
            pd.date_range("2024-01-01", periods=ROWS, freq="h").strftime("%Y%m%dT%H%M"),
            ["20240103T0000", "20240103T0100", "20240103T0200"],
        ),
        ([str(1609459200 + 60 * i) for i in range(ROWS)], ["1609462080", "1609462140", "1609462200"]),
        ([str(1609459200000 + 250 * i) for i in range(ROWS)], ["1609459212000", "1609459212250", "1609459212500"]),
        (
            pd.date_range("2024-01-01", periods=ROWS, freq="100ms").strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3],
            ["2024-01-01 00:00:04.800", "2024-01-01 00:00:04.900", "2024-01-01 00:00:05.000"],
        ),
        (
            [
                f"{time:%Y-%m-%dT%H:%M:%S}{time:%z}"
                for time in pd.date_range("2024-03-29 05:00", periods=ROWS, freq="h", tz="Europe/Berlin")
            ],
            ["2024-03-31T06:00:00+0200", "2024-03-31T07:00:00+0200", "2024-03-31T08:00:00+0200"],
        ),
        (
            [time.isoformat(sep=" ") for time in pd.date_range("2024-02-10", periods=ROWS, tz="Europe/Berlin")],
            ["2024-03-29 00:00:00+01:00", "2024-03-30 00:00:00+01:00", "2024-03-31 00:00:00+01:00"],
        ),
        (
            [time.isoformat() for time in pd.date_range("2024-10-01", periods=ROWS, tz="America/New_York")],
            ["2024-11-18T00:00:00-05:00", "2024-11-19T00:00:00-05:00", "2024-11-20T00:00:00-05:00"],
        ),
    ],
    ids=lambda value: str(next(iter(value))),
)
@pytest.mark.reading("Steps of a forecast", "read")
def test_answers_have_the_form_of_the_table(cells, expected):
    assert next_times(table(list(cells)))[0] == expected


def test_time_in_several_columns():
    months = pd.date_range("1980-11-01", periods=ROWS, freq="MS")
    frame = table(months.year, "Year", Month=months.month)
    assert next_times(frame)[0] == ["1984 11", "1984 12", "1985 1"]
    assert next_times(frame.assign(Month=months.strftime("%m")))[0] == ["1984 11", "1984 12", "1985 01"]
    days = pd.date_range("2023-12-30", periods=ROWS)
    texts, rules = next_times(table(days.year, "year", month=days.month, day=days.day))
    assert texts == ["2024 2 16", "2024 2 17", "2024 2 18"]
    assert rules.notes == ["times are read from the columns 'year', 'month', 'day' together"]
    hours = pd.date_range("2004-03-10 18:00", periods=ROWS, freq="h")
    frame = table(hours.strftime("%d/%m/%Y"), "Date", Time=hours.strftime("%H.%M.%S"))
    assert next_times(frame)[0] == ["12/03/2004 18.00.00", "12/03/2004 19.00.00", "12/03/2004 20.00.00"]
    frame = table(hours.strftime("%Y-%m-%d"), "date", time=hours.strftime("%I:%M %p"))
    assert next_times(frame)[0] == ["2004-03-12 06:00 PM", "2004-03-12 07:00 PM", "2004-03-12 08:00 PM"]


@pytest.mark.parametrize(
    ("columns", "freq", "expected"),
    [
        ({"Year": "%Y", "Month": "%B"}, "MS", ["2024 June", "2024 July", "2024 August"]),
        ({"year": "%Y", "month": "%b"}, "MS", ["2024 Jun", "2024 Jul", "2024 Aug"]),
        ({"yr": "%G", "week": "%V"}, "W-MON", ["2021 14", "2021 15", "2021 16"]),
        ({"date": "%Y-%m-%d", "hour": "%H"}, "h", ["2020-05-06 00", "2020-05-06 01", "2020-05-06 02"]),
        ({"Date": "%d/%m/%Y", "Time": "%H:%M"}, "h", ["06/05/2020 00:00", "06/05/2020 01:00", "06/05/2020 02:00"]),
        (
            {"Date": "%m/%d/%Y", "Time": "%H:%M:%S"},
            "30min",
            ["05/05/2020 00:00:00", "05/05/2020 00:30:00", "05/05/2020 01:00:00"],
        ),
    ],
)
@pytest.mark.reading("Steps of a forecast", "read")
def test_parts_of_the_time_in_columns(columns, freq, expected):
    start = "2020-05-04"
    times = pd.date_range(start, periods=ROWS, freq=freq)
    parts = {name: times.strftime(text) for name, text in columns.items()}
    assert next_times(pd.DataFrame({**parts, "value": np.random.default_rng(0).normal(size=ROWS)}))[0] == expected


@pytest.mark.reading("Steps of a forecast", "read")
def test_year_and_quarter_in_two_columns():
    quarters = pd.period_range("2010Q2", periods=ROWS, freq="Q")
    frame = table(quarters.year, "year", quarter=quarters.quarter)
    assert next_times(frame)[0] == ["2022 2", "2022 3", "2022 4"]


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (month_cells("%d/%m/%Y"), "dates of 'date' are read day first; day_first=false reads the month first"),
        (month_cells("%m-%d-%Y"), "dates of 'date' are read month first; day_first=true reads the day first"),
        (month_cells("%b-%y"), "years of two digits in 'date' are read as 1927 to 2026"),
        (
            [time.isoformat() for time in pd.date_range("2024-10-01", periods=ROWS, tz="America/New_York")],
            "times of 'date' have UTC offsets: the calendar is that of America/New_York",
        ),
    ],
)
@pytest.mark.reading("Dates and times", "stated")
def test_how_times_are_read_is_reported(cells, note):
    (text,) = infer_columns(table(list(cells)))[1].notes
    assert text[:-4] == note[:-4]  # the century depends on the present


def test_the_setting_day_first_wins():
    frame = table(month_cells("%d/%m/%Y"))
    texts, rules = next_times(frame.iloc[:12], day_first=False)
    assert texts == ["01/13/1960", "01/14/1960", "01/15/1960"]
    assert rules.time["formats"] == ["%m/%d/%Y"]


@pytest.mark.reading("Steps of a forecast", "stated")
def test_counters_of_rows_and_parts_of_the_time_are_left_out():
    days = pd.date_range("2023-06-01", periods=ROWS)
    frame = table(days, Unnamed=np.arange(ROWS), column_1=np.arange(ROWS), month=days.month, dow=days.day_of_week + 1)
    frame = frame.assign(decimal=days.year + days.day_of_year / 365, index=np.arange(ROWS) + 7)
    _, rules = infer_columns(frame, time_column="date")
    assert list(rules.target_columns) == ["value"]
    assert "column 'column_1' left out: it counts the rows" in rules.notes
    assert "column 'month' left out: it repeats the month of 'date'" in rules.notes
    assert len(rules.notes) == 6
    _, named = infer_columns(frame, time_column="date", target=["column_1"])
    assert list(named.target_columns) == ["column_1"]


def test_a_series_is_no_counter():
    days = pd.date_range("2023-06-01", periods=ROWS)
    frame = table(days, sales=np.arange(ROWS), index=np.arange(ROWS) * 2)
    assert list(infer_columns(frame)[1].target_columns) == ["value", "sales", "index"]
    only = pd.DataFrame({"date": days.astype(str), "index": np.arange(ROWS)})
    assert list(infer_columns(only)[1].target_columns) == ["index"]
    assert find_row_counters(only.iloc[:5], ["index", "date"], {"kind": "number"}) == {}


def schema(frame, **settings):
    grid, rules = forecasting.load(frame, **settings)
    splits = forecasting.split(grid, 2, val_fraction=0.2, test_fraction=0.2)
    return forecasting.fit_schema(grid, rules, splits, horizon=2, context_length=4)


@pytest.mark.parametrize(
    "cells",
    [
        pd.date_range("2023-06-01", periods=ROWS),
        pd.date_range("2023-06-01", periods=ROWS, tz="Europe/Berlin"),
        pd.date_range("2023-06-01", periods=ROWS, unit="ns"),
        pd.period_range("1960-01", periods=ROWS, freq="M"),
        np.arange(1900, 1900 + ROWS),
        1609459200_000_000_000 + 3_600_000_000_000 * np.arange(ROWS),
        pd.date_range("2023-06-01", periods=ROWS).strftime("%d.%m.%Y"),
    ],
    ids=lambda cells: str(cells.dtype),
)
@pytest.mark.reading("Steps of a forecast", "read")
def test_answers_can_be_joined_with_a_frame(cells):
    frame = table(cells)
    past, future = frame.iloc[:-2], frame.iloc[-2:]
    _, result = forecasting.read(past, schema(past), with_columns=True)
    assert result["date"].dtype == frame["date"].dtype
    assert result["date"].tolist() == future["date"].tolist()


def test_ids_are_answered_with_the_type_of_the_frame():
    frame = pd.concat([table(pd.date_range("2023-06-01", periods=ROWS), shop=shop) for shop in (7, 12)])
    metadata = schema(frame, series_id_column="shop")
    _, result = forecasting.read(frame, metadata, with_columns=True)
    assert result["shop"].tolist() == [12, 12, 7, 7]
