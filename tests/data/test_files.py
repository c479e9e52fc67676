"""Odd files arrive whole, bad ones are refused in one line that says what to do."""

import bz2
import datetime
import decimal
import gzip
import io
import lzma
import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tfkit.data import files
from tfkit.data.files import MISSING, read_frame, write_frame
from tfkit.errors import UserError

TEXT = "age,job\n39,State-gov\n50,Private\n"
PLAIN = {"age": ["39", "50"], "job": ["State-gov", "Private"]}


@pytest.fixture
def file(tmp_path):
    """Writes what a file holds and gives its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def columns(frame):
    return {name: [None if pd.isna(cell) else cell for cell in frame[name]] for name in frame}


def refused(source, *parts, **options):
    """The source is refused in one line that has all the parts; the line."""
    with pytest.raises(UserError) as caught:
        read_frame(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "Received: " in message
    for part in parts:
        assert part in message, message
    return message


def packed(suffix, content):
    if suffix == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("inside.csv", content)
        return out.getvalue()
    if suffix == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix](content)


# Text that is read


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-32"), "utf-32"),
        (TEXT.replace("\n", "\r\n").encode(), "utf-8"),
        (TEXT.replace("\n", "\r").encode(), "utf-8"),
        (TEXT.rstrip("\n").encode(), "utf-8"),
        (TEXT.replace("\n", "\n\n").encode(), "utf-8"),
        (TEXT.replace(",", " , ").encode(), "utf-8"),
        (TEXT.replace(",", "\u00a0,").encode(), "utf-8"),
    ],
)
def test_the_same_table_in_many_dresses(file, content, encoding):
    path = file(content)
    frame = read_frame(path)
    assert columns(frame) == PLAIN
    assert (frame.dtypes == "str").all()
    assert frame.index.tolist() == [0, 1]
    assert frame.attrs["file"] == {
        "path": str(path),
        "kind": "csv",
        "delimiter": ",",
        "encoding": encoding,
        "bytes": len(content),
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["table.csv", "table.txt", "table.tsv"])
def test_delimiter_is_found(file, delimiter, name):
    frame = read_frame(file(TEXT.replace(",", delimiter), name))
    assert columns(frame) == PLAIN
    assert frame.attrs["file"]["delimiter"] == delimiter
    assert frame.attrs["file"]["kind"] == ("tsv" if name.endswith("tsv") else "csv")


def test_delimiter_is_told_from_decimal_commas_and_from_commas_in_quotes(file):
    assert columns(read_frame(file("a;b\n1,5;2,5\n3,5;4,5\n"))) == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}
    frame = read_frame(file('"a;x","b;y"\n"1;2","3;4"\n'))
    assert columns(frame) == {"a;x": ["1;2"], "b;y": ["3;4"]}
    assert list(read_frame(file("a;b,x;c\n1;2;3\n4;5;6\n"))) == ["a", "b,x", "c"]
    assert list(read_frame(file("day,hour|b|c\n1,2|3|4\n"))) == ["day,hour", "b", "c"]
    content = "a\tb,c,d\n1\t2,3,4\n"  # either would do: the suffix decides
    assert list(read_frame(file(content, "table.tsv"))) == ["a", "b,c,d"]
    assert list(read_frame(file(content, "table.csv"))) == ["a\tb", "c", "d"]


def test_other_delimiters_can_be_given(file):
    assert columns(read_frame(file(TEXT.replace(",", "^")), delimiter="^")) == PLAIN
    assert columns(read_frame(file(TEXT.replace(",", "\t")), delimiter="tab")) == PLAIN
    assert columns(read_frame(file(TEXT.replace(",", "\t")), delimiter="\\t")) == PLAIN


def test_one_column(file):
    frame = read_frame(file("review\nGood; cheap, and fast\nBad\nFine | really\n"))
    assert columns(frame) == {"review": ["Good; cheap, and fast", "Bad", "Fine | really"]}
    assert frame.attrs["file"]["delimiter"] is None
    assert columns(read_frame(file('a\n1\n""\n'), delimiter=",")) == {"a": ["1", None]}


def test_quotes_hold_delimiters_quotes_and_newlines(file):
    content = '"name, first",note\nAnn,"two\nlines, ""said"" she"\nBob,"a\r\nb"\nCy,5" tall\n'
    assert columns(read_frame(file(content))) == {
        "name, first": ["Ann", "Bob", "Cy"],
        "note": ['two\nlines, "said" she', "a\r\nb", '5" tall'],
    }
    assert columns(read_frame(file('"two\nlines",b\n1,2\n'))) == {"two\nlines": ["1"], "b": ["2"]}


def test_every_default_marker_is_missing_with_space_around_it_and_in_quotes(file):
    lines = [f'{number}, {word} ,"{word}",none' for number, word in enumerate(MISSING)]
    frame = read_frame(file("n,a,b,c\n" + "\n".join(lines)))
    assert frame["a"].isna().all()
    assert frame["b"].isna().all()
    assert frame["c"].tolist() == ["none"] * len(MISSING)


def test_given_markers_replace_the_default_ones(file):
    path = file("a,b\nNA,-99\n?,\n")
    assert columns(read_frame(path, missing=["-99"])) == {"a": ["NA", "?"], "b": [None, None]}
    assert columns(read_frame(path, missing="?")) == {"a": ["NA", None], "b": ["-99", None]}


def test_latin_1_only_where_utf_8_fails(file):
    frame = read_frame(file("städte,b\nKöln,1\n".encode("latin-1")))
    assert columns(frame) == {"städte": ["Köln"], "b": ["1"]}
    assert frame.attrs["file"]["encoding"] == "latin-1"
    frame = read_frame(file("a,b\n5 €,“x”\n".encode("cp1252")))
    assert columns(frame) == {"a": ["5 €"], "b": ["“x”"]}
    assert frame.attrs["file"]["encoding"] == "cp1252"


def test_encoding_can_be_given(file):
    frame = read_frame(file("年龄,b\n三十,1\n".encode("gb18030")), encoding="gb18030")
    assert columns(frame) == {"年龄": ["三十"], "b": ["1"]}
    for mark in (b"", b"\xff\xfe"):
        assert columns(read_frame(file(mark + TEXT.encode("utf-16-le")), encoding="utf-16-le")) == PLAIN
    assert columns(read_frame(file(b"\xef\xbb\xbf" + TEXT.encode()), encoding="utf-8")) == PLAIN


def test_names(file):
    frame = read_frame(file(" 年龄 ,a/b,hours per week,,Age,age,\n1,2,3,4,5,6,7\n"))
    assert list(frame) == ["年龄", "a/b", "hours per week", "column_4", "Age", "age", "column_7"]


def test_5000_columns(file):
    names = [f"c{number}" for number in range(5000)]
    rows = [",".join(map(str, range(row, row + 5000))) for row in range(60)]
    frame = read_frame(file("\n".join([",".join(names), *rows])))
    assert frame.shape == (60, 5000)
    assert frame["c4999"].tolist() == [str(row + 4999) for row in range(60)]


def test_a_row_longer_than_a_block(file):
    long = "x" * (3 * files._BLOCK)
    assert read_frame(file(f'a,b\n1,"{long}"\n2,y\n'))["b"].tolist() == [long, "y"]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
def test_compressed(file, suffix):
    content = packed(suffix, TEXT.encode())
    frame = read_frame(file(content, "table.csv" + suffix))
    assert columns(frame) == PLAIN
    assert frame.attrs["file"]["bytes"] == len(content)
    assert columns(read_frame(file(content, "liar.csv"))) == PLAIN  # downloads are often named wrongly
    assert columns(read_frame(file(TEXT, "liar.csv" + suffix))) == PLAIN


def test_a_zip_says_its_kind_inside_and_what_a_mac_adds_does_not_count(file, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/a.jsonl", '{"age": 39}\n')
        archive.writestr("__MACOSX/folder/._a.jsonl", "x")
    assert columns(read_frame(tmp_path / "a.zip")) == {"age": [39]}


def test_home_is_expanded(file, tmp_path, monkeypatch):
    file(TEXT)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert columns(read_frame("~/table.csv")) == PLAIN


# Text that is refused


def test_there_is_no_such_file(file, tmp_path):
    file(TEXT, "sales.csv")
    refused(tmp_path / "sale.csv", "no such file", "Did you mean 'sales.csv'?")
    refused(tmp_path / "no" / "x.csv", "no such file")
    refused("https://example.com/x.csv", "download it first")
    refused(file(TEXT) / "x.csv", "must be readable", "Not a directory")
    refused("x" * 300 + ".csv", "must be readable", "too long")
    refused("a,b\n1,2\n", "given by its path", "8 characters")


def test_a_folder_or_a_pattern(tmp_path):
    refused(tmp_path, "which is a folder", "give one")
    refused(tmp_path / "*.csv", "which is a pattern", "give one")


def test_unknown_suffix(file):
    refused(file("x", "a.dat"), ".csv .txt .tsv .jsonl .ndjson .parquet", "Received: a.dat")
    refused(file("x", "a.xlsx"), "Save the sheet as CSV or Parquet")
    refused(file("{}", "a.json"), "call it .jsonl")


@pytest.mark.parametrize("content", ["", "\n\n", " \r\n ", "\ufeff"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_empty(file, content, name):
    refused(file(content, name), "this file is empty")


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_header_only(file, end):
    refused(file("age,job" + end), "rows below its header", "2 names and no rows")


def test_blank_first_line(file):
    refused(file("\n" + TEXT), "line 1 is blank")


def test_a_title_above_the_header(file):
    refused(file("Report\na,b,c\n1,2,3\n"), "remove what stands above it", "1 cell in line 1, 3 in those below")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
        (b"GIF89a", "a GIF image"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x93NUMPY\x01", "a NumPy array"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull`"),
        (b"\n<!DOCTYPE html>\n<p>Log in", "a web page"),
        (b"<HTML><p>Log in", "a web page"),
    ],
)
def test_not_a_table(file, content, what):
    refused(file(content), "must be CSV, TSV, JSON lines or Parquet", what)
    refused(file(gzip.compress(content), "table.csv.gz"), what)


def test_zero_bytes(file):
    refused(file(b"a,b\n1,\0\n"), "with zero bytes in it", "encoding=utf-16-le")


def test_undecodable(file):
    refused(file("年龄,b\n三十,1\n".encode("shift_jis", "replace") + b"\x81\x40"), "none of these", "encoding=gb18030")
    refused(file("a,b\n1,2\nKöln,3\n".encode("latin-1")), "not utf-8 in line 3", encoding="utf-8")
    refused(file(TEXT), "a name that Python knows", "'klingon'", encoding="klingon")


def test_wrong_delimiter(file):
    path = file(TEXT.replace(",", ";"))
    refused(path, "probably the semicolon, ';', which gives 2 columns", "',', which gives one", delimiter=",")
    refused(file(TEXT), "probably the comma", delimiter="tab")
    for bad in ("", ",,", '"', "\n", "é"):
        refused(path, "one ASCII character", repr(bad), delimiter=bad)


def test_ragged_rows(file):
    refused(file("a,b\n1,2\n\n3,4,5\n6,7\n"), "3 cells in line 4, 2 in the header", "table.csv", "','")
    refused(file("a,b,c\n1,2,3\n4,5\n"), "2 cells in line 3, 3 in the header")
    refused(file('a,b\n"x\ny",2\n3,4\n5\n'), "1 cells in line 5, 2 in the header")
    refused(file('a,b\n1,"x\ny",2\n'), "3 cells in line 2 (is a quote in it never closed?)")


def test_a_ragged_row_far_down_is_found_by_every_thread(file):
    rows = ["1,2"] * 2_000_000
    rows[1_500_000] = "1,2,3"
    refused(file("a,b\n" + "\n".join(rows)), "3 cells in line 1500002, 2 in the header")


def test_a_quote_that_is_never_closed(file):
    refused(file('a,b\n1,2\n3,"x\n5,6\n'), "A quote must be closed", "line 3")
    refused(file('a,b\n1,2\n3,"x'), "A quote must be closed", "line 3")


def test_two_columns_of_one_name(file):
    refused(file("a,b, a ,c,b\n1,2,3,4,5\n"), "must differ", "more than one 'a', 'b'")
    refused(file(",".join("aabbccddeeff") + "\n"), "'a', 'b', 'c', 'd', 'e' and 1 more")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
def test_compressed_but_broken(file, suffix):
    whole = packed(suffix, os.urandom(5000))
    refused(file(whole[: len(whole) // 2], "table.csv" + suffix), f"The {suffix[1:]} file must be whole")


def test_zips_that_hold_no_table(tmp_path):
    for names, part in [
        (["a.csv", "b.csv"], "exactly one file"),
        ([], "exactly one file"),
        (["[Content_Types].xml", "xl/workbook.xml"], "save it as CSV or Parquet"),
        (["mimetype", "content.xml"], "save it as CSV or Parquet"),
    ]:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name in names:
                archive.writestr(name, TEXT)
        refused(tmp_path / "a.zip", part)


# Parquet, JSON lines, frames


def typed():
    return pd.DataFrame(
        {
            "whole": pd.array([1, None, 3], "Int64"),
            "real": [0.5, np.nan, np.inf],
            "yes": pd.array([True, None, False], "boolean"),
            "kind": pd.Categorical(["a", None, "b"]),
            "money": [decimal.Decimal("1.10"), None, decimal.Decimal("2.20")],
            "day": [datetime.date(2020, 1, 2), None, datetime.date(2021, 1, 2)],
            "time": pd.to_datetime(["2020-01-02 03:04", None, "2021-01-02 00:00"]),
            "年龄": [" x ", None, "?"],
        }
    )


def test_parquet_keeps_its_types(tmp_path):
    typed().to_parquet(tmp_path / "a.parquet")
    frame = read_frame(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(frame, typed())
    assert frame.attrs["file"]["kind"] == "parquet"
    assert frame.attrs["file"]["delimiter"] is None
    (tmp_path / "a.parquet").rename(tmp_path / "a.csv")  # what it holds decides, not its name
    pd.testing.assert_frame_equal(read_frame(tmp_path / "a.csv"), typed())


def test_broken_parquet(file, tmp_path):
    refused(file(TEXT, "a.parquet"), "must be whole and Parquet")
    typed().to_parquet(tmp_path / "a.parquet")
    refused(file((tmp_path / "a.parquet").read_bytes()[:-100], "a.parquet"), "must be whole and Parquet")
    typed()[:0].to_parquet(tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", "needs columns and rows", "8 columns and 0 rows")


def test_json_lines(file):
    content = '{"n": 1, "s": " x ", "b": true}\n\n{"n": 2.5, "s": "?", "extra": "\u2028"}\r\n{"n": null, "b": false}\n'
    frame = read_frame(file(content, "a.jsonl"))
    assert columns(frame) == {
        "n": [1, 2.5, None],
        "s": ["x", None, None],
        "b": [True, None, False],
        "extra": [None, None, None],
    }
    assert frame["n"].dtype == float
    assert frame["s"].dtype == "str"
    assert columns(read_frame(file(gzip.compress(b'{"a": 1}'), "a.ndjson.gz"))) == {"a": [1]}
    assert read_frame(file('{"a": 39}\n{"a": "?"}\n', "a.jsonl"))["a"].dtype == float


def test_broken_json_lines(file):
    refused(file('{"a": 1}\n\n{"a": \n', "a.jsonl"), "line 3 is not")
    refused(file('{"a": 1}\n[1, 2]\n', "a.jsonl"), "line 2 is a list")
    refused(file('{"a": 1}\n{"a": [1]}\n', "a.jsonl"), "a list under 'a' in line 2")
    refused(file('{"a": {"b": 1}}\n', "a.jsonl"), "a dict under 'a' in line 1")
    refused(file('{"a": 1, " a": 2}\n', "a.jsonl"), "must differ")
    refused(file("{}\n", "a.jsonl"), "needs columns and rows")
    refused(file('{"a": "\\ud800"}\n', "a.jsonl"), "half of a character")
    refused(file('{"a": ' + "[" * 100_000, "a.jsonl"), "line 1 is not")


def test_frames_are_taken_as_they_are_and_not_changed():
    source = typed().rename(columns={"whole": " whole ", "real": 7})
    before = source.copy()
    frame = read_frame(source)
    assert list(frame)[:2] == ["whole", "7"]
    assert frame.attrs["file"] == {"path": None, "kind": "frame", "delimiter": None, "encoding": None, "bytes": None}
    assert frame.dtypes.tolist() == before.dtypes.tolist()
    pd.testing.assert_frame_equal(source, before)
    assert columns(read_frame(PLAIN)) == PLAIN


def test_a_named_index_is_a_column_any_other_is_left_out(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=[7, 9])
    assert read_frame(frame).index.tolist() == [0, 1]
    assert columns(read_frame(frame.set_index("a"))) == {"a": [1, 2], "b": [3, 4]}
    two = frame.set_index(["a", pd.Index([5, 6])])
    assert columns(read_frame(two)) == {"a": [1, 2], "b": [3, 4]}
    frame.set_index("a").to_parquet(tmp_path / "a.parquet")
    assert columns(read_frame(tmp_path / "a.parquet")) == {"a": [1, 2], "b": [3, 4]}
    refused(frame.rename_axis("a"), "more than one 'a'")


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


def test_frames_that_are_refused():
    refused(pd.DataFrame({"a": []}), "needs columns and rows", "1 columns and 0 rows")
    refused(pd.DataFrame([[1, 2]], columns=["a", "a "]), "more than one 'a'")
    refused({"a": [1], "b": [1, 2]}, "a list for each name")
    refused({"a": 1}, "a list for each name")
    refused([1, 2], "a path, a DataFrame or a dictionary", "list")


# Writing


@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz", ".zip", ".zst"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet"])
def test_what_is_written_is_read(tmp_path, suffix, packing):
    cells = {"年龄": ["a,b", "x\ty", None], 'q"': ['"', "two\nlines", "a\rb"], "c": ["1", "2", "3"]}
    path = tmp_path / f"out{suffix}{packing}"
    write_frame(pd.DataFrame(cells), path)
    first = path.read_bytes()
    assert columns(read_frame(path)) == cells
    write_frame(read_frame(path), path)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path):
    """Whoever has the old file open reads it to its end: it is replaced, not written over."""
    (tmp_path / "a.csv").write_text("old")
    os.link(tmp_path / "a.csv", tmp_path / "same")
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv")
    assert (tmp_path / "same").read_text() == "old"
    assert (tmp_path / "a.csv").read_text() == TEXT


def test_no_time_of_day_in_compressed_files(tmp_path):
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes()[4:8] == bytes(4)
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv.zip")
    with zipfile.ZipFile(tmp_path / "a.csv.zip") as archive:
        assert [(inside.filename, inside.date_time[0]) for inside in archive.infolist()] == [("a.csv", 1980)]


def test_one_column_with_a_missing_cell_comes_back(tmp_path):
    write_frame(pd.DataFrame({"a": ["1", None, "3"]}), tmp_path / "a.csv")
    assert columns(read_frame(tmp_path / "a.csv")) == {"a": ["1", None, "3"]}


def test_typed_columns_are_written(tmp_path):
    frame = typed().drop(columns="real").assign(small=np.array([0.25, 0.5, 1e-30], "float32"))
    write_frame(frame, tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_frame(tmp_path / "a.parquet"), frame)
    write_frame(frame, tmp_path / "a.csv")
    assert read_frame(tmp_path / "a.csv")["money"].tolist()[0] == "1.10"
    write_frame(frame, tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_text().splitlines()[:2] == [
        '{"whole": 1, "yes": true, "kind": "a", "money": "1.10", "day": "2020-01-02", '
        '"time": "2020-01-02T03:04:00", "年龄": " x ", "small": 0.25}',
        '{"whole": null, "yes": null, "kind": null, "money": null, "day": null, '
        '"time": null, "年龄": null, "small": 0.5}',
    ]
    assert read_frame(tmp_path / "a.jsonl")["small"].tolist()[2] == float(np.float32(1e-30))


def test_numbers_keep_every_bit(tmp_path):
    values = [0.1 + 0.2, 1e-300, -1.7976931348623157e308, 2.0**53]
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        write_frame(pd.DataFrame({"a": values}), tmp_path / name)
        assert read_frame(tmp_path / name)["a"].astype(float).tolist() == values


def not_written(frame, path, *parts):
    with pytest.raises(UserError) as caught:
        write_frame(frame, path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def test_places_that_cannot_be_written(file, tmp_path):
    frame = pd.DataFrame(PLAIN)
    not_written(frame, tmp_path / "no" / "a.csv", "must exist, be open to you and have room", "No such file")
    not_written(frame, file(TEXT, "x") / "a.csv", "Not a directory")
    (tmp_path / "folder.csv").mkdir()
    not_written(frame, tmp_path / "folder.csv", "Is a directory")
    not_written(frame, tmp_path / "a.xlsx", ".csv .txt .tsv .jsonl .ndjson .parquet", "Save the sheet")
    not_written(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path / "a.csv", "must differ")
    not_written(pd.DataFrame({"a": [1, "x"]}), tmp_path / "a.parquet", "one type", "write CSV instead")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "x"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst", "a.csv.zip", "a.parquet", "a.jsonl"])
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path, name):
    """A limit on the size of files stands for the disk: the system itself refuses to write on."""
    import resource
    import signal

    (tmp_path / name).write_text("old")
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=20_000)})
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        not_written(frame, tmp_path / name, "have room", "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / name).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_trace_of_the_source_is_written(file, tmp_path):
    write_frame(read_frame(file(TEXT)), tmp_path / "a.parquet")
    assert str(tmp_path).encode() not in (tmp_path / "a.parquet").read_bytes()
