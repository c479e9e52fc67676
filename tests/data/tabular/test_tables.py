"""Tests of loading, datasets and the reader of tables."""

import logging

import numpy as np
import pandas as pd
import pytest

from tfkit.data import tabular
from tfkit.data.columns.names import require_columns
from tfkit.data.files.write import write_frame
from tfkit.data.tabular import infer_target
from tfkit.datasets.batch_predict import predict
from tfkit.errors import UserError
from tfkit.metadata import Metadata


def table(rows=100):
    rng = np.random.default_rng(0)
    text_columns = {
        "c": rng.choice(["x", "y"], rows),
        "flag": rng.choice(["yes", "no"], rows),
        "y": rng.choice(["u", "v"], rows),
    }
    dates = pd.date_range("2024-01-01", periods=rows).strftime("%d.%m.%Y")
    return pd.DataFrame({"n": rng.normal(size=rows).round(3), "d": dates} | text_columns)


@pytest.fixture
def metadata():
    frame = table()
    return tabular.fit_schema(frame, infer_target(frame["y"]))


# Loading


def test_load_cleans_rows_and_normalizes_dtypes(tmp_path):
    frame = table()
    frame.loc[[3], "y"] = None
    frame.loc[5] = frame.loc[4]
    write_frame(frame, tmp_path / "t.csv")
    rows, test, messages = tabular.load(tmp_path / "t.csv", "y")
    assert test is None
    assert rows.index.tolist() == [0, 1, 2, 4, *range(6, 100)]
    assert messages == ["1 of 100 rows dropped: y is missing", "1 of 100 rows dropped: equal to another row"]
    assert tabular.load(frame.assign(n=frame["n"] > 0), "y")[0]["n"].dtype == "str"


def test_load_reports_target_texts_read_as_missing():
    frame = table()
    frame["y"] = ["None", "u", "v", "w"] * 25
    rows, _, messages = tabular.load(frame, "y")
    assert len(rows) == 75
    assert messages == [
        "25 of 100 rows dropped: y is missing; 25 contain 'None': if that is a class, "
        "set the markers of missing cells with na_values="
    ]
    assert len(tabular.load(frame, "y", na_values=[])[0]) == 100


def test_read_drops_rows_without_target(metadata, caplog):
    raw, y_true = tabular.read(table().assign(y=["u", None] * 50), metadata, with_targets=True)
    assert (len(y_true), len(raw["n"])) == (50, 50)
    assert caplog.messages == ["50 of 100 rows dropped: y is missing"]
    np.testing.assert_array_equal(raw["n"][:, 0], table()["n"][::2].astype("float32"))


def test_test_table_is_read_with_the_columns_of_the_table():
    frame = table()
    test_frame = frame.head(7).assign(extra=1)[["y", "extra", "d", "c", "n", "flag"]]
    test_frame.loc[0, "y"] = None
    rows, test, messages = tabular.load(frame, "y", test_data=pd.concat([test_frame, test_frame]))
    assert list(test) == list(frame)
    assert (len(rows), len(test)) == (94, 12), "duplicates in a test table are kept"
    assert messages == [
        "6 of 100 rows dropped: also in the test table",
        "2 of 14 rows of the test table dropped: y is missing",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "Y"}, r"The table must have the column 'Y'. Did you mean 'y'\? Received: 'n', 'd', 'c'"),
        ({"test_data": table()[["d", "flag", "y"]]}, "The test table must have the columns 'n', 'c'. Received: 'd'"),
        ({"data": table()[["y"]]}, "at least one feature column besides the target. Received: 'y' alone"),
        ({"data": {"n;y": ["1;u"]}}, "must have the column 'y'. Received: 'n;y'"),
        ({"data": {"n": [[1], [2]], "y": ["u", "v"]}}, "Received: several values in a cell of 'n'"),
    ],
)
def test_load_rejects_invalid_tables(options, message):
    with pytest.raises(UserError, match=message):
        tabular.load(**{"data": table(), "target": "y"} | options)


def test_a_text_file_of_one_column_may_have_another_delimiter(file):
    path = file("n:y\n1:u\n2:v\n")
    with pytest.raises(UserError, match=r"'y'. If it has more than one column, give delimiter=. Received: 'n:y'"):
        tabular.load(path, "y")


def test_require_columns_accepts_existing_columns():
    require_columns(table(), ["n", "y", "n"])


# Reading


def test_read_returns_model_inputs_and_targets(metadata):
    raw, y_true = tabular.read(table(), metadata, with_targets=True)
    assert {name: (values.dtype.kind, values.shape) for name, values in raw.items()} == {
        name: ("f" if rule["dtype"] == "float32" else "O", (100, 1)) for name, rule in metadata.inputs.items()
    }
    assert y_true.tolist() == (table()["y"] == "v").astype(int).tolist()


