"""Tests of reading delimited text, and of error messages with line numbers."""

import pandas as pd
import pytest

from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame

TEXT = "age,job\n39,State-gov\n50,Private\n"
PLAIN = {"age": ["39", "50"], "job": ["State-gov", "Private"]}


def test_every_cell_is_a_string(file, columns):
    for content in (
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT.rstrip("\n"),
        TEXT.replace("\n", "\n\n"),
        TEXT.replace(",", " , "),
        TEXT.replace(",", "\u00a0,"),
    ):
        frame = read_frame(file(content))
        assert columns(frame) == PLAIN
        assert (frame.dtypes == "str").all()
        assert frame.index.tolist() == [0, 1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["table.csv", "table.txt", "table.tsv"])
@pytest.mark.reading("Layout of text files", "read")
def test_delimiter_is_detected(file, delimiter, name, columns):
    path = file(TEXT.replace(",", delimiter), name)
    frame = read_frame(path)
    assert columns(frame) == PLAIN
    kind = "tsv" if name.endswith("tsv") else "csv"
    assert frame.attrs["file"] == {"path": str(path), "kind": kind, "delimiter": delimiter, "encoding": "utf-8"}


def test_delimiter_detection_ignores_decimal_commas_and_quoted_text(file, columns):
    assert columns(read_frame(file("a;b\n1,5;2,5\n3,5;4,5\n"))) == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}
    frame = read_frame(file('"a;x","b;y"\n"1;2","3;4"\n'))
    assert columns(frame) == {"a;x": ["1;2"], "b;y": ["3;4"]}
    assert list(read_frame(file("a;b,x;c\n1;2;3\n4;5;6\n"))) == ["a", "b,x", "c"]
    assert list(read_frame(file("day,hour|b|c\n1,2|3|4\n"))) == ["day,hour", "b", "c"]
    content = "a\tb,c,d\n1\t2,3,4\n"  # ambiguous: the suffix decides
    assert list(read_frame(file(content, "table.tsv"))) == ["a", "b,c,d"]
    assert list(read_frame(file(content, "table.csv"))) == ["a\tb", "c", "d"]


def test_delimiter_can_be_set(file, columns):
    assert columns(read_frame(file(TEXT.replace(",", "^")), delimiter="^")) == PLAIN
    assert columns(read_frame(file(TEXT.replace(",", "\t")), delimiter="tab")) == PLAIN
    assert columns(read_frame(file(TEXT.replace(",", "\t")), delimiter="\\t")) == PLAIN


def test_one_column(file, columns):
    frame = read_frame(file("review\nGood; cheap, and fast\nBad\nFine | really\n"))
    assert columns(frame) == {"review": ["Good; cheap, and fast", "Bad", "Fine | really"]}
    assert frame.attrs["file"]["delimiter"] is None
    assert columns(read_frame(file('a\n1\n""\n'), delimiter=",")) == {"a": ["1", None]}


@pytest.mark.reading("Layout of text files", "read")
def test_quoted_cells_may_contain_delimiters_quotes_and_newlines(file, columns):
    content = '"name, first",note\nAnn,"two\nlines, ""said"" she"\nBob,"a\r\nb"\nCy,5" tall\n'
    assert columns(read_frame(file(content))) == {
        "name, first": ["Ann", "Bob", "Cy"],
        "note": ['two\nlines, "said" she', "a\r\nb", '5" tall'],
    }
    assert columns(read_frame(file('"two\nlines",b\n1,2\n'))) == {"two\nlines": ["1"], "b": ["2"]}


@pytest.mark.slow
def test_5000_columns(file):
    names = [f"c{index}" for index in range(5000)]
    rows = [",".join(map(str, range(row, row + 5000))) for row in range(60)]
    frame = read_frame(file("\n".join([",".join(names), *rows])))
    assert frame.shape == (60, 5000)
    assert frame["c4999"].tolist() == [str(row + 4999) for row in range(60)]


def test_cell_of_12_megabytes(file):
    long_cell = "x" * 12_000_000
    assert read_frame(file(f'a,b\n1,"{long_cell}"\n2,y\n'))["b"].tolist() == [long_cell, "y"]


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n\r\n"])
@pytest.mark.reading("Layout of text files", "refused")
def test_header_only(file, line_end, assert_refused):
    assert_refused(file("age,job" + line_end), "rows below its header", "2 names and no rows")


def test_blank_first_line(file, assert_refused):
    assert_refused(file("\n" + TEXT), "line 1 is blank")


def test_title_above_the_header(file, assert_refused):
    assert_refused(
        file("Report\na,b,c\n1,2,3\n"), "remove the lines above the header", "1 cell in line 1, 3 in those below"
    )


def test_invalid_delimiter(file, assert_refused):
    for delimiter in ("", ",,", '"', "\n", "é"):
        assert_refused(file(TEXT), "one ASCII character", repr(delimiter), delimiter=delimiter)


@pytest.mark.reading("Layout of text files", "refused")
def test_ragged_rows(file, assert_refused):
    assert_refused(file("a,b\n1,2\n\n3,4,5\n6,7\n"), "3 cells in line 4, 2 in the header", "table.csv", "','")
    assert_refused(file("a,b,c\n1,2,3\n4,5\n"), "2 cells in line 3, 3 in the header")
    assert_refused(file('a,b\n"x\ny",2\n3,4\n5\n'), "1 cells in line 5, 2 in the header")
    assert_refused(file('a,b\n1,"x\ny",2\n'), "3 cells in line 2 (is a quote in it not closed?)")


@pytest.mark.reading("Layout of text files", "refused")
def test_ragged_row_far_down_is_located(file, assert_refused):
    rows = ["1,2"] * 2_000_000
    rows[1_500_000] = "1,2,3"
    assert_refused(file("a,b\n" + "\n".join(rows)), "3 cells in line 1500002, 2 in the header")


@pytest.mark.reading("Layout of text files", "refused")
def test_quote_that_is_not_closed(file, assert_refused):
    assert_refused(file('a,b\n1,2\n3,"x\n5\n'), "A quote must be closed", "opened in line 3 is not")
    assert_refused(file('a,b\n1,2\n"3'), "A quote must be closed", "opened in line 3 is not")


def test_one_column_with_a_missing_cell_round_trips(tmp_path, columns):
    write_frame(pd.DataFrame({"a": ["1", None, "3"]}), tmp_path / "a.csv")
    assert columns(read_frame(tmp_path / "a.csv")) == {"a": ["1", None, "3"]}
