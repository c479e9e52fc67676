"""Tests of targets: inferred, read and encoded; losses and class weights by target."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.targets import (
    fit_target_statistics,
    infer_target,
    read_target,
    scale_targets,
)
from tfkit.data.columns.targets.classification import count_classes
from tfkit.errors import UserError, format_list
from tfkit.metadata import Metadata, Target

RANDOM = np.random.default_rng(0)
CLASSES = Metadata(target=Target(name="y", task="classification", classes=["no", "yes"]))
NUMBER = Metadata(target=Target(name="y", task="regression", mean=100.0, scale=10.0))


def target(cells, **options):
    return infer_target(pd.Series(cells, name="y"), **options)


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["u", "v", "u"], ["u", "v"]),
        (["yes", "no", "yes"], ["no", "yes"]),
        ([True, False, True], ["False", "True"]),
        (pd.Series([True, False, True], dtype="boolean"), ["False", "True"]),
        ([0, 1, 1, 0], ["0", "1"]),
        ([0.0, 1.0, 1.0], ["0", "1"]),
        (["1.0", "0.0", "1.0"], ["0", "1"]),
        ([10, 9, 8] * 5, ["8", "9", "10"]),
        (["10", "b", "9", "a"] * 5, ["9", "10", "a", "b"]),
        (["01067", "10115", "99999"] * 5, ["01067", "10115", "99999"]),
        ([f"{number:05d}" for number in range(20)] * 5, [f"{number:05d}" for number in range(20)]),
        (pd.Series([3, 1, 1, 1], dtype="category"), ["1", "3"]),
        (["a\nb", "c\td"] * 2, ["a\nb", "c\td"]),
    ],
    ids=str,
)
def test_infer_classes(cells, classes):
    inferred = target(cells)
    assert (inferred.task, inferred.classes) == ("classification", classes)
    assert inferred.is_binary == (len(classes) == 2)
    codes = read_target(pd.DataFrame({"y": cells}), inferred)
    assert codes.dtype == "int32"
    assert sorted(set(codes.tolist())) == list(range(len(classes)))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (list(range(20)), range(20)),
        ([0.5, 1.0, 2.0] * 10, [0.5, 1.0, 2.0] * 10),
        ([1, 2, 3], [1, 2, 3]),
        ([f"{1000 * number:,}" for number in range(20)], [1000 * number for number in range(20)]),
        ([f"${number}.50" for number in range(20)], [number + 0.5 for number in range(20)]),
        ([f"{number},5" for number in range(20)], [number + 0.5 for number in range(20)]),
        ([f"{number}:30" for number in range(20)], [3600 * number + 1800 for number in range(20)]),
        (pd.Series(range(20), dtype="Int64"), range(20)),
    ],
    ids=str,
)
def test_infer_numbers(cells, values):
    inferred = target(cells)
    assert (inferred.task, inferred.classes, inferred.positive_class) == ("regression", None, None)
    assert read_target(pd.DataFrame({"y": cells}), inferred).tolist() == list(values)


def test_user_sets_task():
    assert target([1, 2, 3] * 5, task="regression").task == "regression"
    assert target(list(range(15)) * 2, task="classification").task == "classification"
    assert target(["2024-01-31", "2024-02-01"] * 5, task="classification").classes == ["2024-01-31", "2024-02-01"]


def test_positive_class_is_the_rarer_class():
    assert target(["u", "v", "u"]).positive_class == "v"
    assert target(["v", "u", "v"]).positive_class == "u"
    assert target(["u", "v"]).positive_class == "u", "the first class if both are equally rare"
    assert target(["u", "v", "u"], positive_class="u").positive_class == "u"
    assert target(["u", "v", "w"]).positive_class is None


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["u", "u"], {}, "at least two classes. Received: 'y', 'u' in every row"),
        ([3.5, 3.5], {}, "at least two classes. Received: 'y', '3.5' in every row"),
        ([3.5, 3.5], {"task": "regression"}, "must vary. Received: 'y', which is 3.5 in every row"),
        (
            [f"id{n}" for n in range(30)],
            {},
            "must occur in several rows.*'y' with 30 classes in 30 rows, such as 'id0', 'id1', 'id2'",
        ),
        (
            list(range(30)),
            {"task": "classification"},
            "to predict a number, set task=regression. Received: 'y' with 30 classes",
        ),
        (["2024-01-31", "2024-02-01"], {}, "convert dates to numbers first, such as days.*'y', which contains dates"),
        (["u", "v"], {"positive_class": "w"}, "one of the target's classes. Received: 'w'; there are 'u', 'v'"),
        (["Yes", "No"], {"positive_class": "yes"}, r"Did you mean 'Yes'\? Received: 'yes'"),
        (["u", "v", "w"], {"positive_class": "u"}, "for a target of two classes. Received: 'y', which has 3"),
        (list(range(30)), {"positive_class": "1"}, "for a target of classes. Received: 'y', which is a number"),
        ([*range(30), "abc"], {}, r"Received in 'y': 'abc' in row 31 \(line 32 of a CSV file\), the first of 1"),
        (
            ["u", "v"],
            {"task": "regression"},
            "or set task=classification. Received in 'y': 'u' in row 1 .* the first of 2",
        ),
        ([*np.arange(30.5), np.inf], {}, "must be a finite number in every row.*'inf' in row 32"),
        ([*np.arange(30.5), 1e38], {}, "'1e.38' in row 32"),
        ([str(n) for n in RANDOM.normal(size=20)] + ["x"] * 10, {}, "'x' in row 21 .* the first of 10"),
    ],
)
@pytest.mark.reading("Labels and tags", "refused")
def test_invalid_targets_are_rejected(cells, options, message):
    with pytest.raises(UserError, match=message):
        target(cells, **options)


def test_message_names_the_row_in_the_file():
    cells = pd.Series([*range(30), "abc"], index=range(100, 131), name="y")
    with pytest.raises(UserError, match=r"row 131 \(line 132"):
        infer_target(cells)


def test_yes_and_no_match_in_any_spelling():
    inferred = target(["yes", "no", "yes"])
    frame = pd.DataFrame({"y": ["TRUE", "1", "N", "no", "YES"]})
    assert read_target(frame, inferred).tolist() == [1, 1, 0, 0, 1]
    assert read_target(pd.DataFrame({"y": [True, False]}), inferred).tolist() == [1, 0]
    assert read_target(pd.DataFrame({"y": ["Yes", "no"]}), target([0, 1])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("training_cells", "cells", "message"),
    [
        (["u", "v"], ["u", "w", "x"], "one of the training classes, 'u', 'v'. Received in 'y': 'w', 'x'"),
        (["yes", "no"], ["maybe"], "Received in 'y': 'maybe'"),
        (["u", "v"], ["u", None], "Every row must have a target. Received: 1 of 2 rows without 'y'"),
        (list(range(20)), ["5", "abc"], "must be a finite number in every row.*'abc' in row 2"),
    ],
)
def test_targets_unlike_training_are_rejected(training_cells, cells, message):
    with pytest.raises(UserError, match=message):
        read_target(pd.DataFrame({"y": cells}), target(training_cells))


def test_count_classes():
    assert count_classes(np.array([0, 2, 2]), ["a", "b", "c"]) == {"a": 1, "b": 0, "c": 2}


def test_class_targets_are_encoded_as_codes():
    frame = pd.DataFrame({"y": ["u", "v", "u"]})
    fitted = fit_target_statistics(infer_target(frame["y"]), np.array([0, 1, 0], "int32"))
    assert fitted.counts == {"u": 2, "v": 1}
    codes = scale_targets(read_target(frame, fitted), fitted)
    assert (codes.dtype, codes.tolist()) == ("int32", [0, 1, 0])


def test_numeric_targets_are_standardized():
    frame = pd.DataFrame({"y": np.arange(20) / 2})
    inferred = infer_target(frame["y"])
    fitted = fit_target_statistics(inferred, read_target(frame, inferred))
    assert (fitted.mean, fitted.scale) == pytest.approx((4.75, np.std(np.arange(20) / 2)))
    y = scale_targets(read_target(frame, fitted), fitted)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y * fitted.scale + fitted.mean, frame["y"], rtol=1e-6)
    assert fit_target_statistics(inferred, np.full(3, 7.0)).scale == 1.0, "a constant is not divided by 0"


def test_listed_formats_a_list_for_a_message():
    assert format_list(["a", 2]) == "'a', '2'"
    assert format_list(range(10)) == "'0', '1', '2', '3', '4', '5', '6', '7' and 2 more"
    assert format_list(["x" * 300]) == f"'{'x' * 59}…'"
