"""Tests of reading tables from files, folders and frames, and of atomic writing."""

import datetime
import decimal
import gzip
import os

import numpy as np
import pandas as pd
import pytest

from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame
from tfkit.errors import UserError

TEXT = "age,job\n39,State-gov\n50,Private\n"
PLAIN = {"age": ["39", "50"], "job": ["State-gov", "Private"]}


def test_home_is_expanded(file, tmp_path, monkeypatch, columns):
    file(TEXT)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert columns(read_frame("~/table.csv")) == PLAIN


def test_missing_file(file, tmp_path, assert_refused):
    file(TEXT, "sales.csv")
    assert_refused(tmp_path / "sale.csv", "no such file", "Did you mean 'sales.csv'?")
    assert_refused(tmp_path / "no" / "x.csv", "no such file")
    assert_refused("https://example.com/x.csv", "download it first")
    assert_refused(file(TEXT) / "x.csv", "must be readable", "Not a directory")
    assert_refused("x" * 300 + ".csv", "must be readable", "too long")
    assert_refused("a,b\n1,2\n", "given by its path", "8 characters")


def test_empty_folder(tmp_path, assert_refused):
    assert_refused(tmp_path, "a folder with files of", ".csv .txt", "a folder without table files")


def test_files_of_a_folder_are_concatenated(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "b.csv").write_text("x,y\n3,c\n")
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "more" / "c.tsv").write_text("y\tx\nd\t4\n")
    (tmp_path / "_SUCCESS").touch()
    frame = read_frame(tmp_path)
    assert frame.values.tolist() == [["1", "a"], ["2", "b"], ["3", "c"], ["4", "d"]]
    assert frame.attrs["file"]["kind"] == "folder"
    (tmp_path / "b.csv").write_text("x,z\n3,c\n")
    with pytest.raises(UserError, match=r"All files in a folder must have the same columns. Received: .*b.csv, other"):
        read_frame(tmp_path)


def test_unknown_suffix(file, assert_refused):
    assert_refused(file("x", "a.dat"), ".csv .txt .tsv .jsonl .ndjson .parquet", "Received: a.dat")


