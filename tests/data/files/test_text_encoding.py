"""Tests of text encodings: detection, the `encoding` setting, error messages."""

import pytest

from tfkit.data.files.read import read_frame

TEXT = "age,job\n39,State-gov\n50,Private\n"
PLAIN = {"age": ["39", "50"], "job": ["State-gov", "Private"]}


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "utf-8-sig"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
    ],
)
@pytest.mark.reading("Encodings", "read")
def test_utf_8_and_utf_16_are_detected(file, columns, content, encoding):
    frame = read_frame(file(content))
    assert columns(frame) == PLAIN
    assert frame.attrs["file"]["encoding"] == encoding


def test_latin_1_is_used_only_if_utf_8_fails(file, columns):
    frame = read_frame(file("städte,b\nKöln,1\n".encode("latin-1")))
    assert columns(frame) == {"städte": ["Köln"], "b": ["1"]}
    assert frame.attrs["file"]["encoding"] == "cp1252"
    assert columns(read_frame(file("a,b\n5 €,“x”\n".encode("cp1252")))) == {"a": ["5 €"], "b": ["“x”"]}


def test_encoding_can_be_set(file, columns):
    frame = read_frame(file("年龄,b\n三十,1\n".encode("gb18030")), encoding="gb18030")
    assert columns(frame) == {"年龄": ["三十"], "b": ["1"]}
    for mark in (b"", b"\xff\xfe"):
        assert columns(read_frame(file(mark + TEXT.encode("utf-16-le")), encoding="utf-16-le")) == PLAIN
    assert columns(read_frame(file(b"\xef\xbb\xbf" + TEXT.encode()), encoding="utf-8")) == PLAIN


def test_zero_bytes(file, assert_refused):
    assert_refused(file(b"a,b\n1,\0\n"), "which contains zero bytes", "encoding=utf-16-le")
    assert_refused(file(TEXT.encode("utf-32")), "which contains zero bytes")
    assert_refused(file(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "must be text or Parquet")


def test_undecodable(file, assert_refused):
    broken = "a,b\n" + "中文的字,2\n" * 20_000
    assert_refused(file(broken.encode("gb18030") + b"\xff\xff"), "not utf-8 or gb18030 in line 20,002", "encoding=")
    assert_refused(file("a,b\n1,2\nKöln,3\n".encode("latin-1")), "not utf-8 in line 3", encoding="utf-8")
    assert_refused(file(TEXT), "an encoding that Python supports", "'klingon'", encoding="klingon")
