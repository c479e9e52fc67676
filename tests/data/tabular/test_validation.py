"""Tests of the validation of new rows against the schema."""

import pandas as pd
import pytest

from tfkit.data.columns.numbers import number_rule
from tfkit.data.tabular import TabularMetadata, validation
from tfkit.data.tabular.validation import SchemaValidator
from tfkit.errors import UserError
from tfkit.metadata import Target

METADATA = TabularMetadata(
    target=Target(name="y"),
    columns={"size": number_rule(), "town": {"kind": "category"}},
    inputs={
        "size": {"column": "size", "part": "", "dtype": "float32"},
        "town": {"column": "town", "part": "", "dtype": "string", "vocabulary": ["Oslo"]},
    },
)


def frame(sizes, towns, **columns):
    return pd.DataFrame({"size": pd.Series(sizes, dtype="str"), "town": pd.Series(towns, dtype="str"), **columns})


def test_mismatches_of_all_chunks_are_reported_once(caplog):
    validator = SchemaValidator(METADATA)
    raw = validator.convert(frame(["1", "2"], ["Oslo", "Bonn"]))
    assert raw["size"][:, 0].tolist() == [1, 2]
    validator.convert(frame(["3", "much"], ["Bonn", "Aalen"], note="x"))
    assert not caplog.records
    validator.log_mismatches()
    assert [record.getMessage() for record in caplog.records] == [
        "Columns not seen in training are ignored: 'note'",
        "size: 1 of 4 cells are not finite numbers and count as missing, such as 'much'",
        "town: 3 cells have categories that were not seen in training, or only once: 'Aalen', 'Bonn'",
    ]


def test_column_without_valid_cells_is_rejected_only_over_all_chunks():
    validator = SchemaValidator(METADATA)
    validator.convert(frame(["many", "few"], ["Oslo", "Oslo"]))
    with pytest.raises(UserError, match=r"'size' must contain finite numbers, as in training. Received: 2 cells"):
        validator.log_mismatches()
    validator.convert(frame(["1"], ["Oslo"]))
    validator.log_mismatches()


def test_number_of_stored_unseen_categories_is_limited(monkeypatch):
    monkeypatch.setattr(validation, "MAX_UNSEEN_CATEGORIES", 3)
    validator = SchemaValidator(METADATA)
    for start in range(0, 100, 10):
        validator.convert(frame(["1"] * 10, [f"w{start + i}" for i in range(10)]))
    assert validator.unseen_counts["town"] == 100
    assert len(validator.unseen_categories["town"]) == 3