@pytest.mark.parametrize("content", ["", "\n\n", " \r\n ", "\ufeff"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_empty(file, content, name, assert_refused):
    assert_refused(file(content, name), "this file is empty")


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull`"),
        (b"\n<!DOCTYPE html>\n<p>Log in", "a web page"),
        (b"<HTML><p>Log in", "a web page"),
    ],
)
def test_not_a_table(file, content, description, assert_refused):
    assert_refused(file(content), "must be CSV, TSV, JSON, JSON lines or Parquet", description)
    assert_refused(file(gzip.compress(content), "table.csv.gz"), description)


def typed_frame():
    """A frame with a column of each dtype."""
    return pd.DataFrame(
        {
            "integer": pd.array([1, None, 3], "Int64"),
            "real": [0.5, np.nan, np.inf],
            "yes": pd.array([True, None, False], "boolean"),
            "kind": pd.Categorical(["a", None, "b"]),
            "money": [decimal.Decimal("1.10"), None, decimal.Decimal("2.20")],
            "day": [datetime.date(2020, 1, 2), None, datetime.date(2021, 1, 2)],
            "time": pd.to_datetime(["2020-01-02 03:04", None, "2021-01-02 00:00"]),
            "年龄": [" x ", None, "?"],
        }
    )


def as_read(frame):
    """Return what `read_frame` gives: strings are stripped, categories are strings."""
    return frame.assign(kind=frame["kind"].astype("str"), 年龄=["x", None, None])


def test_parquet_keeps_its_dtypes(tmp_path):
    typed_frame().to_parquet(tmp_path / "a.parquet")
    frame = read_frame(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(frame, as_read(typed_frame()))
    assert frame.attrs["file"] == {
        "path": str(tmp_path / "a.parquet"),
        "kind": "parquet",
        "delimiter": None,
        "encoding": None,
    }
    (tmp_path / "a.parquet").rename(tmp_path / "a.csv")  # the content decides, not the suffix
    pd.testing.assert_frame_equal(read_frame(tmp_path / "a.csv"), frame)


def test_corrupt_parquet(file, tmp_path, assert_refused):
    assert_refused(file(TEXT, "a.parquet"), "must be complete and Parquet")
    typed_frame().to_parquet(tmp_path / "a.parquet")
    assert_refused(file((tmp_path / "a.parquet").read_bytes()[:-100], "a.parquet"), "must be complete and Parquet")
    typed_frame()[:0].to_parquet(tmp_path / "a.parquet")
    assert_refused(tmp_path / "a.parquet", "needs columns and rows", "8 columns and 0 rows")


def test_source_frame_is_not_changed(columns):
    source = typed_frame().rename(columns={"integer": " integer ", "real": 7})
    original = source.copy()
    frame = read_frame(source)
    assert list(frame)[:2] == ["integer", "7"]
    assert frame.attrs == {"file": {}}
    assert frame.dtypes.tolist() == as_read(original).dtypes.tolist()
    pd.testing.assert_frame_equal(source, original)
    assert columns(read_frame(PLAIN)) == PLAIN


def test_invalid_frames(assert_refused):
    assert_refused(pd.DataFrame({"a": []}), "needs columns and rows", "1 columns and 0 rows")
    assert_refused(pd.DataFrame([[1, 2]], columns=["a", "a "]), "more than one 'a'")
    assert_refused({"a": [1], "b": [1, 2]}, "a list for each name")
    assert_refused(3, "a path, a DataFrame, a Series (one row), an Arrow table, a dictionary", "int")


@pytest.mark.parametrize("compression", ["", ".gz", ".bz2", ".xz", ".zip", ".zst"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet"])
def test_written_table_round_trips(tmp_path, suffix, compression, columns):
    cells = {"年龄": ["a,b", "x\ty", None], 'q"': ['"', "two\nlines", "a\rb"], "c": ["1", "2", "3"]}
    path = tmp_path / f"out{suffix}{compression}"
    write_frame(pd.DataFrame(cells), path)
    content = path.read_bytes()
    assert columns(read_frame(path)) == cells
    write_frame(read_frame(path), path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_old_file_is_replaced_and_not_overwritten(tmp_path):
    """A process that has the old file open can still read it to its end."""
    (tmp_path / "a.csv").write_text("old")
    os.link(tmp_path / "a.csv", tmp_path / "link")
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv")
    assert (tmp_path / "link").read_text() == "old"
    assert (tmp_path / "a.csv").read_text() == TEXT


def test_typed_columns_round_trip(tmp_path):
    frame = typed_frame().drop(columns="real").assign(small=np.array([0.25, 0.5, 1e-30], "float32"))
    write_frame(frame, tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_frame(tmp_path / "a.parquet"), as_read(frame))
    write_frame(frame, tmp_path / "a.csv")
    assert read_frame(tmp_path / "a.csv")["money"].tolist()[0] == "1.10"
    write_frame(frame, tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_text().splitlines()[:2] == [
        '{"integer": 1, "yes": true, "kind": "a", "money": "1.10", "day": "2020-01-02", '
        '"time": "2020-01-02T03:04:00", "年龄": " x ", "small": 0.25}',
        '{"integer": null, "yes": null, "kind": null, "money": null, "day": null, '
        '"time": null, "年龄": null, "small": 0.5}',
    ]
    assert read_frame(tmp_path / "a.jsonl")["small"].tolist()[2] == float(np.float32(1e-30))


def test_floats_round_trip_exactly(tmp_path):
    values = [0.1 + 0.2, 1e-300, -1.7976931348623157e308, 2.0**53]
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        write_frame(pd.DataFrame({"a": values}), tmp_path / name)
        assert read_frame(tmp_path / name)["a"].astype(float).tolist() == values


def assert_not_written(frame, path, *texts):
    with pytest.raises(UserError) as error_info:
        write_frame(frame, path)
    message = str(error_info.value)
    assert "\n" not in message
    for text in texts:
        assert text in message, message


def test_paths_that_are_not_writable(file, tmp_path):
    frame = pd.DataFrame(PLAIN)
    assert_not_written(frame, tmp_path / "no" / "a.csv", "must exist, be writable and have free space", "No such file")
    assert_not_written(frame, file(TEXT, "x") / "a.csv", "Not a directory")
    (tmp_path / "folder.csv").mkdir()
    assert_not_written(frame, tmp_path / "folder.csv", "must not be a folder")
    assert_not_written(frame, tmp_path / "a.xlsx", ".csv .txt .tsv .jsonl .ndjson .parquet .json")
    assert_not_written(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path / "a.csv", "must differ")
    assert_not_written(pd.DataFrame({"a": [1, "x"]}), tmp_path / "a.parquet", "one type", "write CSV instead")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "x"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst", "a.csv.zip", "a.parquet", "a.jsonl"])
def test_full_disk_leaves_the_old_file_unchanged(tmp_path, name):
    """Simulate a full disk by a limit on the file size.

    The operating system refuses to write.
    """
    import resource
    import signal

    (tmp_path / name).write_text("old")
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=20_000)})
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        assert_not_written(frame, tmp_path / name, "have free space", "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / name).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_path_of_the_source_is_not_written(file, tmp_path):
    write_frame(read_frame(file(TEXT)), tmp_path / "a.parquet")
    assert str(tmp_path).encode() not in (tmp_path / "a.parquet").read_bytes()
