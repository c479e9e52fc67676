"""Tests of column types: inference, types set by the user, conversion of cells."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.infer_type import boolean_labels, convert_column, infer_column_type

NUMBER = {"kind": "number", "number_format": "1234.5"}
YES_NO = {"kind": "yes/no", "labels": ["no", "yes"]}


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1.5, 2.5, None], "number"),
        (["1.5", "2.5", None], "number"),
        (["$1,200", "$900"], "number"),
        ([5, 5, None], "number"),
        ([np.inf, 1.0, 2.0], "number"),
        (["a", "b", None], "category"),
        (["a", "a", None], "category"),
        (["01067", "10115", "99999"], "category"),
        (["007", "12", "0450"], "category"),
        (["12345678901234567", "12345678901234568"] * 20, "category"),
        (pd.Series([2**60, 2**60 + 1] * 20), "category"),
        ([0, 1, None], "yes/no"),
        (["0", "1"], "yes/no"),
        ([True, False, None], "yes/no"),
        (["Yes", "no", "NO"], "yes/no"),
        (["on", "off"], "yes/no"),
        (["2024-01-31", "2024-02-01"], "date"),
        (pd.to_datetime(["2024-01-31", "2024-02-01"]), "date"),
        ([None, None], "empty"),
        ([np.inf, -np.inf], "empty"),
        ([5, 5], "constant"),
        (["5", "5.0"], "constant"),
        (["a", "a"], "constant"),
        (pd.to_datetime(["2024-01-31", "2024-01-31"]), "constant"),
        (np.arange(50), "identifier"),
        (np.random.default_rng(0).permutation(100)[:70], "identifier"),
        ([f"user{index}" for index in range(50)], "identifier"),
        ([f"the quick brown fox number {index}" for index in range(50)], "text"),
        ([f"user{index % 30}" for index in range(50)], "text"),
        ([f"user{index % 20}" for index in range(50)], "category"),
        ([f"user{index}" for index in range(19)], "category"),
    ],
    ids=str,
)
@pytest.mark.reading("Columns chosen for the user", "read")
def test_type_is_inferred(cells, kind):
    assert infer_column_type(pd.Series(cells))["kind"] == kind


def test_identifier_is_inferred_from_the_column_name():
    ids = pd.Series(np.arange(50) ** 2)
    assert infer_column_type(ids)["kind"] == "number"
    for name in ("id", "customer_id", "customerId", "ID", "row", "order nr"):
        assert infer_column_type(ids.rename(name))["kind"] == "identifier", name
    assert infer_column_type(ids.rename("humid"))["kind"] == "number"
    assert infer_column_type((ids + 0.5).rename("id"))["kind"] == "number", "an identifier is an integer"


@pytest.mark.parametrize(
    ("cells", "kind", "rule"),
    [
        ([1, 2], "category", {"kind": "category"}),
        ([None, None], "category", {"kind": "category"}),
        (["01067", "10115"], "number", NUMBER),
        ([7, 7], "number", NUMBER),
        ([20240131, 20240201], "date", {"kind": "date", "formats": ["%Y%m%d"]}),
    ],
)
def test_user_sets_the_type(cells, kind, rule):
    assert infer_column_type(pd.Series(cells), kind) == rule


@pytest.mark.parametrize(
    ("kind", "cells", "message"),
    [
        (
            "number",
            ["a", "b"],
            "does not contain numbers of one format; 100% of the cells are not, such as 'a' in row 1",
        ),
        (
            "number",
            ["1,200", "$5", "12 kg", "n/k", "-"],
            "does not contain numbers of one format; 80% of the cells are not, such as '\\$5' in row 2",
        ),
        ("number", [None, None], "does not contain numbers: it is empty"),
        (
            "date",
            ["a", "b"],
            "does not contain dates in a known format; for example 'a', the first of 2 cells that cannot be read",
        ),
        (
            "date",
            ["2024-01-31", "2024-02-01", "soon", "later"],
            "does not contain dates in a known format; for example 'soon', the first of 2 cells that cannot be read",
        ),
        ("date", [None, None], "does not contain dates in a known format: it is empty"),
    ],
)
@pytest.mark.reading("Numbers", "refused")
def test_wrong_type_set_by_the_user_is_refused(kind, cells, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        infer_column_type(pd.Series(cells), kind)


@pytest.mark.parametrize(
    ("rule", "cells", "values", "num_unparsed"),
    [
        (NUMBER, ["1.5", None, "x"], [1.5, np.nan, np.nan], 1),
        (NUMBER, [1.5, None, np.inf, 1e38], [1.5, np.nan, np.nan, np.nan], 2),
        (NUMBER, [True, False], [np.nan, np.nan], 2),
        ({**NUMBER, "kind": "yes/no"}, ["TRUE", "1", "1.0", "no", None, "x"], [1, 1, 1, 0, np.nan, np.nan], 1),
        ({**NUMBER, "kind": "yes/no"}, [True, False, None], [1, 0, np.nan], 0),
        (YES_NO, ["TRUE", "1", "y", "N", None, "x"], ["yes", "yes", "yes", "no", "", ""], 1),
        (YES_NO, [1.0, 0.0, None, 2.0], ["yes", "no", "", ""], 1),
        ({"kind": "category"}, ["3.0", "3", "a b", None], ["3", "3", "a b", ""], 0),
        ({"kind": "category"}, [3.0, 4.5, None], ["3", "4.5", ""], 0),
    ],
)
def test_cells_are_converted_by_the_rule(rule, cells, values, num_unparsed):
    arrays, count = convert_column(pd.Series(cells), rule)
    assert arrays[""].dtype == ("float64" if isinstance(values[0], float | int) else object)
    np.testing.assert_equal(arrays[""].tolist(), values)
    assert count == num_unparsed


def test_dates_are_split_into_parts():
    rule = infer_column_type(pd.Series(["31/01/2024", "01/02/2024"]))
    arrays, num_unparsed = convert_column(pd.Series(["03/04/2024", "04/13/2024", None]), rule)
    np.testing.assert_equal(arrays["month"].tolist(), [4, np.nan, np.nan])
    assert num_unparsed == 1


def test_boolean_labels_are_the_strings_of_the_column():
    assert boolean_labels(["Y", "N", "y"]) == ["N", "Y"]
    assert boolean_labels(["yes"]) is None
    assert boolean_labels(["yes", "false"]) is None, "labels of two pairs are strings"
    assert boolean_labels([str(index % 2) for index in range(21)]) is None, "the argument has distinct strings"


SIZES = pd.Series([f"{index}.5 MB" for index in range(80)] + [f"varies {index}" for index in range(20)], name="size")


@pytest.mark.reading("Numbers", "stated")
def test_numbers_and_other_text_are_mixed_and_not_an_identifier():
    assert infer_column_type(SIZES) == {"kind": "mixed"}
    codes = pd.Series([f"{index:05}" for index in range(60)])
    assert infer_column_type(codes)["kind"] == "identifier", "digits with leading zeros are codes"


def test_user_may_set_a_column_of_which_half_are_numbers():
    rule = infer_column_type(SIZES, "number")
    assert rule["affixes"]["suffix"] == "MB"
    values, unreadable = convert_column(SIZES, rule)
    assert (values[""][79], unreadable) == (79.5, 20)


@pytest.mark.parametrize("template", ["{} kg", "USD {}", "({})", "{}K", "{},000", "{}+"])
@pytest.mark.reading("Numbers", "read")
def test_column_of_written_numbers_is_no_identifier(template):
    cells = pd.Series([template.format(value) for value in range(1, 61)] + ["7"], name="customer id")
    assert infer_column_type(cells)["kind"] == "number"