def test_unseen_cells_are_reported_and_extra_columns_ignored(metadata, caplog):
    frame = table().drop(columns="y").assign(extra=1, c=["new", *["x"] * 99], n=["abc", np.inf, *["1"] * 98])
    with caplog.at_level(logging.INFO, "tfkit"):
        raw = tabular.read(frame, metadata)
    assert [record.getMessage() for record in caplog.records] == [
        "Columns not seen in training are ignored: 'extra'",
        "n: 2 of 100 cells are not finite numbers and count as missing, such as 'abc'",
        "c: 1 cells have categories that were not seen in training, or only once: 'new'",
    ]
    assert np.isnan(raw["n"][:2]).all()
    assert raw["c"][0, 0] == "new"


def test_rows_like_the_training_rows_cause_no_messages(metadata, caplog):
    with caplog.at_level(logging.INFO, "tfkit"):
        tabular.read(table(), metadata)
        tabular.read(table().assign(n=None, c=None, d=None), metadata)
        tabular.read(table().assign(flag=["TRUE", "0"] * 50), metadata)
    assert not caplog.records


def test_number_of_reported_columns_is_limited(caplog):
    frame = pd.DataFrame({f"c{number}": ["a", "b"] * 10 for number in range(30)} | {"y": ["u", "v", "v", "u"] * 5})
    metadata = tabular.fit_schema(frame, infer_target(frame["y"]))
    with caplog.at_level(logging.INFO, "tfkit"):
        tabular.read(frame.replace("a", "z"), metadata)
    assert len(caplog.records) == 11
    assert caplog.records[-1].getMessage() == "... and 20 more columns with unseen or unreadable cells"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"n": "abc"},
            "The column 'n' must contain finite numbers, as in training. "
            "Received: 100 cells that are not, such as 'abc'",
        ),
        ({"d": "2024-13-13"}, "The column 'd' must contain dates, as in training.*such as '2024-13-13'"),
        ({"flag": "maybe"}, "The column 'flag' must contain yes or no, as in training.*such as 'maybe'"),
        ({"y": "w"}, "Every class must be one of the training classes, 'u', 'v'. Received in 'y': 'w'"),
        ({"y": None}, "Scoring needs rows with a target. Received: 'y', missing in all 100"),
    ],
)
def test_read_rejects_columns_of_another_type(metadata, changes, message):
    with pytest.raises(UserError, match=message):
        tabular.read(table().assign(**changes), metadata, with_targets=True)


def test_read_rejects_tables_without_required_columns_or_rows(metadata):
    with pytest.raises(
        UserError, match=r"must have the column 'n'. Did you mean 'N'\? Received: 'N', 'd', 'c', 'flag', 'y'"
    ):
        tabular.read(table().rename(columns={"n": "N"}), metadata)
    with pytest.raises(UserError, match="must have the column 'y'"):
        tabular.read(table().drop(columns="y"), metadata, with_targets=True)
    with pytest.raises(UserError, match="A table needs columns and rows"):
        tabular.read(table().head(0), metadata)


def test_metadata_of_another_kind_is_rejected(tmp_path):
    with pytest.raises(UserError, match=r"must be of kind 'tabular'; train again .* Received: kind 'custom'"):
        tabular.read(table(), Metadata())
    with pytest.raises(UserError, match="must be of kind 'tabular'"):
        tabular.stream(tmp_path / "t.csv", Metadata())


def test_infinite_numbers_count_as_missing(metadata):
    assert np.isnan(tabular.read(table().assign(n=np.inf), metadata)["n"]).all()


def test_missing_markers_of_training_apply_to_new_rows():
    frame = table().assign(c=["NA", "x"] * 50)
    frame.loc[:9, "n"] = -99
    rows, _, _ = tabular.load(frame, "y", na_values=["-99"])
    metadata = tabular.fit_schema(rows, infer_target(rows["y"]), read_options={"na_values": ["-99"]})
    assert metadata.inputs["c"]["vocabulary"] == ["NA", "x"]
    for n in (frame["n"], frame["n"].astype("str").replace("-99.0", "-99")):
        raw = tabular.read(frame.assign(n=n), metadata)
        assert np.isnan(raw["n"]).sum() == 10
        assert raw["c"][0, 0] == "NA"


def test_dataset_has_preprocessed_rows_and_raw_inputs(metadata, caplog):
    preprocessor = tabular.make_preprocessor(metadata)
    rows = tabular.make_dataset(table().head(10), metadata, preprocessor)
    x, y, weight = rows.arrays
    assert (len(rows), y.dtype, weight) == (10, "int32", None)
    np.testing.assert_equal(x, predict(preprocessor, rows.raw_arrays))
    tabular.make_dataset(table().head(10).assign(n=["abc", *range(9)]), metadata, preprocessor)
    assert not caplog.records, "single cells are reported when the column schema is fitted"
    tabular.make_dataset(table().head(10).assign(n="abc"), metadata, preprocessor)
    assert caplog.messages == [
        "n: none of the 10 cells of a split matches the column type of the training data; all count as missing"
    ]


def test_numeric_target_is_standardized():
    frame = table()
    metadata = tabular.fit_schema(frame, infer_target(frame["n"]))
    y = tabular.make_dataset(frame, metadata, tabular.make_preprocessor(metadata)).arrays[1]
    assert y.dtype == "float32"
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-6)
