import numpy as np
import pandas as pd
import pytest

from tfkit.data.rows.duplicates import (
    comparable_columns,
    drop_test_overlap,
    drop_unusable_rows,
    duplicated_rows,
    row_hashes,
)
from tfkit.errors import UserError

FRAME = pd.DataFrame({"a": [1, 1, 2, 3, 3], "y": ["u", "u", None, "v", "w"]})


def test_clean_drops_rows_without_target_and_duplicates():
    frame, messages = drop_unusable_rows(FRAME, "y")
    assert frame.index.tolist() == [0, 3, 4], "rows keep their index, for messages"
    assert messages == ["1 of 5 rows dropped: y is missing", "1 of 5 rows dropped: equal to another row"]


def test_clean_can_keep_duplicates_and_name_the_table():
    frame, messages = drop_unusable_rows(FRAME, "y", duplicates="keep", table_name="test table")
    assert frame.index.tolist() == [0, 1, 3, 4]
    assert messages == ["1 of 5 rows of the test table dropped: y is missing"]


def test_missing_cells_are_equal():
    frame = pd.DataFrame({"a": [np.nan, np.nan], "b": [None, None], "y": [1, 1]})
    assert len(drop_unusable_rows(frame, "y")[0]) == 1


def test_clean_table_gives_no_messages():
    frame, messages = drop_unusable_rows(FRAME.iloc[3:], "y")
    assert (len(frame), messages) == (2, [])


def test_target_without_values_is_rejected():
    with pytest.raises(UserError, match=r"must be present in at least one row\. Received: 'y', missing in all 5 rows"):
        drop_unusable_rows(FRAME.assign(y=None), "y")


def test_rows_of_the_test_table_are_dropped():
    frame, messages = drop_test_overlap(FRAME, FRAME.iloc[[3]])
    assert frame.index.tolist() == [0, 1, 2, 4]
    assert messages == ["1 of 5 rows dropped: also in the test table"]
    assert drop_test_overlap(FRAME, FRAME.iloc[[3]].assign(a=7))[1] == []


def test_rows_of_different_file_formats_are_comparable():
    numeric = pd.DataFrame({"a": [1.0, 2.5], "y": ["u", "v"]})
    strings = pd.DataFrame({"a": ["1", "3"], "y": ["u", "v"]}).astype("str")
    assert drop_test_overlap(numeric, strings)[0].index.tolist() == [1]
    assert drop_test_overlap(strings, numeric)[0].index.tolist() == [1]


def test_test_table_equal_to_the_table_is_rejected():
    with pytest.raises(UserError, match=r"rows that are not in the test table\. Received: 5 rows, all in both"):
        drop_test_overlap(FRAME, FRAME)


def test_equal_rows_have_equal_row_hashes():
    hashes = row_hashes(FRAME)
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


def test_compared_excludes_identifiers():
    frame = pd.DataFrame(
        {
            "id": [f"A-{n:04}" for n in range(60)],
            "row": range(60),
            "a": [1.5, 2.5, 3.5] * 20,
            "height": np.random.default_rng(0).normal(size=60),
            "note": "x",
        }
    )
    assert list(comparable_columns(frame, ["note"])) == ["a", "height"]
    assert list(comparable_columns(frame[["id"]])) == ["id"]  # at least one column remains


def test_very_many_equal_rows_are_not_duplicates():
    """A questionnaire with three distinct rows keeps all its rows.

    To drop equal rows would remove the frequencies to be learned.
    """
    frame = pd.DataFrame({"a": [0, 1, 2] * 100, "y": ["u", "v", "v"] * 100})
    rows, messages = drop_unusable_rows(frame, "y")
    assert len(rows) == 300
    assert messages == ["297 of 300 rows are equal to another row: too many to be duplicates, so all rows are kept"]
    assert not duplicated_rows(frame).any()
    rows, messages = drop_test_overlap(frame, frame.head(10))
    assert len(rows) == 300
    assert "too many to be duplicates" in messages[0]
