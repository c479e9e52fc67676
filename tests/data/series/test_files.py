"""Tests of reading series: all kinds of sources give the same result, and errors are one line."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tfkit.data.series.files import find_series
from tfkit.errors import UserError

NAN = float("nan")
HEADER = "@problemName Some\n@timeStamps false\n@univariate {univariate}\n@classLabel true a b\n@data\n"


def assert_values(series, expected):
    assert len(series) == len(expected)
    for values, expected_values in zip(series.arrays(), expected, strict=True):
        np.testing.assert_array_equal(values, np.array(expected_values, "float64"))


# wide tables


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("series.tsv", "1\t0.5\t1.5\t-2\n2\t3\tNaN\t4\n"),
        ("series.csv", "1,0.5,1.5,-2\n2,3,,4\n"),
        ("series.txt", "1;0.5;1.5;-2\r\n2;3;?;4\r\n"),
        ("series.csv", "label,t1,t2,t3\n1,0.5,1.5,-2\n2,3,NA,4\n"),
        ("series.csv", "label,0,1,2\n1,0.5,1.5,-2\n2,3,,4\n"),
        ("series.csv", "t1,t2,t3,label\n0.5,1.5,-2,1\n3,,4,2\n"),
        ("series.jsonl", '{"label": "1", "a": 0.5, "b": 1.5, "c": -2}\n{"label": "2", "a": 3, "b": null, "c": 4}\n'),
    ],
)
@pytest.mark.reading("Series", "read")
def test_wide_tables_are_read(file, name, text):
    series = find_series(file(text, name))
    assert_values(series, [[[0.5], [1.5], [-2]], [[3], [NAN], [4]]])
    assert series.target == "label"
    assert series.frame["label"].astype(str).tolist() == ["1", "2"]
    assert series.channels == ["value"]


def test_a_compressed_file_is_decompressed(file):
    series = find_series(file(gzip.compress(b"a\t1\t2\nb\t3\t5\n"), "series.tsv.gz"))
    assert_values(series, [[[1], [2]], [[3], [5]]])
    assert series.frame["label"].tolist() == ["a", "b"]


def test_a_frame_and_a_dictionary_of_columns():
    columns = {"sick": ["yes", "no"], "age": [50, 60], "t0": [1.0, 2.0], "t1": [3, 4]}
    for source in (columns, pd.DataFrame(columns)):
        series = find_series(source, target="sick", exclude_columns=["age"])
        assert_values(series, [[[1], [3]], [[2], [4]]])
        assert series.step_columns == ["t0", "t1"]


def test_a_table_without_names_needs_no_target_if_its_width_is_known(file):
    path = file("1,0.5,2\n2,3,1\n")
    assert_values(
        find_series(path, step_columns=["1", "2", "3"], require_target=False), [[[1], [0.5], [2]], [[2], [3], [1]]]
    )
    assert_values(find_series(path, step_columns=["1", "2"], require_target=False), [[[0.5], [2]], [[3], [1]]])


@pytest.mark.reading("Series", "read")
def test_a_first_line_of_numbers_is_a_series(file):
    assert_values(find_series(file("0,1,2,3\n1,5,6,7\n")), [[[1], [2], [3]], [[5], [6], [7]]])
    assert_values(
        find_series(file("1,2,3\n5,6,7\n"), step_columns=["1", "2", "3"], require_target=False), [[[5], [6], [7]]]
    )


def test_static_columns_are_not_steps():
    table = {"label": ["a", "b"], "ward": ["x", "y"], "t0": [1, 2], "t1": [3, 4]}
    series = find_series(table, static_columns=["ward", "bed"])
    assert_values(series, [[[1], [3]], [[2], [4]]])
    assert series.frame["ward"].tolist() == ["x", "y"]


def test_arrays_in_memory():
    assert_values(find_series(np.arange(6).reshape(2, 3)), [[[0], [1], [2]], [[3], [4], [5]]])
    assert_values(find_series(np.arange(8).reshape(2, 2, 2)), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    assert_values(find_series([[1, 2, 3], [4, 5]]), [[[1], [2], [3]], [[4], [5]]])


def test_infinite_values_are_missing():
    assert_values(find_series({"label": ["a"], "x": [1e39], "y": [-np.inf], "z": [1.0]}), [[[NAN], [NAN], [1]]])


# long tables

STEPS = pd.DataFrame(
    {
        "who": ["b", "b", "a", "b", "a"],
        "day": ["2024-01-01", "2024-01-03", "2024-01-01", "2024-01-02", "2024-01-02"],
        "x": [1.0, 3.0, 10.0, 2.0, NAN],
        "y": [0.1, 0.3, 1.0, 0.2, 2.0],
        "sick": ["no", "no", "yes", "no", "yes"],
    }
)
LONG = {"series_id_column": "who", "time_column": "day", "target": "sick"}


@pytest.mark.reading("Series", "read")
def test_long_tables_are_sorted_by_time(file):
    for source in (STEPS, file(STEPS.to_csv(index=False))):
        series = find_series(source, **LONG)
        assert_values(series, [[[1, 0.1], [2, 0.2], [3, 0.3]], [[10, 1], [NAN, 2]]])
        assert series.frame.to_dict("list") == {"who": ["b", "a"], "sick": ["no", "yes"]}
        assert series.channels == ["x", "y"]
        assert series.messages == ["steps of 1 of 2 series sorted by day"]


def test_steps_without_a_time_column_are_in_row_order():
    series = find_series(STEPS.drop(columns="day"), series_id_column="who", target="sick", value_columns=["x"])
    assert_values(series, [[[1], [3], [2]], [[10], [NAN]]])
    assert series.messages == []


@pytest.mark.reading("Series", "stated")
def test_uneven_time_steps_are_reported():
    table = STEPS.assign(day=[1, 5, 1, 2, 2])
    assert find_series(table, **LONG).messages[1:] == [
        "1 of 3 time steps differ from the median step, 1 in day; all are used as steps of equal length"
    ]


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (
            {"day": "2024-01-01"},
            {},
            "one row per time; correct or remove .* Received: 3 duplicate rows, the first of who",
        ),
        ({"day": ["soon", *"1111"]}, {}, "`time_column` must contain dates or numbers in every row"),
        ({"who": [None, "b", "a", "b", "a"]}, {}, "must have a series id. Received: 1 of 5 rows without 'who'"),
        (
            {"sick": ["no", "yes", "yes", "no", "yes"]},
            {},
            "must have the same sick in .* Received: who 'b' with 'no', 'yes'",
        ),
        ({"x": "much"}, {}, "must be numbers, such as 1.5; .* Received: 'much' in 'x', row 1"),
        ({}, {"series_id_column": "whom"}, "must have the column 'whom'. Did you mean 'who'?"),
        ({}, {"time_column": "when"}, "must have the column 'when'"),
        ({}, {"value_columns": ["z"]}, "must have the column 'z'"),
        ({}, {"exclude_columns": ["x", "y"]}, "must have columns of values besides series_id_column"),
    ],
)
@pytest.mark.reading("Series", "refused")
def test_invalid_long_tables_are_refused(columns, settings, message):
    with pytest.raises(UserError, match=message) as error:
        find_series(STEPS.assign(**columns), **{**LONG, **settings})
    assert "\n" not in str(error.value)


# .ts files


@pytest.mark.reading("Series", "read")
def test_a_ts_file_with_several_channels_and_unequal_lengths(file):
    text = "# a comment\n" + HEADER.format(univariate="false") + "1,2,3:4,5,6:a\n\n7,?:8,9,10:b\n"
    series = find_series(file(text, "series.ts"))
    assert_values(series, [[[1, 4], [2, 5], [3, 6]], [[7, 8], [NAN, 9], [NAN, 10]]])
    assert series.frame.to_dict("list") == {"label": ["a", "b"]}
    assert series.channels == ["channel_1", "channel_2"]


def test_ts_files_without_labels_and_with_numeric_targets(file):
    series = find_series(file("@problemName x\n@classLabel false\n@data\n1,2\n3,4\n", "x.ts"), require_target=False)
    assert series.target is None
    assert_values(series, [[[1], [2]], [[3], [4]]])
    series = find_series(file("@problemName x\n@targetLabel true\n@data\n1,2:0.5\n3,4:1.5\n", "x.txt"), target="much")
    assert series.frame["much"].tolist() == ["0.5", "1.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3:a\n", "must begin with lines such as @classLabel true a b, then @data. .*'1,2,3:a' in line 1"),
        ("@problemName x\n@classLabel true a\n", "must have a line @data, and series after it"),
        ("@problemName x\n@data\n", "must have series after @data"),
        ("@problemName x\n@timeStamps true\n@data\n(0,1),(1,2)\n", "must not have timestamps"),
        (
            HEADER.format(univariate="true") + "1,2:3,4:a\n",
            "state the number of channels. .*@dimensions 1 and series of 2",
        ),
        (
            HEADER.format(univariate="false") + "1,2:3,4:a\n1,2:a\n",
            "the same channels and a label. .*1 in line 7, 2 before",
        ),
        (
            HEADER.format(univariate="true") + "1,2:a\n1,much:a\n",
            "must be numbers, or . where missing. .*'much' in line 7",
        ),
    ],
)
@pytest.mark.reading("Series", "refused")
def test_an_invalid_ts_file_is_refused(file, text, message):
    with pytest.raises(UserError, match=message) as error:
        find_series(file(text, "series.ts"))
    assert "\n" not in str(error.value)


# invalid sources


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "A file of series must contain series. Received: .*, which is empty"),
        (" \n", {}, "A file of series must contain series. Received: .*, which is empty"),
        ("label,t1,t2\n", {}, "A table needs rows below its header"),
        ("label,t1,t2\na,1,high\n", {}, "must be numbers, such as 1.5; .*Received: 'high' in 't2', row 1"),
        ("kind,t1,t2\na,1,2\n", {}, "Name the column to predict with target=, unless it is named label, class"),
        ("label,t1,t2\na,1,2\n", {"target": "lable"}, "must have the column 'lable'. Did you mean 'label'?"),
        ("label\na\nb\n", {}, "must have numeric columns besides the target"),
    ],
)
@pytest.mark.reading("Series", "refused")
def test_a_file_without_series_is_refused(file, text, settings, message):
    with pytest.raises(UserError, match=message) as error:
        find_series(file(text), **settings)
    assert "\n" not in str(error.value)


def test_dates_and_other_objects_are_refused():
    with pytest.raises(UserError, match=r"must be numbers, such as 1.5"):
        find_series({"label": ["a"], "x": pd.to_datetime(["2024-01-01"])})
    with pytest.raises(UserError, match="Series in memory must be an array"):
        find_series([["a", "b"]])
    with pytest.raises(UserError, match="Series in memory must be an array"):
        find_series(np.zeros((2, 3, 4, 5)))
