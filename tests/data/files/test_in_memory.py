"""Tables in memory: rows, columns, and the Arrow PyCapsule interface."""

import datetime
import decimal
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tfkit.data.files.in_memory import to_frame
from tfkit.data.files.read import read_frame
from tfkit.errors import UserError


class Capsule:
    """A table of a library that has only the Arrow PyCapsule interface."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def cells(source):
    """Rows of a source as strings, "" if missing."""
    frame = read_frame(source)
    return [["" if pd.isna(cell) else str(cell) for cell in row] for row in frame.itertuples(index=False)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"a": 1, "b": "x"}, [["1", "x"]]),
        ({"a": None, "b": datetime.date(2024, 1, 2)}, [["", "2024-01-02"]]),
        (MappingProxyType({"a": np.float64(1.5), "b": b"x"}), [["1.5", "b'x'"]]),
        ([{"a": 1, "b": "x"}, {"b": "y"}], [["1.0", "x"], ["", "y"]]),
        (({"a": 1}, {"b": 2}), [["1.0", ""], ["", "2.0"]]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).iloc[1], [["2", "y"]]),
        ([pd.Series({"a": 1}), pd.Series({"a": 2})], [["1"], ["2"]]),
        ({"a": {"0": 1, "1": 2}}, [["1"], ["2"]]),
        (np.array([(1, 2.5)], [("a", "i4"), ("b", "f4")]), [["1", "2.5"]]),
        (pa.table({"a": [1, None], "b": ["x", "y"]}), [["1.0", "x"], ["", "y"]]),
        (pa.record_batch({"a": [1, 2]}), [["1"], ["2"]]),
        (Capsule(pa.table({"a": ["0001", None]})), [["0001"], [""]]),
        (Capsule(pa.table({"a": pa.array(["x", "y"], pa.string_view())})), [["x"], ["y"]]),
        (Capsule(pa.table({"a": pa.array(["x", "x"]).dictionary_encode()})), [["x"], ["x"]]),
        (Capsule(pa.table({"a": [decimal.Decimal("1.50")]})), [["1.50"]]),
    ],
)
@pytest.mark.reading("Formats of files", "read")
def test_sources(source, expected):
    assert cells(source) == expected


def test_polars_frame():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, None], "b": ["x", "y"], "day": [datetime.date(2024, 1, 2)] * 2})
    assert cells(frame) == [["1.0", "x", "2024-01-02"], ["", "y", "2024-01-02"]]
    assert cells(frame[:1]) == [["1", "x", "2024-01-02"]]
    with pytest.raises(UserError, match=r"Received: LazyFrame; call .collect\(\) first"):
        read_frame(frame.lazy())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "Received: int"),
        (None, "Received: NoneType"),
        (np.ones((2, 3)), "Received: ndarray; give each column a name"),
        ([1, 2], "must contain a dictionary for each row, column -> value. Received: int at position 0"),
        ([{"a": 1}, "x"], "Received: str at position 1"),
        ([{"a": 1}, {"a": [[1, 2]]}], "flatten nested values first. Received: a list under 'a' at position 1"),
        ({"a": [1, 2], "b": [1]}, "all of one length; a dictionary of single values is one row. Received"),
        (Capsule(pa.chunked_array([[1, 2]])), "An Arrow source must be a table of named columns. Received: Capsule"),
        ([], "A table needs columns and rows"),
        ({}, "A table needs columns and rows"),
    ],
)
@pytest.mark.reading("Formats of files", "refused")
def test_other_sources_are_refused(source, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        read_frame(source)


def test_frame_is_returned_unchanged():
    frame = pd.DataFrame({"a": [1]})
    assert to_frame(frame) is frame
