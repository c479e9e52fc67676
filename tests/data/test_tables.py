import logging

import numpy as np
import pandas as pd
import pytest

from tfkit.data.files import write_frame
from tfkit.data.learning import learn_table
from tfkit.data.preparation import prepare_table
from tfkit.data.tables import check_columns, load_table, read_table, table_rows
from tfkit.data.targets import learn_target
from tfkit.datasets.batch_predict import predict
from tfkit.errors import UserError


def table(rows=100):
    rng = np.random.default_rng(0)
    words = {
        "c": rng.choice(["x", "y"], rows),
        "flag": rng.choice(["yes", "no"], rows),
        "y": rng.choice(["u", "v"], rows),
    }
    dates = pd.date_range("2024-01-01", periods=rows).strftime("%d.%m.%Y")
    return pd.DataFrame({"n": rng.normal(size=rows).round(3), "d": dates} | words)


@pytest.fixture
def info():
    frame = table()
    return learn_table(frame, learn_target(frame["y"]), kinds={})


# Loading


def test_a_table_is_read_cleaned_and_plain(tmp_path):
    frame = table()
    frame.loc[[3], "y"] = None
    frame.loc[5] = frame.loc[4]
    write_frame(frame, tmp_path / "t.csv")
    found, test, said = load_table(tmp_path / "t.csv", "y")
    assert test is None
    assert found.index.tolist() == [0, 1, 2, 4, *range(6, 100)]
    assert said == ["1 of 100 rows left out: no y", "1 of 100 rows left out: the same as another row"]
    assert load_table(frame.assign(n=frame["n"] > 0), "y")[0]["n"].dtype == "str"


def test_words_of_the_target_that_count_as_missing_are_said():
    frame = table()
    frame["y"] = ["None", "u", "v", "w"] * 25
    found, _, said = load_table(frame, "y")
    assert len(found) == 75
    assert said == [
        "25 of 100 rows left out: no y; 25 say 'None': were that a class, name what means missing with missing="
    ]
    assert len(load_table(frame, "y", missing=[])[0]) == 100


def test_rows_without_the_truth_are_not_scored(info, caplog):
    raw, truth = read_table(table().assign(y=["u", None] * 50), info, target=True)
    assert (len(truth), len(raw["n"])) == (50, 50)
    assert caplog.messages == ["50 of 100 rows left out: no y"]
    np.testing.assert_array_equal(raw["n"][:, 0], table()["n"][::2].astype("float32"))


def test_a_test_table_is_read_in_the_columns_of_the_table():
    frame = table()
    own = frame.head(7).assign(extra=1)[["y", "extra", "d", "c", "n", "flag"]]
    own.loc[0, "y"] = None
    found, test, said = load_table(frame, "y", test_table=pd.concat([own, own]))
    assert list(test) == list(frame)
    assert (len(found), len(test)) == (94, 12), "copies in a test of the user's own stay"
    assert said == [
        "6 of 100 rows left out: they stand in the test table too",
        "2 of 14 rows of the test table left out: no y",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "Y"}, r"The table must have the column 'Y'. Did you mean 'y'\? Received: 'n', 'd', 'c'"),
        ({"test_table": table()[["d", "flag", "y"]]}, "The test table must have the columns 'n', 'c'. Received: 'd'"),
        ({"table": table()[["y"]]}, "a column to learn from beside the target. Received: 'y' alone"),
        ({"table": {"n;y": ["1;u"]}}, "'y'. If it has more than one column, give delimiter=. Received: 'n;y'"),
        ({"table": {"n": [[1], [2]], "y": ["u", "v"]}}, "Received: several values in a cell of 'n'"),
    ],
)
def test_what_cannot_be_loaded_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        load_table(**{"table": table(), "target": "y"} | options)


def test_columns_that_are_there_are_fine():
    check_columns(table(), ["n", "y", "n"])


# Reading


def test_rows_are_read_as_the_model_takes_them(info):
    raw, truth = read_table(table(), info, target=True)
    assert {name: (values.dtype.kind, values.shape) for name, values in raw.items()} == {
        name: ("f" if rule["dtype"] == "float32" else "O", (100, 1)) for name, rule in info["inputs"].items()
    }
    assert truth.tolist() == (table()["y"] == "v").astype(int).tolist()


