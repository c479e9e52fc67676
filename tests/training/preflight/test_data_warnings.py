"""Tests of the data warnings before training."""

from types import SimpleNamespace

import numpy as np
import pytest

import tfkit
from tfkit.metadata import Metadata, Target
from tfkit.training.preflight.data_warnings import find_data_warnings

RANDOM = np.random.default_rng(0)


def make_data(columns, y, classes=None, boundaries=(0.6, 0.8)):
    """Split the columns in order, and add the metadata of a recipe."""
    split_indices = np.split(np.arange(len(y)), [int(fraction * len(y)) for fraction in boundaries])
    splits = [
        tfkit.ArrayDataset(
            np.zeros((len(indices), 1)),
            y[indices],
            raw={name: values[indices].reshape(-1, 1) for name, values in columns.items()},
        )
        for indices in split_indices
    ]
    target = Target(name="y", task="classification" if classes else "regression", classes=classes)
    target.counts = dict.fromkeys(classes, 1) if classes else None
    metadata = Metadata(inputs={name: {"column": name} for name in columns}, target=target)
    return SimpleNamespace(**dict(zip(("train", "val", "test"), splits, strict=True)), metadata=metadata)


@pytest.fixture
def columns():
    return {"noise": RANDOM.normal(size=1000), "word": RANDOM.choice(["a", "b", ""], 1000).astype(object)}


def test_column_that_predicts_the_class_is_reported(columns):
    y = RANDOM.integers(0, 2, 1000)
    assert find_data_warnings(make_data(columns, y, ["no", "yes"])) == []
    columns["after"] = np.where(y == 1, RANDOM.integers(40, 60, 1000), np.nan)  # every value is in both halves
    columns["code"] = np.array(["N", "Y"], object)[y]
    messages = find_data_warnings(make_data(columns, y, ["no", "yes"]))
    assert messages == [
        f"{name} alone predicts 100.0% of y; if it is not known at prediction time, set exclude_columns={name}"
        for name in ("after", "code")
    ]


def test_column_that_predicts_the_number_is_reported(columns):
    y = RANDOM.uniform(-2, 2, 1000).astype("float32")  # no outliers: those are not predicted from their neighbors
    columns["half"] = y + RANDOM.normal(size=1000)
    assert find_data_warnings(make_data(columns, y)) == []
    columns["rounded"] = np.round(y, 1)
    [message] = find_data_warnings(make_data(columns, y))
    assert message.startswith("rounded alone predicts 99.")


def test_identifier_and_rare_class_are_no_leakage(columns):
    columns["id"] = np.array([f"row {i}" for i in range(1000)], object)
    assert find_data_warnings(make_data(columns, RANDOM.integers(0, 2, 1000), ["no", "yes"])) == []
    rare = (np.arange(1000) % 100 == 0).astype(int)
    assert find_data_warnings(make_data(columns, rare, ["no", "yes"])) == []


def test_test_rows_unlike_the_training_rows_are_reported(columns):
    columns["year"] = np.arange(1000.0)  # the splits are in this order
    columns["day"] = np.arange(1000.0)
    data = make_data(columns, RANDOM.integers(0, 2, 1000), ["no", "yes"])
    data.metadata.columns = {"day": {"kind": "date"}}  # a later day is no drift
    [message] = find_data_warnings(data)
    assert message.startswith(
        "the test rows differ from the training rows (population stability index above 0.25): year "
    )
    assert "day" not in message.replace("days", "")


def test_rows_in_two_splits_are_counted(columns):
    y = RANDOM.integers(0, 2, 1000)
    for name in columns:
        columns[name][900:910] = columns[name][:10]
    y[900:910] = y[:10]
    [message] = find_data_warnings(make_data(columns, y, ["no", "yes"]))
    assert message == "10 of 200 rows of the test split are training rows too, so their scores are too good"
    y[900:905] = 1 - y[:5]  # rows with a different target are not duplicates
    assert find_data_warnings(make_data(columns, y, ["no", "yes"]))[0].startswith("5 of 200 rows of the test split")


def test_missing_classes_and_identifier_labels_are_reported(columns):
    y = np.where(np.arange(1000) < 600, np.arange(1000) % 3, np.arange(1000) % 2)
    assert find_data_warnings(make_data(columns, y, ["a", "b", "c"])) == [
        "the validation split has no row of c",
        "the test split has no row of c",
    ]
    messages = find_data_warnings(make_data(columns, np.arange(1000), [f"n{i}" for i in range(1000)]))
    assert messages[0] == "the training split has no row of n600, n601, n602, n603, n604 and 395 more"
    assert messages[-1].startswith("100% of the 1,000 classes of y occur at most once in the training rows")


def test_missing_tags_are_reported(columns):
    y = np.ones((1000, 2), "float32")
    y[700:, 1] = 0
    data = make_data(columns, y, ["a", "b"])
    assert find_data_warnings(data) == ["the test split has no row of b"]


def test_splits_without_raw_rows_are_not_checked():
    rows = tfkit.ArrayDataset(np.zeros((5, 1)), np.zeros(5))
    assert find_data_warnings(SimpleNamespace(train=rows, val=rows, test=rows, metadata=Metadata())) == []


def test_rows_with_several_targets_are_compared(columns):
    y = {"first": RANDOM.normal(size=1000), "second": RANDOM.normal(size=1000)}
    data = make_data(columns, y["first"])
    for split, rows in ((data.train, slice(0, 600)), (data.val, slice(600, 800)), (data.test, slice(800, 1000))):
        split.arrays = (split.arrays[0], {name: values[rows] for name, values in y.items()}, None)
    assert find_data_warnings(data) == []
