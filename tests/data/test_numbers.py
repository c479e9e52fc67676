import numpy as np
import pandas as pd
import pytest

from tfkit.data.cells import plain
from tfkit.data.numbers import as_floats, find, read, rule_of

NAN = np.nan


@pytest.mark.parametrize(
    ("words", "written", "signs", "values"),
    [
        ("1 -2.5 +3 .5 4. 1e3 -1E-2", "1234.5", False, [1, -2.5, 3, 0.5, 4, 1000, -0.01]),
        ("1 inf -Infinity 2", "1234.5", False, [1, np.inf, -np.inf, 2]),
        ("1,234 12,345,678.5 7 -999", "1,234.5", False, [1234, 12345678.5, 7, -999]),
        ("1.234,5 7,25 12", "1.234,5", False, [1234.5, 7.25, 12]),
        ("1.234.567 1.234", "1.234,5", False, [1234567, 1234]),
        ("0,123 0,456", "1.234,5", False, [0.123, 0.456]),
        ("1'234.5 12'345'678", "1 234.5", False, [1234.5, 12345678]),
        ("1\u00a0234,5 2\u202f345\u202f678", "1 234,5", False, [1234.5, 2345678]),
        ("$1,200 -$3.50 €4", "1,234.5", True, [1200, -3.5, 4]),
        ("12% 5.5% -1%", "1234.5", True, [12, 5.5, -1]),
        ("12:30 1:05:09.5 00:00", "12:30:00", False, [45000, 3909.5, 0]),
    ],
)
def test_the_way_numbers_are_written_is_found_and_read(words, written, signs, values):
    cells = pd.Series(words.split(" "))
    rule = find(cells.value_counts())
    assert rule == {"kind": "number", "written": written, "signs": signs}
    assert read(pd.concat([cells, pd.Series([None])]), rule).tolist() == pytest.approx([*values, NAN], nan_ok=True)


def test_time_spans_are_seconds():
    cells = pd.Series(["1 days 02:00:00", "-1 days +23:00:00", "0 days 00:00:05.250000"])
    assert read(cells, find(cells.value_counts())).tolist() == [93600, -3600, 5.25]


@pytest.mark.parametrize(
    "words",
    ["a b", "1 2 x", "0x10 1_000 2", "1,23 4,5,6", "1-2 3-4", "12:75 12:30", "$ %", "٣ ٤", "1.2.3 4.5.6", "5kg 6kg"],
)
def test_what_is_no_number_is_none(words):
    assert find(pd.Series(words.split()).value_counts()) is None


def test_one_cell_in_twenty_may_be_something_else():
    few = pd.Series(["x"] + ["1", "2.5"] * 10)
    assert find(few.value_counts()) == rule_of()
    assert np.isnan(read(few, rule_of())).sum() == 1
    assert find(pd.Series(["x", "y"] + ["1", "2.5"] * 10).value_counts()) is None


def test_the_form_that_reads_most_wins_wherever_it_shows():
    cells = pd.Series([str(number) for number in range(1000)] + [f"{number:,}" for number in range(1000, 1040)])
    assert find(cells.value_counts())["written"] == "1,234.5"  # 96% are plain numbers too


def test_a_rule_is_kept_for_files_that_are_written_otherwise():
    assert np.isnan(read(pd.Series(["1.234,5", "x"]), rule_of())).all()
    assert read(pd.Series([1.5, NAN]), rule_of("1.234,5")).tolist() == pytest.approx([1.5, NAN], nan_ok=True)
    assert np.isnan(read(plain(pd.Series(pd.to_datetime(["2024-01-31"]))), rule_of())).all()


def test_reading_is_exact():
    values = np.random.default_rng(0).normal(size=1000)
    cells = pd.Series([repr(float(value)) for value in values])
    assert (read(cells, rule_of()) == values).all()
    assert (as_floats(cells).to_numpy() == values).all()
    assert (read(pd.concat([cells, pd.Series(["x"])]), rule_of())[:-1] == values).all(), "also where one is no number"


def test_as_floats_leaves_words_as_they_are():
    cells = pd.Series(["1", "x"])
    assert as_floats(cells) is cells
