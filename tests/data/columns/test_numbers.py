"""Tests of number formats: inference and parsing."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies

from tfkit.data import tabular
from tfkit.data.columns.numbers import as_floats, describe_format, has_decimal_comma, infer_format, number_rule, parse
from tfkit.data.columns.values import normalize_dtype

NAN = np.nan

GROUPED = {"pieces": ["1.234", "12.000", "500"], "euro": ["1.234 €", "2.500 €", "7.000 €"], "exact": ["1,234", "2,500"]}


@pytest.mark.parametrize("cells", GROUPED.values(), ids=GROUPED)
@pytest.mark.reading("Numbers", "read")
def test_ambiguous_separators_follow_the_other_columns(cells):
    counts = pd.Series(cells).value_counts()
    rule = infer_format(counts, decimal_comma=True)
    assert rule["number_format"] == "1.234,5"
    scale = 0.001 if "," in cells[0] else 1
    digits = [float("".join(filter(str.isdigit, cell))) * scale for cell in cells]
    np.testing.assert_allclose(parse(pd.Series(cells), rule), digits)
    assert infer_format(counts)["number_format"] in ("1234.5", "1,234.5") or "€" in cells[0]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["3,5", "12,25"], True),
        (["1.234,500", "2.000,125"], True),
        (["473,11 €", "7,00 €"], True),
        (["0,123", "0,456"], True),
        (["1,234", "12,000"], False),
        (["1.5", "2.25"], False),
        (["Berlin, Mitte", "Hamburg, Nord"], False),
        (["1,2", "a, b", "c"], False),
    ],
)
@pytest.mark.reading("Numbers", "read")
def test_decimal_comma_is_detected(cells, expected):
    for column in (pd.Series(cells, dtype=object), pd.Series(cells, dtype="str")):
        assert has_decimal_comma(pd.DataFrame({"n": 1.5, "a": column})) == expected


@pytest.mark.reading("Numbers", "stated")
def test_thousands_without_decimals_in_a_table_with_decimal_commas(file):
    rows = [f"{number};{number}.000;{number % 7},5;{'yes' if number % 2 else 'no'}" for number in range(1, 60)]
    path = file("n;pieces;price;y\n" + "\n".join(rows) + "\n")
    frame, _, _ = tabular.load(path, "y")
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"]))
    assert metadata.columns["pieces"]["treatment"].startswith("written as 1.234,5, 1000 to 59000")
    frame, _, _ = tabular.load(path, "pieces")
    target = tabular.infer_target(frame["pieces"], task="regression")
    assert target.number_format["number_format"] == "1.234,5"


@pytest.mark.parametrize(
    ("text", "number_format", "values"),
    [
        ("1 -2.5 +3 .5 4. 1e3 -1E-2", "1234.5", [1, -2.5, 3, 0.5, 4, 1000, -0.01]),
        ("1 inf -Infinity 2", "1234.5", [1, np.inf, -np.inf, 2]),
        ("1,234 12,345,678.5 7 -999", "1,234.5", [1234, 12345678.5, 7, -999]),
        ("1.234,5 7,25 12", "1.234,5", [1234.5, 7.25, 12]),
        ("1.234.567 1.234", "1.234,5", [1234567, 1234]),
        ("0,123 0,456", "1.234,5", [0.123, 0.456]),
        ("1'234.5 12'345'678", "1 234.5", [1234.5, 12345678]),
        ("1\u00a0234,5 2\u202f345\u202f678", "1 234,5", [1234.5, 2345678]),
        ("1\u2019234.5 12\u2019345\u2019678", "1 234.5", [1234.5, 12345678]),
        ("1,58,148 12,34,567.5 99", "1,23,456.7", [158148, 1234567.5, 99]),
        ("12:30 1:05:09.5 00:00", "12:30:00", [45000, 3909.5, 0]),
    ],
)
@pytest.mark.reading("Numbers", "read")
def test_format_is_inferred_and_parsed(text, number_format, values):
    cells = pd.Series(text.split(" "))
    rule = infer_format(cells.value_counts())
    assert rule == {"kind": "number", "number_format": number_format}
    assert parse(pd.concat([cells, pd.Series([None])]), rule).tolist() == pytest.approx([*values, NAN], nan_ok=True)


@pytest.mark.reading("Numbers", "read")
def test_time_spans_are_parsed_as_seconds():
    cells = pd.Series(["1 days 02:00:00", "-1 days +23:00:00", "0 days 00:00:05.250000"])
    assert parse(cells, infer_format(cells.value_counts())).tolist() == [93600, -3600, 5.25]


@pytest.mark.parametrize(
    "text",
    ["a b", "1 2 x", "0x10 1_000 2", "1,23 4,5,6", "1-2 3-4", "12:75 12:30", "$ %", "٣ ٤", "1.2.3 4.5.6", "$5 €5"],
)
@pytest.mark.reading("Numbers", "refused")
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


NO_AFFIXES = {"prefix": "", "suffix": "", "magnitudes": False}
PARSED = [  # cells, format, what stands around the numbers, values
    ("$1,200|-$3.50|$-4|$(7)", "1,234.5", {"prefix": "$"}, [1200, -3.5, -4, -7]),
    ("€1.200,50|€ 3", "1.234,5", {"prefix": "€"}, [1200.5, 3]),
    ("USD 5|USD 1,200|-USD 3", "1,234.5", {"prefix": "USD"}, [5, 1200, -3]),
    ("US$5|US$6.5", "1234.5", {"prefix": "US$"}, [5, 6.5]),
    ("Rs. 1,58,148|Rs. 20", "1,23,456.7", {"prefix": "Rs."}, [158148, 20]),
    ("1'234.50 CHF|99.95 CHF", "1 234.5", {"suffix": "CHF"}, [1234.5, 99.95]),
    ("12\u00a0€|7\u202f€", "1234.5", {"suffix": "€"}, [12, 7]),
    ("12%|5.5%|-1%", "1234.5", {"suffix": "%"}, [12, 5.5, -1]),
    ("12 per cent|3 per cent", "1234.5", {"suffix": "per cent"}, [12, 3]),
    ("48.1 kg|50 KG|1,200kg", "1,234.5", {"suffix": "kg"}, [48.1, 50, 1200]),
    ("85 km/h|120 km/h", "1234.5", {"suffix": "km/h"}, [85, 120]),
    ("12.5 °C|-3 °C", "1234.5", {"suffix": "°C"}, [12.5, -3]),
    ("120 m²|80 m²", "1234.5", {"suffix": "m²"}, [120, 80]),
    ("1 year|5 years|10 years|3 years", "1234.5", {"suffix": "year"}, [1, 5, 10, 3]),
    ("(1,234.50)|48.1|( 3 )", "1,234.5", {}, [-1234.5, 48.1, -3]),
    ("5.25-|3|1,000-", "1,234.5", {}, [-5.25, 3, -1000]),
    ("\u22125|3|\u22120.5", "1234.5", {}, [-5, 3, -0.5]),
    ("10,000+|500+|5+", "1,234.5", {}, [10000, 500, 5]),
    ("404K|1.7M|12|(3B)", "1234.5", {"magnitudes": True}, [404000, 1.7e6, 12, -3e9]),
    ("4.35k|1.001k|5m", "1234.5", {"magnitudes": True}, [4350, 1001, 5e6]),
    ("$1.2M|$450K", "1234.5", {"prefix": "$", "magnitudes": True}, [1.2e6, 450000]),
    ("1.2M USD|3K USD", "1234.5", {"suffix": "USD", "magnitudes": True}, [1.2e6, 3000]),
    ("2.5 Cr|80 Lakh", "1234.5", {"magnitudes": True}, [2.5e7, 8e6]),
    ("3 million|1.5 billion", "1234.5", {"magnitudes": True}, [3e6, 1.5e9]),
    ("300 K|290.5 K", "1234.5", {"suffix": "K"}, [300, 290.5]),
    ("5 m|6 m", "1234.5", {"suffix": "m"}, [5, 6]),
]


@pytest.mark.parametrize(("text", "number_format", "affixes", "values"), PARSED, ids=[case[0] for case in PARSED])
@pytest.mark.reading("Numbers", "read")
def test_affixes_are_inferred_and_removed(text, number_format, affixes, values):
    cells = pd.Series(text.split("|"))
    rule = infer_format(cells.value_counts())
    assert rule == number_rule(number_format, {**NO_AFFIXES, **affixes})
    np.testing.assert_array_equal(parse(pd.concat([cells, pd.Series([None, "other"])]), rule), [*values, NAN, NAN])


@pytest.mark.parametrize(
    "text",
    [
        "A1|A2",
        "ID 12|ID 13",
        "12A|14B|7A",
        "001 A|002 A",
        "(1)|(2)",
        "$5|€5",
        "5 kg|11 lb",
        "1st|2nd|3rd",
        "3 pm|4 pm",
        "5-10|11-20",
        "555-1234|555-9876",
        "10.0.0.1|10.0.0.2",
        "12 (3)|14 (2)",
        "v1|v2",
        "12345678901234567 x|22345678901234567 x",
    ],
)
@pytest.mark.reading("Numbers", "refused")
def test_codes_and_mixed_units_are_not_numbers(text):
    assert infer_format(pd.Series(text.split("|") * 10).value_counts()) is None


def test_rare_letters_are_not_magnitudes():
    cells = pd.Series([str(value) for value in range(1, 99)] + ["12A", "14B"])
    assert infer_format(cells.value_counts()) == number_rule(), "as numbers of houses"


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("1|2", []),
        ("1.234,5|2", ["written as 1.234,5"]),
        ("$1.2M|$3K", ["written with '$' before the number, K, M, B as thousand, million, billion"]),
        ("1,200 kg|3 kg", ["written as 1,234.5, with 'kg' after the number"]),
        ("(5)|3", ["written with signs such as (5), 5- and 5+"]),
    ],
)
@pytest.mark.reading("Numbers", "stated")
def test_format_is_described_in_one_line(text, description):
    assert describe_format(infer_format(pd.Series(text.split("|")).value_counts())) == description


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    strategies.lists(strategies.integers(-(10**9), 10**9), min_size=3, max_size=30, unique=True),
    strategies.sampled_from(["{}", "${}", "{} kg", "EUR {}", "{}%", "£{}", "{} CHF"]),
    strategies.sampled_from(["-", "\u2212", "("]),
)
def test_written_numbers_are_read_back(cents, template, minus):
    def write(value):
        text = template.format(f"{abs(value) / 100:,.2f}")
        return text if value >= 0 else f"({text})" if minus == "(" else minus + text

    cells = pd.Series([write(value) for value in [*cents, 150]])
    assert parse(cells, infer_format(cells.value_counts())).tolist() == [value / 100 for value in [*cents, 150]]
