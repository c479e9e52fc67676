"""A table reads the same from any kind of file: its names, its rows, and what is missing."""

import pandas as pd

from tfkit.data.files import read_frame, write_frame
from tfkit.data.frames import MISSING


def test_names(file):
    frame = read_frame(file(" 年龄 ,a/b,hours per week,,Age,age,\n1,2,3,4,5,6,7\n"))
    assert list(frame) == ["年龄", "a/b", "hours per week", "column_4", "Age", "age", "column_7"]


def test_two_columns_of_one_name(file, refused):
    refused(file("a,b, a ,c,b\n1,2,3,4,5\n"), "must differ", "more than one 'a', 'b'")
    many = ",".join("aabbccddeeff")
    refused(file(f"{many}\n{many}\n"), "'a', 'b', 'c', 'd', 'e' and 1 more")


def test_a_named_index_is_a_column_any_other_is_left_out(tmp_path, columns, refused):
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=[7, 9])
    assert read_frame(frame).index.tolist() == [0, 1]
    assert columns(read_frame(frame.set_index("a"))) == {"a": [1, 2], "b": [3, 4]}
    two = frame.set_index(["a", pd.Index([5, 6])])
    assert columns(read_frame(two)) == {"a": [1, 2], "b": [3, 4]}
    frame.set_index("a").to_parquet(tmp_path / "a.parquet")
    assert columns(read_frame(tmp_path / "a.parquet")) == {"a": [1, 2], "b": [3, 4]}
    refused(frame.rename_axis("a"), "more than one 'a'")


def test_every_default_marker_is_missing_with_space_around_it_and_in_quotes(file):
    lines = [f'{number}, {word} ,"{word}",none' for number, word in enumerate(MISSING)]
    frame = read_frame(file("n,a,b,c\n" + "\n".join(lines)))
    assert frame["a"].isna().all()
    assert frame["b"].isna().all()
    assert frame["c"].tolist() == ["none"] * len(MISSING)


def test_given_markers_replace_the_default_ones(file, columns):
    path = file("a,b\nNA,-99\n?,\n")
    assert columns(read_frame(path, missing=["-99"])) == {"a": ["NA", "?"], "b": [None, None]}
    assert columns(read_frame(path, missing="?")) == {"a": ["NA", None], "b": ["-99", None]}


def test_given_markers_hold_for_typed_tables():
    source = pd.DataFrame(
        {"n": [1, -99], "s": ["-99", "?"], "c": pd.Categorical(["-99", "x"]), "o": [["-99"], "-99"], "b": [True, False]}
    )
    frame = read_frame(source, missing=["-99"])
    assert frame["n"].isna().tolist() == [False, True]
    assert frame["s"].isna().tolist() == [True, False]
    assert frame["c"].isna().tolist() == [True, False]
    assert frame["o"].isna().tolist() == [False, True]
    assert frame["b"].dtype == bool
    assert source["n"].tolist() == [1, -99]


def test_a_table_reads_the_same_from_any_kind_of_file(tmp_path, columns):
    cells = {"a": [" x ", "?", None, "y"], "b": ["1", " NA", "2", "x "]}
    wanted = {"a": ["x", None, None, "y"], "b": ["1", None, "2", "x"]}
    for frame in (pd.DataFrame(cells), pd.DataFrame(cells, dtype="object"), pd.DataFrame(cells, dtype="category")):
        assert columns(read_frame(frame)) == wanted
        for name in ("a.csv", "a.tsv", "a.jsonl", "a.parquet"):
            write_frame(frame, tmp_path / name)
            assert columns(read_frame(tmp_path / name)) == wanted
            assert (read_frame(tmp_path / name).dtypes == "str").all()


def test_a_category_becomes_what_its_categories_are():
    frame = pd.DataFrame({"n": pd.Categorical([1, None, -99]), "s": pd.Categorical(["a", " a", "b"])})
    read = read_frame(frame, missing=["-99"])
    assert read["n"].dtype == float
    assert read["n"].isna().tolist() == [False, True, True]
    assert read["s"].tolist() == ["a", "a", "b"]
    assert frame["s"].dtype == "category"
