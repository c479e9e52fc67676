"""The reader of one row gives what the reader of tables gives."""

import datetime
import logging
from types import MappingProxyType

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from tfkit.data import tabular
from tfkit.data.tabular.row_reader import RowReader, as_single_row
from tfkit.errors import UserError


def make_metadata(**read_options):
    """Metadata of a table with a column of each type."""
    rows = 60
    frame = pd.DataFrame(
        {
            "number": np.arange(rows) * 1.5,
            "grouped": [f"{1000 + i * 37:,}" for i in range(rows)],
            "money": [f"${i * 37 % 91}.50" for i in range(rows)],
            "city": ["Oslo", "Rome", "10"] * 20,
            "code": ["0001", "0020", "0300"] * 20,
            "flag": ["yes", "no"] * 30,
            "bit": [0, 1, 1] * 20,
            "day": [f"2024-01-{1 + i % 28:02}" for i in range(rows)],
            "y": ["a", "b"] * 30,
        }
    )
    target = tabular.infer_target(frame["y"])
    return tabular.fit_schema(frame, target, read_options={"na_values": None, **read_options})


METADATA = make_metadata()

ROW = MappingProxyType(
    {
        "number": 3.5,
        "grouped": "1,234",
        "money": "$7",
        "city": "Oslo",
        "code": "0020",
        "flag": "yes",
        "bit": 1,
        "day": "2024-02-03",
    }
)


def read_as_table(row, metadata=METADATA):
    """Inputs, messages and error of the reader of tables."""
    return observed(lambda: tabular.read(pd.DataFrame([row]), metadata))


def read_as_row(row, metadata=METADATA):
    """Inputs, messages and error of `read` for a dictionary."""
    return observed(lambda: tabular.read(row, metadata))


def observed(function):
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger("tfkit").addHandler(handler)
    try:
        raw = function()
        return {name: (array.dtype, array.shape, repr(array.tolist())) for name, array in raw.items()}, messages
    except UserError as error:
        return str(error), messages
    finally:
        logging.getLogger("tfkit").removeHandler(handler)


cells = st.one_of(
    st.none(),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.text(max_size=4),
    st.sampled_from(["yes", "No", "1,234", "12", "-1.5", "1e3", "$3", "NA", " ? ", "Oslo", " Rome ", "10.0", "0020"]),
    st.sampled_from(
        [np.float32(2.5), np.int64(3), np.nan, pd.NA, pd.Timestamp("2024-05-06"), datetime.date(2024, 5, 6)]
    ),
)


@hypothesis.given(st.fixed_dictionaries({name: st.one_of(st.just(value), cells) for name, value in ROW.items()}))
@hypothesis.settings(max_examples=50, deadline=None)
def test_row_equals_table(row):
    assert read_as_row(row) == read_as_table(row)


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        {**ROW, "id": 7, "comment": "text"},
        {**ROW, "city": "Atlantis", "code": "9"},
        {**ROW, "y": "a"},
        {**ROW, "number": "abc"},
        {**ROW, "number": 2**60},
        {**ROW, "number": float("inf")},
        {name: value for name, value in ROW.items() if name != "city"},
        {f" {name} ": value for name, value in ROW.items()},
    ],
)
def test_messages_and_errors_equal_those_of_a_table(row):
    assert read_as_row(dict(row)) == read_as_table(dict(row))


@pytest.mark.parametrize("na_values", [["-1"], ["3.5"], "Oslo", [], ["yes", "2024-02-03"]])
def test_missing_markers_of_the_run_count(na_values):
    metadata = make_metadata(na_values=na_values)
    row = {**ROW, "bit": 0, "city": "?"}
    assert read_as_row(row, metadata) == read_as_table(row, metadata)


def test_usual_row_is_read_without_a_frame(monkeypatch):
    reader = RowReader(METADATA)
    monkeypatch.setattr(pd, "DataFrame", None)
    names = {"number", "city", "code", "bit"}
    rules = {name: rule for name, rule in METADATA.inputs.items() if rule["column"] in names}
    reader.metadata = METADATA.model_copy(update={"inputs": rules})
    assert reader.read({**ROW, "city": None})["number"].tolist() == [[3.5]]


def test_metadata_does_not_change():
    before = METADATA.to_dict()
    tabular.read(dict(ROW), METADATA)
    assert METADATA.to_dict() == before
    assert tabular.TabularMetadata.from_dict(before) == METADATA


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}),
        ([{"a": None}], {"a": None}),
        ({"a": [1], "b": ("x",)}, {"a": 1, "b": "x"}),
        ({"a": np.float32(2)}, {"a": 2}),
        ({"a": [1, 2]}, None),
        ({"a": [1], "b": 2}, None),
        ([{"a": 1}, {"a": 2}], None),
        ([{"a": [1]}], None),
        ({"a": np.array([1, 2])}, None),
        ("file.csv", None),
        ([], None),
    ],
)
def test_single_row_of_a_source(source, row):
    assert as_single_row(source) == row
