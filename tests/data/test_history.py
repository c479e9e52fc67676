import numpy as np
import pandas as pd
import pytest

from tfkit.data.history import filled, history, learn_rules, trimmed
from tfkit.errors import UserError

DAYS = ["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"]
WIDE = pd.DataFrame({"day": DAYS, "a": ["1", "2", "", "1,234.5"], "b": [4.0, 5.0, 6.0, 7.0]})
LONG = pd.DataFrame({"when": [*DAYS, *DAYS[:2]], "shop": ["x"] * 4 + ["y"] * 2, "sold": np.arange(6.0)})
NAN = np.nan


def told(table, **settings):
    frame, rules = learn_rules(table, **settings)
    return history(frame, rules)


def test_a_wide_table_is_a_series_a_column():
    found, rule, said = told(WIDE)
    assert found.names == ["a", "b"]
    np.testing.assert_array_equal(found.values, [1, 2, NAN, NAN, 1234.5, 4, 5, NAN, 6, 7])
    np.testing.assert_array_equal(found.ticks, [0, 1, 2, 3, 4] * 2)
    np.testing.assert_array_equal(found.series, np.repeat([0, 1], 5))
    assert (rule["unit"], rule["step"]) == ("second", 86_400)
    assert said == ["1 of 5 steps have no row, in 1 gap, the first at 2024-01-03"]


def test_a_long_table_is_a_series_a_name_each_with_its_own_span():
    found, _, _ = told(LONG, series_column="shop", leave_out=[])
    assert found.names == ["x", "y"]
    np.testing.assert_array_equal(found.values, [0, 1, NAN, 2, 3, 4, 5])
    np.testing.assert_array_equal(found.ticks, [0, 1, 2, 3, 4, 0, 1])


def test_the_order_of_rows_is_no_matter_and_said():
    mixed, _, said = told(LONG.sample(frac=1, random_state=1), series_column="shop")
    np.testing.assert_array_equal(mixed.values, told(LONG, series_column="shop")[0].values)
    assert said[0] == "rows sorted by time: they did not stand in its order"


def test_what_is_known_stands_beside_every_step():
    table = WIDE.assign(open=["yes", "no", "yes", None], price=[1, 2, 3, 4])
    found, _, _ = told(table, known=["open", "price"])
    np.testing.assert_array_equal(found.known[:5], [[1, 1], [0, 2], [NAN, NAN], [1, 3], [NAN, 4]])
    np.testing.assert_array_equal(found.known[5:], found.known[:5])
    full, _ = filled(found, "last")
    np.testing.assert_array_equal(full.known[:5], [[1, 1], [0, 2], [0, 2], [1, 3], [1, 4]])


def test_a_later_table_lies_on_the_grid_that_was_learnt():
    frame, rules = learn_rules(WIDE)
    _, rule, _ = history(frame, rules)
    later = frame.assign(day=["2023-12-30", "2024-02-01", "2024-02-02", "2024-02-03"])
    found, same, _ = history(later.iloc[1:], {**rules, "frequency": rule})
    assert same == rule
    np.testing.assert_array_equal(found.ticks[:3], [31, 32, 33])
    assert history(later.iloc[:1], {**rules, "frequency": rule})[0].ticks.tolist() == [-2, -2]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("last", [1, 2, 2, 2, 1234.5]),
        ("linear", [1, 2, 2 + 1232.5 / 3, 2 + 2 * 1232.5 / 3, 1234.5]),
    ],
)
def test_holes_are_filled_as_told(how, expected):
    full, present = filled(told(WIDE)[0], how)
    np.testing.assert_allclose(full.values[:5], expected)
    np.testing.assert_array_equal(full.values[5:], [4, 5, 5 if how == "last" else 5.5, 6, 7])
    np.testing.assert_array_equal(present, [1, 1, 0, 0, 1, 1, 1, 0, 1, 1])


def test_a_series_of_which_nothing_is_known_ahead_is_refused():
    found, _, _ = told(LONG.assign(price=[1, 2, 3, 4, None, None]), series_column="shop", known=["price"])
    with pytest.raises(UserError, match=r"in some rows of every series at least\. Received: none for 'y'"):
        filled(found, "last")


