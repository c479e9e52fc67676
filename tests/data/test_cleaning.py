import numpy as np
import pandas as pd
import pytest

from tfkit.data.cleaning import clean, compared, copies, row_hashes, without
from tfkit.errors import UserError

FRAME = pd.DataFrame({"a": [1, 1, 2, 3, 3], "y": ["u", "u", None, "v", "w"]})


def test_rows_without_a_target_and_copies_are_left_out():
    frame, said = clean(FRAME, "y")
    assert frame.index.tolist() == [0, 3, 4], "rows keep their numbers, to be named in messages"
    assert said == ["1 of 5 rows left out: no y", "1 of 5 rows left out: the same as another row"]


def test_copies_may_be_kept_and_the_table_may_be_named():
    frame, said = clean(FRAME, "y", duplicates="keep", what="test table")
    assert frame.index.tolist() == [0, 1, 3, 4]
    assert said == ["1 of 5 rows of the test table left out: no y"]


def test_missing_cells_are_equal():
    frame = pd.DataFrame({"a": [np.nan, np.nan], "b": [None, None], "y": [1, 1]})
    assert len(clean(frame, "y")[0]) == 1


def test_nothing_is_said_of_a_clean_table():
    frame, said = clean(FRAME.iloc[3:], "y")
    assert (len(frame), said) == (2, [])


def test_a_target_that_is_missing_everywhere_is_refused():
    with pytest.raises(UserError, match=r"must be there in some rows at least\. Received: 'y', missing in all 5 rows"):
        clean(FRAME.assign(y=None), "y")


def test_rows_of_the_test_table_are_not_learnt():
    frame, said = without(FRAME, FRAME.iloc[[3]])
    assert frame.index.tolist() == [0, 1, 2, 4]
    assert said == ["1 of 5 rows left out: they stand in the test table too"]
    assert without(FRAME, FRAME.iloc[[3]].assign(a=7))[1] == []


def test_rows_are_compared_whatever_kind_of_file_they_come_from():
    numbers = pd.DataFrame({"a": [1.0, 2.5], "y": ["u", "v"]})
    words = pd.DataFrame({"a": ["1", "3"], "y": ["u", "v"]}).astype("str")
    assert without(numbers, words)[0].index.tolist() == [1]
    assert without(words, numbers)[0].index.tolist() == [1]


def test_a_test_table_that_is_the_table_is_refused():
    with pytest.raises(UserError, match=r"rows that are not in the test table\. Received: 5 rows, all in both"):
        without(FRAME, FRAME)


def test_equal_rows_have_equal_row_hashes():
    found = row_hashes(FRAME)
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_rows_are_compared_by_what_they_say_and_not_by_their_number():
    frame = pd.DataFrame(
        {
            "id": [f"A-{n:04}" for n in range(60)],
            "row": range(60),
            "a": [1.5, 2.5, 3.5] * 20,
            "height": np.random.default_rng(0).normal(size=60),
            "note": "x",
        }
    )
    assert list(compared(frame, ["note"])) == ["a", "height"]
    assert list(compared(frame[["id"]])) == ["id"]  # something must be compared


def test_many_equal_rows_are_no_copies():
    """Three answers of a questionnaire, many times over: taking equal rows out would leave nothing to learn from."""
    frame = pd.DataFrame({"a": [0, 1, 2] * 100, "y": ["u", "v", "v"] * 100})
    kept, said = clean(frame, "y")
    assert len(kept) == 300
    assert said == ["297 of 300 rows are the same as another: too many to be copies, so all stay"]
    assert not copies(frame).any()
    kept, said = without(frame, frame.head(10))
    assert len(kept) == 300
    assert "too many to be copies" in said[0]
