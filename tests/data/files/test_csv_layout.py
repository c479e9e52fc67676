"""Delimited text as it comes: comments, units, trailing delimiters, blanks, repeated headers."""

import io
import re

import hypothesis
import pytest
from hypothesis import strategies

from tfkit.data.files import lone_quotes
from tfkit.data.files.chunks import ChunkReader, NotChunkableError
from tfkit.data.files.read import read_frame, read_messages
from tfkit.errors import UserError

PLAIN = {"x": ["1", "2", "3", "4", "5"], "y": ["1.5", "2.5", "3.5", "4.5", "5.5"], "z": ["a", "b", "a", "b", "a"]}
ROWS = "1,1.5,a\n2,2.5,b\n3,3.5,a\n4,4.5,b\n5,5.5,a\n"

LAYOUTS = {
    "comments": ("# made by a tool\n# units: m, s\nx,y,z\n" + ROWS, "2 comment lines above the table skipped"),
    "percent comments": ("% title\nx,y,z\n" + ROWS, "1 comment lines above"),
    "comment with commas": ("# one, two\n# three, four, and five, six\nx,y,z\n" + ROWS, "2 comment lines"),
    "header in a comment": ("# x,y,z\n" + ROWS, "the last of 1 comment lines is the header"),
    "header after comments": ("#version 2\n#x\ty\tz\n" + ROWS.replace(",", "\t"), "the last of 2 comment lines"),
    "title": ("Sales 2024\nx,y,z\n" + ROWS, "1 line above the header skipped (Sales 2024)"),
    "title and blank line": ("Sales 2024\n\nx,y,z\n" + ROWS, "2 lines above the header skipped"),
    "padded title": ("Sales 2024,,\nmade by me,,\nx,y,z\n" + ROWS, "2 lines above the header skipped (Sales 2024)"),
    "title, semicolons": ("Umsatz, gesamt\nx;y;z\n" + ROWS.replace(",", ";"), "1 line above the header skipped"),
    "title below comments": ("# a tool\nSales\nx,y,z\n" + ROWS, "1 line above the header skipped (Sales)"),
    "units": ("x,y,z\n[m],[s],-\n" + ROWS, "line 2 skipped: names or units, not values ([m], [s], -)"),
    "second names": ("a,b,c\nx1,y1,z1\n" + ROWS, "line 2 skipped"),
    "units with gaps": ("x,y,z\nkm,m/s,\n" + ROWS, "line 2 skipped"),
    "units below comments": ("# c\nx,y,z\nkm,m/s,\n" + ROWS, "line 3 skipped"),
    "trailing in rows": ("x,y,z\n" + ROWS.replace("\n", ",\n"), "each row ends with a delimiter"),
    "trailing in rows, CRLF": ("x,y,z\r\n" + ROWS.replace("\n", ", \r\n"), "each row ends with a delimiter"),
    "trailing semicolon": ("x;y;z\n" + ROWS.replace(",", ";").replace("\n", ";\n"), "each row ends"),
    "trailing in header": ("x,y,z,\n" + ROWS, "the header ends with a delimiter"),
    "repeated header": ("x,y,z\n" + ROWS[:16] + "x,y,z\n" + ROWS[16:], "1 rows skipped: they repeat the header"),
    "blanks": ("x   y  z\n" + ROWS.replace(",", "    "), "cells are separated by blanks"),
    "leading blanks": (
        "  x y z\n" + "".join(f"  {line}\n" for line in ROWS.replace(",", "  ").split("\n")[:5]),
        "blanks",
    ),
    "blanks and tabs": ("x\t y  z\n" + ROWS.replace(",", " \t "), "cells are separated by blanks"),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.reading("Layout of text files", "stated")
def test_layout_is_understood_and_reported(file, columns, name):
    content, message = LAYOUTS[name]
    frame = read_frame(file(content))
    expected = PLAIN if "second" not in name else dict(zip("abc", PLAIN.values(), strict=True))
    assert columns(frame) == expected
    assert message in " | ".join(read_messages(frame))
    try:
        reader = ChunkReader(file(content))
    except NotChunkableError:
        assert "blanks" in message
    else:
        assert [cell for chunk in reader for cell in chunk.iloc[:, 0]] == PLAIN["x"]
        assert reader.messages == read_messages(frame)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if "blanks" not in name])
@pytest.mark.reading("Layout of text files", "stated")
def test_layout_with_quoted_cells_of_several_lines(file, name):
    content, _ = LAYOUTS[name]
    delimiter = next(delimiter for delimiter in "\t;," if delimiter in content)
    last = f'6{delimiter}6.5{delimiter}"two\nlines {delimiter} here"' + delimiter * ("in rows" in name or ";" in name)
    last += delimiter * (name == "trailing semicolon")
    assert read_frame(file(content + last + "\n")).iloc[-1, 2] == f"two\nlines {delimiter} here"


