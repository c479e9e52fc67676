from types import SimpleNamespace

import numpy as np
import pytest

import tfkit
from tfkit.checks.rows import warnings_of

RANDOM = np.random.default_rng(0)


def data(columns, y, classes=None, cut=(0.6, 0.8)):
    """Splits of these columns in their order, and what the page would know of them."""
    places = np.split(np.arange(len(y)), [int(share * len(y)) for share in cut])
    splits = [
        tfkit.Rows(np.zeros((len(p), 1)), y[p], raw={n: v[p].reshape(-1, 1) for n, v in columns.items()})
        for p in places
    ]
    info = {"inputs": {n: {"column": n} for n in columns}, "target": {"name": "y", "classes": classes}}
    return SimpleNamespace(**dict(zip(("train", "val", "test"), splits, strict=True)), info=info)


@pytest.fixture
def columns():
    return {"noise": RANDOM.normal(size=1000), "word": RANDOM.choice(["a", "b", ""], 1000).astype(object)}


def test_a_column_that_alone_tells_the_class_is_named(columns):
    y = RANDOM.integers(0, 2, 1000)
    assert warnings_of(data(columns, y, ["no", "yes"])) == []
    columns["after"] = np.where(y == 1, RANDOM.normal(50, 1, 1000), np.nan)
    columns["code"] = np.array(["N", "Y"], object)[y]
    said = warnings_of(data(columns, y, ["no", "yes"]))
    assert said == [
        f"{name} alone tells 100.0% of y; if it is known only later, leave_out={name}" for name in ("after", "code")
    ]


def test_a_column_that_alone_tells_the_number_is_named(columns):
    y = RANDOM.normal(size=1000).astype("float32")
    columns["half"] = y + RANDOM.normal(size=1000)
    assert warnings_of(data(columns, y)) == []
    columns["rounded"] = np.round(y, 1)
    [said] = warnings_of(data(columns, y))
    assert said.startswith("rounded alone tells 99.")


def test_an_identifier_tells_nothing_of_rows_not_seen_and_a_rare_class_is_no_leak(columns):
    columns["id"] = np.array([f"row {i}" for i in range(1000)], object)
    assert warnings_of(data(columns, RANDOM.integers(0, 2, 1000), ["no", "yes"])) == []
    rare = (np.arange(1000) % 100 == 0).astype(int)
    assert warnings_of(data(columns, rare, ["no", "yes"])) == []


def test_rows_in_two_splits_are_counted(columns):
    y = RANDOM.integers(0, 2, 1000)
    for name in columns:
        columns[name][900:910] = columns[name][:10]
    y[900:910] = y[:10]
    [said] = warnings_of(data(columns, y, ["no", "yes"]))
    assert said == "10 of 200 rows of the test split stand in the training rows too, so their scores are too good"
    y[900:905] = 1 - y[:5]  # another target makes another row
    assert warnings_of(data(columns, y, ["no", "yes"]))[0].startswith("5 of 200 rows of the test split")


def test_a_class_that_a_split_lacks_and_labels_that_are_identifiers_are_said(columns):
    y = np.where(np.arange(1000) < 600, np.arange(1000) % 3, np.arange(1000) % 2)
    assert warnings_of(data(columns, y, ["a", "b", "c"])) == [
        "the validation split has no row of c",
        "the test split has no row of c",
    ]
    said = warnings_of(data(columns, np.arange(1000), [f"n{i}" for i in range(1000)]))
    assert said[0] == "the training split has no row of n600, n601, n602, n603, n604 and 395 more"
    assert said[-1].startswith("100% of the 1,000 classes of y stand once or never in the training rows")


def test_splits_without_raw_rows_are_left_alone():
    rows = tfkit.Rows(np.zeros((5, 1)), np.zeros(5))
    assert warnings_of(SimpleNamespace(train=rows, val=rows, test=rows, info={"inputs": {}, "target": {}})) == []


def test_several_targets_are_compared_too(columns):
    y = {"one": RANDOM.normal(size=1000), "two": RANDOM.normal(size=1000)}
    made = data(columns, y["one"])
    for split, half in ((made.train, slice(0, 600)), (made.val, slice(600, 800)), (made.test, slice(800, 1000))):
        split.arrays = (split.arrays[0], {name: values[half] for name, values in y.items()}, None)
    assert warnings_of(made) == []