def test_new_cells_are_said_and_extra_columns_left_alone(info, caplog):
    frame = table().drop(columns="y").assign(extra=1, c=["new", *["x"] * 99], n=["abc", np.inf, *["1"] * 98])
    with caplog.at_level(logging.INFO, "tfkit"):
        raw = read_table(frame, info)
    assert [record.getMessage() for record in caplog.records] == [
        "Columns that were not there in training are not used: 'extra'",
        "n: 2 of 100 cells are not finite numbers and count as missing, such as 'abc'",
        "c: 1 cells hold words that training did not, or once only: 'new'",
    ]
    assert np.isnan(raw["n"][:2]).all()
    assert raw["c"][0, 0] == "new"


def test_nothing_is_said_of_rows_like_those_of_training(info, caplog):
    with caplog.at_level(logging.INFO, "tfkit"):
        read_table(table(), info)
        read_table(table().assign(n=None, c=None, d=None), info)
        read_table(table().assign(flag=["TRUE", "0"] * 50), info)
    assert not caplog.records


def test_many_columns_are_not_reported_one_by_one(caplog):
    frame = pd.DataFrame({f"c{number}": ["a", "b"] * 10 for number in range(30)} | {"y": ["u", "v", "v", "u"] * 5})
    info = learn_table(frame, learn_target(frame["y"]), kinds={})
    with caplog.at_level(logging.INFO, "tfkit"):
        read_table(frame.replace("a", "z"), info)
    assert len(caplog.records) == 11
    assert caplog.records[-1].getMessage() == "... and 20 more columns with cells that training did not have"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"n": "abc"},
            "The column 'n' must hold what it held in training, finite numbers. "
            "Received: 100 cells that are not, such as 'abc'",
        ),
        ({"d": "2024-13-13"}, "The column 'd' must hold what it held in training, dates.*such as '2024-13-13'"),
        ({"flag": "maybe"}, "The column 'flag' must hold what it held in training, yes or no.*such as 'maybe'"),
        ({"y": "w"}, "Every class must be one of those that were learnt, 'u', 'v'. Received in 'y': 'w'"),
        ({"y": None}, "There must be rows with a target to score. Received: 'y', missing in all 100"),
    ],
)
def test_a_column_that_is_not_what_it_was_is_refused(info, changes, message):
    with pytest.raises(UserError, match=message):
        read_table(table().assign(**changes), info, target=True)


def test_a_table_without_a_needed_column_or_rows_is_refused(info):
    with pytest.raises(
        UserError, match=r"must have the column 'n'. Did you mean 'N'\? Received: 'N', 'd', 'c', 'flag', 'y'"
    ):
        read_table(table().rename(columns={"n": "N"}), info)
    with pytest.raises(UserError, match="must have the column 'y'"):
        read_table(table().drop(columns="y"), info, target=True)
    with pytest.raises(UserError, match="A table needs columns and rows"):
        read_table(table().head(0), info)


def test_infinite_numbers_are_numbers(info):
    assert np.isnan(read_table(table().assign(n=np.inf), info)["n"]).all()


def test_markers_of_missing_cells_are_those_of_training():
    frame = table().assign(c=["NA", "x"] * 50)
    frame.loc[:9, "n"] = -99
    found, _, _ = load_table(frame, "y", missing=["-99"])
    info = learn_table(found, learn_target(found["y"]), kinds={}, reading={"missing": ["-99"]})
    assert info["inputs"]["c"]["vocabulary"] == ["NA", "x"]
    for n in (frame["n"], frame["n"].astype("str").replace("-99.0", "-99")):
        raw = read_table(frame.assign(n=n), info)
        assert np.isnan(raw["n"]).sum() == 10
        assert raw["c"][0, 0] == "NA"


def test_splits_are_prepared_rows_with_the_raw_ones_beside(info, caplog):
    prepare = prepare_table(info)
    rows = table_rows(table().head(10), info, prepare)
    x, y, weight = rows.arrays
    assert (len(rows), y.dtype, weight) == (10, "int32", None)
    np.testing.assert_equal(x, predict(prepare, rows.raw_arrays))
    table_rows(table().head(10).assign(n=["abc", *range(9)]), info, prepare)
    assert not caplog.records, "single cells are said where the column is learnt"
    table_rows(table().head(10).assign(n="abc"), info, prepare)
    assert caplog.messages == [
        "n: none of the 10 cells of a split is what the training cells are; all count as missing"
    ]


def test_a_number_target_is_standardised():
    frame = table()
    info = learn_table(frame, learn_target(frame["n"]), kinds={})
    y = table_rows(frame, info, prepare_table(info)).arrays[1]
    assert y.dtype == "float32"
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-6)