def test_numbers_of_rows_without_a_name(file, columns):
    rows = "".join(f"{number},{line}\n" for number, line in enumerate(ROWS.splitlines(), 1))
    frame = read_frame(file("x,y,z\n" + rows))
    assert columns(frame) == {"column_1": ["1", "2", "3", "4", "5"], **PLAIN}
    assert read_messages(frame) == ["the first column has no name in the header: numbers of rows, as R writes"]
    with pytest.raises(UserError, match="4 cells in line 2, 3 in the header"):
        read_frame(file("name,age,z\n" + "Smith, John,30,a\nDoe, Jane,31,b\n" * 3))


@pytest.mark.parametrize(
    "content",
    [
        "x,y\nunknown,1\n2,3\n4,5\n6,7\n8,9\n",  # one cell is text: a row
        "x,y\n?,NA\n2,3\n4,5\n6,7\n8,9\n",  # missing cells
        "x,y\na,b\nc,d\ne,f\ng,h\n",  # no numbers at all
        "#id,name\n1,a\n2,b\n",
        "full name\nJohn Smith\nJane Doe\nBob Ray\n",  # one column of two words
        "text\ngood and 5 stars\nbad or 1 star\n",
        "a b,c d\n1 2,3 4\n5 6,7 x\n",
        "when,y\n2020-01-01 10:00:00,5\n2020-01-02 10:00:00,6\n",
    ],
)
@pytest.mark.reading("Layout of text files", "read")
def test_usual_tables_are_not_changed(file, content):
    frame = read_frame(file(content))
    assert len(frame) == content.count("\n") - 1
    assert not [message for message in read_messages(frame) if "header" not in message]


@pytest.mark.parametrize("lone", ['"Hello there', 'he said "ok', '5" pipe', '"'])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
@pytest.mark.reading("Layout of text files", "stated")
def test_lines_with_the_right_number_of_cells_are_rows(file, lone, delimiter):
    rows = [("spam", "plain text"), ("ham", lone), ("ham", "more"), ("spam", 'with "x" in it'), ("ham", lone)] * 4
    content = "".join(f"{label}{delimiter}{text}\n" for label, text in [("label", "text"), *rows])
    frame = read_frame(file(content, "table.tsv" if delimiter == "\t" else "table.csv"))
    assert [tuple(row) for row in frame.to_numpy()] == [
        (label, "5" + '" pipe' if text.startswith("5") else text) for label, text in rows
    ]
    try:
        chunks = [cell for chunk in ChunkReader(file(content)) for cell in chunk["text"]]
    except NotChunkableError:
        chunks = frame["text"].tolist()
    assert chunks == frame["text"].tolist()


def test_lone_quotes_beside_quoted_cells(file):
    content = 'a,b\n1,"x, y"\n2,"open\n3,"two\nlines, and, here"\n4,z\n'
    frame = read_frame(file(content))
    assert frame["b"].tolist() == ["x, y", '"open', "two\nlines, and, here", "z"]
    assert read_messages(frame) == ["1 lone quote is read as a character, first in row 2"]


@pytest.mark.reading("Layout of text files", "read")
def test_quoted_cells_of_several_lines_stay_cells(file):
    content = 'a,b\n1,"first line\nsecond, line"\n2,z\n'
    assert read_frame(file(content))["b"].tolist() == ["first line\nsecond, line", "z"]
    content = "a,b\n" + '1,"first line\nsecond line\n\nthird"\n' * 50
    assert read_frame(file(content))["b"].tolist() == ["first line\nsecond line\n\nthird"] * 50


TEXT = strategies.text(strategies.sampled_from('"",\n\rab '), max_size=16).map(str.encode)


@hypothesis.given(TEXT, strategies.booleans())
def test_line_in_a_quoted_cell_is_detected(text, is_odd):
    lines = text.split(b"\n")[:-1]
    counts = [text[: sum(len(line) + 1 for line in lines[: i + 1])].count(b'"') for i in range(len(lines))]
    assert lone_quotes.odd_at_line_end(text, is_odd) == any((count + is_odd) % 2 for count in counts)


CELL = rb'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)'
CELLS = re.compile(CELL + rb"(?:[,\r\n]" + CELL + rb")*+")


@hypothesis.given(TEXT)
@hypothesis.example(b'a","\n"')
def test_quotes_are_broken_in_a_stream_as_in_the_text(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lone_quotes, "_BLOCK_BYTES", 3)
        has_errors = lone_quotes.has_errors(io.BytesIO(text), ",")
    if lone_quotes._any_is_broken(text, ","):
        assert has_errors
    elif CELLS.fullmatch(text):  # a quote inside of a cell makes a stream careful: it is then read in memory
        assert not has_errors
