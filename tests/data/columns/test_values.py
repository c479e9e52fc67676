"""Tests of normalized cells: dtypes, strings, distinct values."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.values import map_distinct, normalize_dtype, to_strings
from tfkit.errors import UserError

NAN = np.nan


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pd.Series([1, 2, None], dtype="Int64"), [1.0, 2.0, NAN]),
        (pd.Series([1.5, None], dtype="Float32"), [1.5, NAN]),
        (pd.Series([1, 2], dtype="Sparse[int]"), [1.0, 2.0]),
        (pd.Series([3, 1, None], dtype=pd.CategoricalDtype([1, 3])), [3.0, 1.0, NAN]),
        (pd.Series(["b", None], dtype="category"), ["b", NAN]),
        (pd.Series([None, None], dtype="category"), [NAN, NAN]),
        (pd.Series([True, False]), ["True", "False"]),
        (pd.Series([True, None], dtype="boolean"), ["True", NAN]),
        (pd.Series([True, None], dtype=object), ["True", NAN]),
        (pd.Series(["a", None], dtype="string"), ["a", NAN]),
        (pd.Series([decimal.Decimal("1.5"), None]), [1.5, NAN]),
        (pd.Series([1, 2.5, None], dtype=object), [1.0, 2.5, NAN]),
        (pd.Series([2**60, 2**60 + 1]), ["1152921504606846976", "1152921504606846977"]),
        (pd.Series([2**70, 1], dtype=object), ["1180591620717411303424", "1"]),
        (pd.Series([1, "a", None], dtype=object), ["1", "a", NAN]),
        (pd.Series([b"caf\xc3\xa9", None], dtype=object), ["café", NAN]),
        (pd.to_timedelta(pd.Series([90, None]), unit="s"), [90.0, NAN]),
        (pd.Series([datetime.timedelta(minutes=1), None], dtype=object), [60.0, NAN]),
        (pd.Series([datetime.time(1, 2)]), ["01:02:00"]),
    ],
    ids=str,
)
def test_cells_of_any_dtype_become_floats_or_strings(cells, expected):
    result = normalize_dtype(cells)
    assert result.dtype in ("float64", "str")
    np.testing.assert_equal(result.tolist(), expected)
    np.testing.assert_equal(normalize_dtype(result).tolist(), expected, "plain cells do not change")


@pytest.mark.parametrize(
    "cells",
    [
        pd.to_datetime(pd.Series(["2024-01-31 12:00", None])),
        pd.Series(pd.to_datetime(["2024-01-31 14:00", None])).dt.tz_localize("Africa/Cairo"),
        pd.Series([datetime.datetime(2024, 1, 31, 12), None], dtype=object),
        pd.Series(pd.PeriodIndex(["2024-01-31 12:00", None], freq="h")),
    ],
    ids=str,
)
def test_timestamps_become_datetimes_with_a_zone(cells):
    """Without a zone they are in UTC; a zone stays, because the calendar of a row is the local one."""
    result = normalize_dtype(cells)
    assert result.dtype == f"datetime64[us, {getattr(cells.dtype, 'tz', 'UTC')}]"
    assert result[0] == pd.Timestamp("2024-01-31 12:00", tz="UTC")
    assert result.isna().tolist() == [False, True]


@pytest.mark.parametrize("value", [[1], (1, 2), {"a": 1}, np.array([1])])
def test_cell_with_several_values_is_refused(value):
    with pytest.raises(UserError, match=r"flatten nested values first\. Received: several values in a cell of 'x'"):
        normalize_dtype(pd.Series([value, None], name="x"))


def test_number_becomes_the_same_string_from_any_file():
    strings = ["3", "", "4.5", "-2", "100000"]
    assert to_strings(normalize_dtype(pd.Series([3.0, None, 4.5, -2, 1e5]))).tolist() == strings
    assert to_strings(normalize_dtype(pd.Series(["3.0", None, "4.5", "-2.00", "100000"]))).tolist() == strings
    assert to_strings(normalize_dtype(pd.Series(["3.10", "1.0.0", "v2.0"]))).tolist() == ["3.10", "1.0.0", "v2.0"]


def test_date_becomes_the_same_string_from_any_file():
    days = pd.Series(pd.to_datetime(["2024-01-31 00:00", "2024-02-01 12:30"]))
    assert to_strings(normalize_dtype(days)).tolist() == ["2024-01-31", "2024-02-01 12:30:00"]


def test_special_characters_are_kept_except_zero_bytes():
    strings = ['say "hi"', "tab\there", "line\nbreak", "\u2028", "🎉", "[UNK]"]
    assert to_strings(pd.Series(strings)).tolist() == strings
    assert to_strings(pd.Series(["a\0", "a\0\0b", "\0"])).tolist() == ["a", "ab", ""]


def test_function_is_called_once_for_each_distinct_cell():
    inputs = []

    def lengths(strings):
        inputs.extend(strings)
        return np.array([len(text) for text in strings])

    assert map_distinct(pd.Series(["aa", None, "b", "aa"]), lengths, -1).tolist() == [2, -1, 1, 2]
    assert inputs == ["aa", "b"]
    assert map_distinct(pd.Series([None, None], dtype="str"), lengths, -1).tolist() == [-1, -1]
