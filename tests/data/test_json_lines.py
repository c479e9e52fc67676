"""JSON lines are read the same by Arrow and by Python, and a broken line is named."""

import gzip

import pandas as pd
import pytest

from tfkit.data import json_lines
from tfkit.data.files import read_frame


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


def test_broken_json_lines(file, refused):
    refused(file('{"a": 1}\n\n{"a": \n', "a.jsonl"), "line 3 is not")
    refused(file('{"a": 1}\n[1, 2]\n', "a.jsonl"), "line 2 is a list")
    refused(file('{"a": 1}\n{"a": [1]}\n', "a.jsonl"), "a list under 'a' in line 2")
    refused(file('{"a": {"b": 1}}\n', "a.jsonl"), "a dict under 'a' in line 1")
    refused(file('{"a": 1, " a": 2}\n', "a.jsonl"), "must differ")
    refused(file("{}\n", "a.jsonl"), "needs columns and rows")
    refused(file('{"a": "\\ud800"}\n', "a.jsonl"), "half of a character")
    refused(file('{"a": ' + "[" * 100_000, "a.jsonl"), "line 1 is not")


def by_python(text, path="a.jsonl"):
    return pd.DataFrame([json_lines._record(line, 1, path) for line in text.split(b"\n") if line])


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "b": "2020-01-02", "c": true}\n{"b": "x", "a": 2.5, "d": "?"}\n{"a": null}\n',
        b'{"a":1,"b":"2020-01-02"}\n{"a":9223372036854775807,"b":"2020-01-02 03:04:05"}',
        '{"日": "\\u00e9 \u2028", "\\t": "[1]"}\n{"日": "\\ud83d\\ude00"}\n'.encode(),
        b"".join(b'{"a": %d, "b": "word %d"}\n' % (number, number % 7) for number in range(200_000)),
    ],
)
def test_arrow_reads_what_python_reads(text, columns):
    fast, slow = json_lines._read_fast(text), by_python(text)
    assert fast.dtypes.equals(slow.dtypes)
    assert columns(fast) == columns(slow)


@pytest.mark.parametrize(
    "text",
    [
        b"null\n",
        b'{"a": 1} null\n',
        b'{"a": 1} {"a": 2}\n',
        b'{"a":\n1}\n',
        b'{"a": 1}\r\n{"a": 2}\r\n',
        b'{"a": 1}\n\n{"a": 2}\n',
        b'{"a": 1, "a": 2}\n',
        b'{"a": 1}\n{"a": "x"}\n',
        b'{"a": 18446744073709551615}\n',
        b'{"a": "{}"}\n',
        b'{"a": [1]}\n',
        b'{"a":  [1]}\n',
        b'{"a": null, "b": 12345}\n' * 10_000 + b'{"a": "2020-01-02"}\n',
    ],
)
def test_arrow_is_not_asked_for_what_it_would_read_otherwise(text):
    """The first two crash it."""
    assert json_lines._read_fast(text) is None


def test_large_whole_numbers_and_mixtures_keep_every_digit(file, columns):
    content = '{"a": 18446744073709551615, "b": "2020-01-02", "c": "{x}"}\n{"a": 1, "b": 3, "c": "1"}\n'
    assert columns(read_frame(file(content, "a.jsonl"))) == {
        "a": [18446744073709551615, 1],
        "b": ["2020-01-02", 3],
        "c": ["{x}", "1"],
    }
