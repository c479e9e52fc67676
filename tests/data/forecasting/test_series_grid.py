"""Tests of series on a regular time grid."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.forecasting.columns import infer_columns
from tfkit.data.forecasting.series_grid import fill_missing_values, to_series_grid, trim_missing_ends
from tfkit.errors import UserError

DAYS = ["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"]
WIDE = pd.DataFrame({"day": DAYS, "a": ["1", "2", "", "1,234.5"], "b": [4.0, 5.0, 6.0, 7.0]})
LONG = pd.DataFrame({"when": [*DAYS, *DAYS[:2]], "shop": ["x"] * 4 + ["y"] * 2, "sold": np.arange(6.0)})
NAN = np.nan


def make_grid(table, **settings):
    frame, rules = infer_columns(table, **settings)
    return to_series_grid(frame, rules)


def test_a_wide_table_has_one_series_per_column():
    grid, frequency, messages = make_grid(WIDE)
    assert grid.names == ["a", "b"]
    np.testing.assert_array_equal(grid.values, [1, 2, NAN, NAN, 1234.5, 4, 5, NAN, 6, 7])
    np.testing.assert_array_equal(grid.time_index, [0, 1, 2, 3, 4] * 2)
    np.testing.assert_array_equal(grid.series_index, np.repeat([0, 1], 5))
    assert (frequency["unit"], frequency["step"]) == ("second", 86_400)
    assert messages == ["1 of 5 steps have no row, in 1 gap, the first at 2024-01-03"]


def test_a_long_table_has_one_series_per_id_each_with_its_own_range():
    grid, _, _ = make_grid(LONG, series_id_column="shop", exclude_columns=[])
    assert grid.names == ["x", "y"]
    np.testing.assert_array_equal(grid.values, [0, 1, NAN, 2, 3, 4, 5])
    np.testing.assert_array_equal(grid.time_index, [0, 1, 2, 3, 4, 0, 1])


def test_rows_are_sorted_with_a_message():
    grid, _, messages = make_grid(LONG.sample(frac=1, random_state=1), series_id_column="shop")
    np.testing.assert_array_equal(grid.values, make_grid(LONG, series_id_column="shop")[0].values)
    assert messages[0] == "rows sorted by time: they were not in order"


def test_known_covariates_are_repeated_for_every_series():
    table = WIDE.assign(open=["yes", "no", "yes", None], price=[1, 2, 3, 4])
    grid, _, _ = make_grid(table, known_covariates=["open", "price"])
    np.testing.assert_array_equal(grid.covariates[:5], [[1, 1], [0, 2], [NAN, NAN], [1, 3], [NAN, 4]])
    np.testing.assert_array_equal(grid.covariates[5:], grid.covariates[:5])
    full = fill_missing_values(grid, "ffill")
    np.testing.assert_array_equal(full.covariates[:5], [[1, 1], [0, 2], [0, 2], [1, 3], [1, 4]])


def test_a_new_table_is_placed_on_the_training_grid():
    frame, rules = infer_columns(WIDE)
    _, frequency, _ = to_series_grid(frame, rules)
    with_frequency = rules.model_copy(update={"frequency": frequency})
    new = frame.assign(day=["2023-12-30", "2024-02-01", "2024-02-02", "2024-02-03"])
    grid, new_frequency, _ = to_series_grid(new.iloc[1:], with_frequency)
    assert new_frequency == frequency
    np.testing.assert_array_equal(grid.time_index[:3], [31, 32, 33])
    assert to_series_grid(new.iloc[:1], with_frequency)[0].time_index.tolist() == [-2, -2]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("ffill", [1, 2, 2, 2, 1234.5]),
        ("linear", [1, 2, 2 + 1232.5 / 3, 2 + 2 * 1232.5 / 3, 1234.5]),
    ],
)
def test_missing_values_are_filled(method, expected):
    full = fill_missing_values(make_grid(WIDE)[0], method)
    np.testing.assert_allclose(full.values[:5], expected)
    np.testing.assert_array_equal(full.values[5:], [4, 5, 5 if method == "ffill" else 5.5, 6, 7])
    np.testing.assert_array_equal(full.is_observed, [1, 1, 0, 0, 1, 1, 1, 0, 1, 1])


def test_a_series_without_known_covariates_is_refused():
    grid, _, _ = make_grid(
        LONG.assign(price=[1, 2, 3, 4, None, None]), series_id_column="shop", known_covariates=["price"]
    )
    with pytest.raises(UserError, match=r"at least one value in every series\. Received: none for 'y'"):
        fill_missing_values(grid, "ffill")


def test_a_series_is_trimmed_to_its_values():
    table = WIDE.assign(a=[None, "2", "3", None], b=[None] * 3 + [1.0], c=[4.0, None, None, 5.0])
    trimmed_grid, messages = trim_missing_ends(make_grid(table)[0], "ffill")
    np.testing.assert_array_equal(trimmed_grid.values, [2, NAN, 3, 1, 4, NAN, NAN, NAN, 5])
    assert messages == ["4 of 9 values are missing: filled by the previous value, not used as targets"]
    with pytest.raises(UserError, match=r"With fill_missing=error no value may be missing\. Received: 4 of 9 steps"):
        trim_missing_ends(make_grid(table)[0], "error")
    empty = pd.concat([LONG, LONG.assign(shop="z", sold=None).iloc[:4]])
    several, messages = trim_missing_ends(make_grid(empty, series_id_column="shop")[0], "ffill")
    assert set(several.series_index) == {0, 1}
    assert several.slices() == [slice(0, 5), slice(5, 7), slice(7, 7)]  # the third is empty
    np.testing.assert_array_equal(fill_missing_values(several, "linear").values, [0, 1, 1.5, 2, 3, 4, 5])
    assert messages[0] == "series without values left out: 'z'"


@pytest.mark.parametrize("name", ["day", "Date", "ds", "first_column"])
def test_the_time_column_is_inferred(name):
    assert infer_columns(WIDE.rename(columns={"day": name}))[1].time["column"] == name


def test_numbers_are_times_if_named_as_such_and_years_by_column_name():
    table = WIDE.assign(day=[3, 6, 9, 12])
    grid, frequency, _ = make_grid(table, time_column="day")
    assert (frequency["unit"], frequency["step"], grid.time_index[:4].tolist()) == ("number", 3.0, [0, 1, 2, 3])
    _, frequency, _ = make_grid(WIDE.assign(day=[1700, 1701, 1702, 1703]).rename(columns={"day": "YEAR"}))
    assert (frequency["unit"], frequency["step"], frequency["start"][:10]) == ("month", 12, "1700-01-01")


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        (WIDE, {"target": ["c"]}, "The table must have the column 'c'"),
        (
            WIDE,
            {"target": ["a"], "known_covariates": ["a"]},
            "A column must have one role.* Received: 'a', named more than once",
        ),
        (WIDE, {"time_column": "shop"}, "The table must have the column 'shop'"),
        (
            WIDE.drop(columns="day"),
            {},
            "must have a time column; name it with time_column=.* 'a', 'b', none of which",
        ),
        (WIDE.assign(c="word"), {}, "exclude it with exclude_columns=.* Received: 'c', which contains 'word'"),
        (WIDE.assign(c=None), {}, "Received: 'c', which is empty"),
        (
            WIDE.assign(c="x"),
            {"known_covariates": ["c"]},
            "A known covariate must contain numbers.* 'c', which contains 'x'",
        ),
        (WIDE[["day"]], {}, "must have a numeric column to forecast besides the time column. Received: 'day'"),
        (
            WIDE.assign(shop="x"),
            {"series_id_column": "shop"},
            "one column to forecast; name it with target=.* 'a', 'b'",
        ),
        (LONG.assign(shop=["x", "x", None, "x", "y", "y"]), {"series_id_column": "shop"}, "missing in 1 of 6 rows"),
        (WIDE.assign(day="soon"), {"time_column": "day"}, "or numbers. Received: 'day', which contains 'soon'"),
        (WIDE.assign(day=[*DAYS[:3], None]), {}, "Received in 'day': no time in row 4 \\(line 5"),
        (WIDE.assign(day=[*DAYS[:3], DAYS[0]]), {}, "with series_id_column=.* 1 time more than once, the first"),
        (
            LONG.assign(when=DAYS[0]),
            {"series_id_column": "shop"},
            "2 times more than once, the first 2024-01-01 of 'x'",
        ),
        (WIDE.assign(b=[1, 2, 3, np.inf]), {}, "Received in 'b': 'inf' in row 4"),
        (WIDE.assign(day=["2024-01-01", "2024-01-02", "2024-01-03", "2024-03-31"]), {}, "87 of 91 steps without a row"),
        (WIDE.iloc[:1], {}, "at least two rows in a series, to infer the time step. Received: 2 rows"),
    ],
)
def test_invalid_tables_are_refused(table, settings, message):
    with pytest.raises(UserError, match=message) as error:
        make_grid(table, **settings)
    assert "\n" not in str(error.value)
