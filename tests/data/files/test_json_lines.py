"""Tests of JSON lines: types, long integers, and error messages with line numbers."""

import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from tfkit.data.files.formats import json_lines
from tfkit.data.files.read import read_frame


def test_json_lines(file, columns):
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


def test_invalid_json_lines(file, assert_refused):
    assert_refused(file('{"a": 1}\n\n{"a": \n', "a.jsonl"), "line 3 is not")
    assert_refused(file('{"a": 1}\n[1, 2]\n', "a.jsonl"), "line 2 is a list")
    assert_refused(file('{"a": 1}\n{"a": [[1]]}\n', "a.jsonl"), "a list under 'a' in line 2")
    assert_refused(file('{"a": {"b": 1}}\n', "a.jsonl"), "a dict under 'a' in line 1")
    assert_refused(file('{"a": 1, " a": 2}\n', "a.jsonl"), "must differ")
    assert_refused(file("{}\n", "a.jsonl"), "needs columns and rows")
    assert_refused(file('{"a": "\\ud800"}\n', "a.jsonl"), "half of a character")
    assert_refused(file('{"a": ' + "[" * 100_000, "a.jsonl"), "line 1 is not")


def test_long_integers_and_mixed_types_keep_every_digit(file, columns):
    content = '{"a": 18446744073709551615, "b": "2020-01-02", "c": "{x}"}\n{"a": 1, "b": 3, "c": "1"}\n'
    assert columns(read_frame(file(content, "a.jsonl"))) == {
        "a": [18446744073709551615, 1],
        "b": ["2020-01-02", 3],
        "c": ["{x}", "1"],
    }


@pytest.mark.parametrize("content", ["null\n", '{"a": 1} null\n', '{"a": 1} {"a": 2}\n', '{"a":\n1}\n'])
@pytest.mark.reading("Formats of files", "refused")
def test_line_must_be_one_object(file, assert_refused, content):
    assert_refused(file(content, "a.jsonl"), "Each line must be one JSON object", "line 1 is")


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ('{"a": 1}\r\n{"a": 2}\r\n', [1, 2]),
        ('{"a": 1}\n\n{"a": 2}\n', [1, 2]),
        ('{"a": 1, "a": 2}\n', [2]),
        ('{"a": 1}\n{"a": "x"}\n', [1, "x"]),
        ('{"a": 18446744073709551615}\n', [18446744073709551615]),
        ('{"a": "{}"}\n', ["{}"]),
        ('{"a": null, "b": 12345}\n' * 10_000 + '{"a": "2020-01-02"}\n', [None] * 10_000 + ["2020-01-02"]),
    ],
)
@pytest.mark.reading("Formats of files", "read")
def test_cells_keep_their_types(file, columns, content, cells):
    assert columns(read_frame(file(content, "a.jsonl")))["a"] == cells


VALID = [
    b'{"a": 1, "b": "2020-01-02", "c": 0.5}\n{"b": "x", "a": 2.5, "d": "?"}\n{"a": null}\n',
    b'{"a":1,"b":"2020-01-02"}\n{"a":9223372036854775807,"b":"2020-01-02 03:04:05"}',
    b'{"a": 1152921504606846977, "b": true}\n\r\n{"a": null, "b": false}\r\n{"b": true}\n',
    '{"日": "\\u00e9 \u2028", "\\t": "[1]"}\n{"日": "\\ud83d\\ude00"}\n'.encode(),
    b'{"a": NaN}\n{"a": 1e300}\n{}\n{"a": 3}\n',
    b"".join(b'{"a": %d, "b": "text %d"}\n' % (row, row % 7) for row in range(500)),
]


@pytest.mark.parametrize("chunk_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize("text", VALID)
def test_chunks_equal_the_complete_text(monkeypatch, text, chunk_bytes):
    monkeypatch.setattr(json_lines, "_CHUNK_BYTES", chunk_bytes)
    path = Path("a.jsonl")
    dtypes = json_lines.infer_dtypes(lambda: io.BytesIO(text), path)
    chunks = list(json_lines.read_chunks(lambda: io.BytesIO(text), dtypes, path))
    for chunk in chunks:
        assert chunk.dtypes.astype(str).to_dict() == dtypes
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), json_lines.read(text, path))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "b": true}\n{"a": 2}\n',
        b'{"a": true}\n{"a": null}\n',
        b'{"a": null}\n',
        b'{"a": 1}\n{"a": "x"}\n',
        b'{"a": 1}\n{"a": false}\n',
        b'{"a": 18446744073709551615}\n',
        b'{"a": [1]}\n',
        b'{"a": "\\ud800"}\n',
        b'{"a": 1} null\n',
        b"{}\n",
    ],
)
def test_no_dtypes_if_a_column_needs_the_complete_text(text):
    assert json_lines.infer_dtypes(lambda: io.BytesIO(text), Path("a.jsonl")) is None