def test_a_series_is_trimmed_to_its_values():
    table = WIDE.assign(a=[None, "2", "3", None], b=[None] * 3 + [1.0], c=[4.0, None, None, 5.0])
    kept, said = trimmed(told(table)[0], "last")
    np.testing.assert_array_equal(kept.values, [2, NAN, 3, 1, 4, NAN, NAN, NAN, 5])
    assert said == ["4 of 9 values are missing: filled with the last value before, and never a target"]
    with pytest.raises(UserError, match=r"With gaps=refuse no value may be missing\. Received: 4 of 9 steps"):
        trimmed(told(table)[0], "refuse")
    empty = pd.concat([LONG, LONG.assign(shop="z", sold=None).iloc[:4]])
    several, said = trimmed(told(empty, series_column="shop")[0], "last")
    assert set(several.series) == {0, 1}
    assert several.spans() == [slice(0, 5), slice(5, 7), slice(7, 7)]  # the third is empty
    np.testing.assert_array_equal(filled(several, "linear")[0].values, [0, 1, 1.5, 2, 3, 4, 5])
    assert said[0] == "series without a value left out: 'z'"


@pytest.mark.parametrize("name", ["day", "Date", "ds", "anything"])
def test_the_column_of_times_is_found(name):
    assert learn_rules(WIDE.rename(columns={"day": name}))[1]["time"]["column"] == name


def test_numbers_are_times_where_it_is_said_and_years_where_their_name_says_so():
    counted = WIDE.assign(day=[3, 6, 9, 12])
    found, rule, _ = told(counted, time_column="day")
    assert (rule["unit"], rule["step"], found.ticks[:4].tolist()) == ("number", 3.0, [0, 1, 2, 3])
    _, rule, _ = told(WIDE.assign(day=[1700, 1701, 1702, 1703]).rename(columns={"day": "YEAR"}))
    assert (rule["unit"], rule["step"], rule["start"][:10]) == ("month", 12, "1700-01-01")


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        (WIDE, {"target": ["c"]}, "The table must have the column 'c'"),
        (WIDE, {"target": ["a"], "known": ["a"]}, "A column is one thing.* Received: 'a', named more than once"),
        (WIDE, {"time_column": "shop"}, "The table must have the column 'shop'"),
        (
            WIDE.drop(columns="day"),
            {},
            "must have a column of times; name it with time_column=.* 'a', 'b', none of which",
        ),
        (WIDE.assign(c="word"), {}, "leave it out with leave_out=.* Received: 'c', which holds 'word'"),
        (WIDE.assign(c=None), {}, "Received: 'c', which is empty"),
        (WIDE.assign(c="x"), {"known": ["c"]}, "A column known ahead must hold numbers.* 'c', which holds 'x'"),
        (WIDE[["day"]], {}, "must have a column of numbers to forecast beside the time. Received: 'day'"),
        (WIDE.assign(shop="x"), {"series_column": "shop"}, "one column to forecast; name it with target=.* 'a', 'b'"),
        (LONG.assign(shop=["x", "x", None, "x", "y", "y"]), {"series_column": "shop"}, "missing in 1 of 6 rows"),
        (WIDE.assign(day="soon"), {"time_column": "day"}, "or numbers. Received: 'day', which holds 'soon'"),
        (WIDE.assign(day=[*DAYS[:3], None]), {}, "Received in 'day': no time in row 4 \\(line 5"),
        (WIDE.assign(day=[*DAYS[:3], DAYS[0]]), {}, "with series_column=.* 1 time more than once, the first"),
        (LONG.assign(when=DAYS[0]), {"series_column": "shop"}, "2 times more than once, the first 2024-01-01 of 'x'"),
        (WIDE.assign(b=[1, 2, 3, np.inf]), {}, "Received in 'b': 'inf' in row 4"),
        (WIDE.assign(day=["2024-01-01", "2024-01-02", "2024-01-03", "2024-03-31"]), {}, "87 of 91 steps without a row"),
        (WIDE.iloc[:1], {}, "at least two rows in a series, to infer the time step. Received: 2 rows"),
    ],
)
def test_what_cannot_be_read_is_refused(table, settings, message):
    with pytest.raises(UserError, match=message) as caught:
        told(table, **settings)
    assert "\n" not in str(caught.value)
