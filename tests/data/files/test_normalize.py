"""Tests of normalized frames: column names, row index, missing markers."""

import pandas as pd

from tfkit.data.files.normalize import DEFAULT_NA_VALUES
from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame


def test_names(file):
    frame = read_frame(file(" 年龄 ,a/b,hours per week,,Age,age,\n1,2,3,4,5,6,7\n"))
    assert list(frame) == ["年龄", "a/b", "hours per week", "column_4", "Age", "age", "column_7"]


def test_duplicate_column_names(file, assert_refused):
    assert_refused(file("a,b, a ,c,b\n1,2,3,4,5\n"), "must differ", "more than one 'a', 'b'")
    header = ",".join("aabbccddeeff")
    assert_refused(file(f"{header}\n{header}\n"), "'a', 'b', 'c', 'd', 'e' and 1 more")


def test_named_index_becomes_a_column_and_any_other_is_dropped(tmp_path, columns, assert_refused):
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=[7, 9])
    assert read_frame(frame).index.tolist() == [0, 1]
    assert columns(read_frame(frame.set_index("a"))) == {"a": [1, 2], "b": [3, 4]}
    two_levels = frame.set_index(["a", pd.Index([5, 6])])
    assert columns(read_frame(two_levels)) == {"a": [1, 2], "b": [3, 4]}
    frame.set_index("a").to_parquet(tmp_path / "a.parquet")
    assert columns(read_frame(tmp_path / "a.parquet")) == {"a": [1, 2], "b": [3, 4]}
    assert_refused(frame.rename_axis("a"), "more than one 'a'")


def test_default_missing_markers_with_white_space_and_in_quotes(file):
    lines = [f'{row}, {marker} ,"{marker}",none' for row, marker in enumerate(DEFAULT_NA_VALUES)]
    frame = read_frame(file("n,a,b,c\n" + "\n".join(lines)))
    assert frame["a"].isna().all()
    assert frame["b"].isna().all()
    assert frame["c"].tolist() == ["none"] * len(DEFAULT_NA_VALUES)


def test_na_values_replaces_the_default_markers(file, columns):
    path = file("a,b\nNA,-99\n?,\n")
    assert columns(read_frame(path, na_values=["-99"])) == {"a": ["NA", "?"], "b": [None, None]}
    assert columns(read_frame(path, na_values="?")) == {"a": ["NA", None], "b": ["-99", None]}


def test_na_values_applies_to_typed_columns():
    source = pd.DataFrame(
        {"n": [1, -99], "s": ["-99", "?"], "c": pd.Categorical(["-99", "x"]), "o": [["-99"], "-99"], "b": [True, False]}
    )
    frame = read_frame(source, na_values=["-99"])
    assert frame["n"].isna().tolist() == [False, True]
    assert frame["s"].isna().tolist() == [True, False]
    assert frame["c"].isna().tolist() == [True, False]
    assert frame["o"].isna().tolist() == [False, True]
    assert frame["b"].dtype == bool
    assert source["n"].tolist() == [1, -99]


def test_table_reads_the_same_from_any_file_format(tmp_path, columns):
    cells = {"a": [" x ", "?", None, "y"], "b": ["1", " NA", "2", "x "]}
    expected = {"a": ["x", None, None, "y"], "b": ["1", None, "2", "x"]}
    for frame in (pd.DataFrame(cells), pd.DataFrame(cells, dtype="object"), pd.DataFrame(cells, dtype="category")):
        assert columns(read_frame(frame)) == expected
        for name in ("a.csv", "a.tsv", "a.jsonl", "a.parquet"):
            write_frame(frame, tmp_path / name)
            assert columns(read_frame(tmp_path / name)) == expected
            assert (read_frame(tmp_path / name).dtypes == "str").all()


def test_categorical_column_gets_the_dtype_of_its_categories():
    frame = pd.DataFrame({"n": pd.Categorical([1, None, -99]), "s": pd.Categorical(["a", " a", "b"])})
    result = read_frame(frame, na_values=["-99"])
    assert result["n"].dtype == float
    assert result["n"].isna().tolist() == [False, True, True]
    assert result["s"].tolist() == ["a", "a", "b"]
    assert frame["s"].dtype == "category"
