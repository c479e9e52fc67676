"""Tests of comment lines above the header."""

import pytest

from tfkit.data.files.read import read_frame


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("# a\n# b, c. d\nyear,v\n1960,2\n", ["year", "v"]),
        ("#\nyear;v\n1960;2\n", ["year", "v"]),
        ("# only, one\r\nyear\tv\tw\r\n1\t2\t3\r\n", ["year", "v", "w"]),
        ("#year,v\n1960,2\n", ["year", "v"]),
        ("# note\n#year,v\n1960,2\n", ["year", "v"]),
        ("year,v\n#1960,2\n", ["year", "v"]),
    ],
)
@pytest.mark.reading("Layout of text files", "stated")
def test_comment_lines_above_the_header_are_skipped(tmp_path, text, columns):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    frame = read_frame(path)
    assert (list(frame), len(frame)) == (columns, 1)
