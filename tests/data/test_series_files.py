"""Series from whatever holds them: every kind of source gives the same, and what is wrong is said in a line."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tfkit.data.series_files import find_series
from tfkit.errors import UserError

NAN = float("nan")
HEADER = "@problemName Some\n@timeStamps false\n@univariate {one}\n@classLabel true a b\n@data\n"


def values(found):
    return [one.tolist() for one in found.each()]


def same(found, expected):
    assert len(found) == len(expected)
    for one, two in zip(found.each(), expected, strict=True):
        np.testing.assert_array_equal(one, np.array(two, "float32"))


# a row for each series


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("some.tsv", "1\t0.5\t1.5\t-2\n2\t3\tNaN\t4\n"),
        ("some.csv", "1,0.5,1.5,-2\n2,3,,4\n"),
        ("some.txt", "1;0.5;1.5;-2\r\n2;3;?;4\r\n"),
        ("some.csv", "label,t1,t2,t3\n1,0.5,1.5,-2\n2,3,NA,4\n"),
        ("some.csv", "label,0,1,2\n1,0.5,1.5,-2\n2,3,,4\n"),
        ("some.csv", "t1,t2,t3,label\n0.5,1.5,-2,1\n3,,4,2\n"),
        ("some.jsonl", '{"label": "1", "a": 0.5, "b": 1.5, "c": -2}\n{"label": "2", "a": 3, "b": null, "c": 4}\n'),
    ],
)
def test_a_row_for_each_series(file, name, text):
    found = find_series(file(text, name))
    same(found, [[[0.5], [1.5], [-2]], [[3], [NAN], [4]]])
    assert found.target == "label"
    assert found.frame["label"].astype(str).tolist() == ["1", "2"]
    assert found.channels == ["value"]


def test_a_packed_file_is_unpacked(file):
    found = find_series(file(gzip.compress(b"a\t1\t2\nb\t3\t5\n"), "some.tsv.gz"))
    same(found, [[[1], [2]], [[3], [5]]])
    assert found.frame["label"].tolist() == ["a", "b"]


def test_a_frame_and_a_dictionary_of_columns():
    columns = {"sick": ["yes", "no"], "age": [50, 60], "t0": [1.0, 2.0], "t1": [3, 4]}
    for source in (columns, pd.DataFrame(columns)):
        found = find_series(source, target="sick", leave_out=["age"])
        same(found, [[[1], [3]], [[2], [4]]])
        assert found.columns == ["t0", "t1"]


def test_a_table_without_names_may_come_without_its_target_when_its_width_is_known(file):
    path = file("1,0.5,2\n2,3,1\n")
    same(find_series(path, columns=["1", "2", "3"], labelled=False), [[[1], [0.5], [2]], [[2], [3], [1]]])
    same(find_series(path, columns=["1", "2"], labelled=False), [[[0.5], [2]], [[3], [1]]])


def test_a_first_line_of_numbers_is_a_series(file):
    same(find_series(file("0,1,2,3\n1,5,6,7\n")), [[[1], [2], [3]], [[5], [6], [7]]])
    same(find_series(file("1,2,3\n5,6,7\n"), columns=["1", "2", "3"], labelled=False), [[[5], [6], [7]]])


def test_what_is_said_of_whole_series_is_no_step():
    some = {"label": ["a", "b"], "ward": ["x", "y"], "t0": [1, 2], "t1": [3, 4]}
    found = find_series(some, keep=["ward", "bed"])
    same(found, [[[1], [3]], [[2], [4]]])
    assert found.frame["ward"].tolist() == ["x", "y"]


def test_arrays_in_memory():
    same(find_series(np.arange(6).reshape(2, 3)), [[[0], [1], [2]], [[3], [4], [5]]])
    same(find_series(np.arange(8).reshape(2, 2, 2)), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    same(find_series([[1, 2, 3], [4, 5]]), [[[1], [2], [3]], [[4], [5]]])


def test_infinite_values_are_missing():
    same(find_series({"label": ["a"], "x": [1e39], "y": [-np.inf], "z": [1.0]}), [[[NAN], [NAN], [1]]])


# a row for each step

STEPS = pd.DataFrame(
    {
        "who": ["b", "b", "a", "b", "a"],
        "day": ["2024-01-01", "2024-01-03", "2024-01-01", "2024-01-02", "2024-01-02"],
        "x": [1.0, 3.0, 10.0, 2.0, NAN],
        "y": [0.1, 0.3, 1.0, 0.2, 2.0],
        "sick": ["no", "no", "yes", "no", "yes"],
    }
)
LONG = {"id_column": "who", "time_column": "day", "target": "sick"}


def test_a_row_for_each_step_in_order_of_time(file):
    for source in (STEPS, file(STEPS.to_csv(index=False))):
        found = find_series(source, **LONG)
        same(found, [[[1, 0.1], [2, 0.2], [3, 0.3]], [[10, 1], [NAN, 2]]])
        assert found.frame.to_dict("list") == {"who": ["b", "a"], "sick": ["no", "yes"]}
        assert found.channels == ["x", "y"]
        assert found.said == ["steps of 1 of 2 series were put in order of day"]


def test_steps_without_a_time_stand_in_order():
    found = find_series(STEPS.drop(columns="day"), id_column="who", target="sick", value_columns=["x"])
    same(found, [[[1], [3], [2]], [[10], [NAN]]])
    assert found.said == []


def test_steps_of_another_length_are_said():
    some = STEPS.assign(day=[1, 5, 1, 2, 2])
    assert find_series(some, **LONG).said[1:] == [
        "1 of 3 steps are longer or shorter than the usual 1 of day; all count as one step"
    ]


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"day": "2024-01-01"}, {}, "one step at a time; mend or remove the .* Received: 3 more, the first of who"),
        ({"day": ["soon", *"1111"]}, {}, "`time_column` must contain dates or numbers in every row"),
        ({"who": [None, "b", "a", "b", "a"]}, {}, "which series it is of. Received: 1 of 5 rows without 'who'"),
        ({"sick": ["no", "yes", "yes", "no", "yes"]}, {}, "must have one sick, .* Received: who 'b' with 'no', 'yes'"),
        ({"x": "much"}, {}, "must be numbers, such as 1.5; .* Received: 'much' in 'x', row 1"),
        ({}, {"id_column": "whom"}, "must have the column 'whom'. Did you mean 'who'?"),
        ({}, {"time_column": "when"}, "must have the column 'when'"),
        ({}, {"value_columns": ["z"]}, "must have the column 'z'"),
        ({}, {"leave_out": ["x", "y"]}, "must have columns of values beside id_column"),
    ],
)
def test_steps_that_make_no_series_are_refused(columns, settings, message):
    with pytest.raises(UserError, match=message) as caught:
        find_series(STEPS.assign(**columns), **{**LONG, **settings})
    assert "\n" not in str(caught.value)


# .ts


def test_a_ts_file_of_many_channels_and_unequal_lengths(file):
    text = "# a comment\n" + HEADER.format(one="false") + "1,2,3:4,5,6:a\n\n7,?:8,9,10:b\n"
    found = find_series(file(text, "some.ts"))
    same(found, [[[1, 4], [2, 5], [3, 6]], [[7, 8], [NAN, 9], [NAN, 10]]])
    assert found.frame.to_dict("list") == {"label": ["a", "b"]}
    assert found.channels == ["channel_1", "channel_2"]


def test_a_ts_file_without_labels_and_one_with_numbers(file):
    found = find_series(file("@problemName x\n@classLabel false\n@data\n1,2\n3,4\n", "x.ts"), labelled=False)
    assert found.target is None
    same(found, [[[1], [2]], [[3], [4]]])
    found = find_series(file("@problemName x\n@targetLabel true\n@data\n1,2:0.5\n3,4:1.5\n", "x.txt"), target="much")
    assert found.frame["much"].tolist() == ["0.5", "1.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3:a\n", "must begin with lines such as @classLabel true a b, then @data. .*'1,2,3:a' in line 1"),
        ("@problemName x\n@classLabel true a\n", "must have a line @data, and series after it"),
        ("@problemName x\n@data\n", "must have series after @data"),
        ("@problemName x\n@timeStamps true\n@data\n(0,1),(1,2)\n", "must be without time stamps"),
        (HEADER.format(one="true") + "1,2:3,4:a\n", "say how many channels there are. .*@dimensions 1 and series of 2"),
        (HEADER.format(one="false") + "1,2:3,4:a\n1,2:a\n", "the same channels and a label. .*1 in line 7, 2 before"),
        (HEADER.format(one="true") + "1,2:a\n1,much:a\n", "must be numbers, or . where missing. .*'much' in line 7"),
    ],
)
def test_a_ts_file_that_is_none_is_refused(file, text, message):
    with pytest.raises(UserError, match=message) as caught:
        find_series(file(text, "some.ts"))
    assert "\n" not in str(caught.value)


# what is no source of series


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "A file of series must hold some; this one is empty"),
        (" \n", {}, "A file of series must hold some; this one is empty"),
        ("label,t1,t2\n", {}, "A table needs rows below its header"),
        ("label,t1,t2\na,1,high\n", {}, "must be numbers, such as 1.5; .*Received: 'high' in 't2', row 1"),
        ("kind,t1,t2\na,1,2\n", {}, "Name the column to predict with target=, where none is called label, class"),
        ("label,t1,t2\na,1,2\n", {"target": "lable"}, "must have the column 'lable'. Did you mean 'label'?"),
        ("label\na\nb\n", {}, "must have columns of numbers beside the target"),
    ],
)
def test_what_holds_no_series_is_refused(file, text, settings, message):
    with pytest.raises(UserError, match=message) as caught:
        find_series(file(text), **settings)
    assert "\n" not in str(caught.value)


def test_dates_and_objects_are_no_series():
    with pytest.raises(UserError, match=r"must be numbers, such as 1.5"):
        find_series({"label": ["a"], "x": pd.to_datetime(["2024-01-01"])})
    with pytest.raises(UserError, match="Series in memory must be an array"):
        find_series([["a", "b"]])
    with pytest.raises(UserError, match="Series in memory must be an array"):
        find_series(np.zeros((2, 3, 4, 5)))
