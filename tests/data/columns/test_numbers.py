"""Tests of number formats: inference and parsing."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.numbers import as_floats, infer_format, number_rule, parse
from tfkit.data.columns.values import normalize_dtype

NAN = np.nan


@pytest.mark.parametrize(
    ("text", "number_format", "has_symbols", "values"),
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
def test_format_is_inferred_and_parsed(text, number_format, has_symbols, values):
    cells = pd.Series(text.split(" "))
    rule = infer_format(cells.value_counts())
    assert rule == {"kind": "number", "number_format": number_format, "has_symbols": has_symbols}
    assert parse(pd.concat([cells, pd.Series([None])]), rule).tolist() == pytest.approx([*values, NAN], nan_ok=True)


def test_time_spans_are_parsed_as_seconds():
    cells = pd.Series(["1 days 02:00:00", "-1 days +23:00:00", "0 days 00:00:05.250000"])
    assert parse(cells, infer_format(cells.value_counts())).tolist() == [93600, -3600, 5.25]


@pytest.mark.parametrize(
    "text",
    ["a b", "1 2 x", "0x10 1_000 2", "1,23 4,5,6", "1-2 3-4", "12:75 12:30", "$ %", "٣ ٤", "1.2.3 4.5.6", "5kg 6kg"],
)
def test_no_format_for_other_text(text):
    assert infer_format(pd.Series(text.split()).value_counts()) is None


def test_one_cell_in_twenty_may_not_match():
    cells = pd.Series(["x"] + ["1", "2.5"] * 10)
    assert infer_format(cells.value_counts()) == number_rule()
    assert np.isnan(parse(cells, number_rule())).sum() == 1
    assert infer_format(pd.Series(["x", "y"] + ["1", "2.5"] * 10).value_counts()) is None


def test_format_that_matches_most_cells_is_used():
    cells = pd.Series([str(value) for value in range(1000)] + [f"{value:,}" for value in range(1000, 1040)])
    assert infer_format(cells.value_counts())["number_format"] == "1,234.5"  # 96% match the plain format, too


def test_rule_applies_to_files_with_another_format():
    assert np.isnan(parse(pd.Series(["1.234,5", "x"]), number_rule())).all()
    assert parse(pd.Series([1.5, NAN]), number_rule("1.234,5")).tolist() == pytest.approx([1.5, NAN], nan_ok=True)
    assert np.isnan(parse(normalize_dtype(pd.Series(pd.to_datetime(["2024-01-31"]))), number_rule())).all()


def test_parsing_is_exact():
    values = np.random.default_rng(0).normal(size=1000)
    cells = pd.Series([repr(float(value)) for value in values])
    assert (parse(cells, number_rule()) == values).all()
    assert (as_floats(cells).to_numpy() == values).all()
    assert (parse(pd.concat([cells, pd.Series(["x"])]), number_rule())[:-1] == values).all(), (
        "also if a cell is not a number"
    )


def test_as_floats_returns_other_strings_unchanged():
    cells = pd.Series(["1", "x"])
    assert as_floats(cells) is cells
