"""Targets of several tags: inferred from any source, read, split and refused."""

import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.labels import label_warnings
from tfkit.data.columns.targets import fit_target_statistics, infer_target, read_target, scale_targets, strata
from tfkit.data.files.read import read_frame
from tfkit.data.rows.splits import train_val_test_split
from tfkit.errors import UserError

CELLS = ["red|round", "red", "round", "round | red", "big", "big|red"]
MATRIX = [[0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]]  # big, red, round


def target(cells, **options):
    return infer_target(pd.Series(cells, name="y"), **options)


def test_tags_are_zeros_and_ones():
    inferred = target(CELLS)
    assert (inferred.task, inferred.classes, inferred.tag_delimiter) == ("multilabel", ["big", "red", "round"], "|")
    y = read_target(pd.DataFrame({"y": CELLS}), inferred)
    assert (y.dtype, y.tolist()) == ("uint8", MATRIX)
    assert scale_targets(y, inferred).dtype == "float32"
    assert fit_target_statistics(inferred, y).counts == {"big": 2, "red": 4, "round": 3}
    assert label_warnings(inferred) == []


@pytest.mark.parametrize("task", ["auto", "multilabel"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet", "python"])
@pytest.mark.reading("Labels and tags", "read")
def test_lists_of_any_source(tmp_path, suffix, task):
    frame = pd.DataFrame({"x": range(6), "y": [["a", "b"], ["a"], [], ["b", "c"], ["c"], ["a", "c"]]})
    path, source = tmp_path / f"rows.{suffix}", frame
    if suffix == "csv":  # pandas writes lists as Python does
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "python":
        source = frame.to_dict("records")
    else:
        frame.to_json(path, orient="records", lines=suffix == "jsonl")
    read = read_frame(source if suffix == "python" else path, list_columns=["y"])
    inferred = infer_target(read["y"], task=task)
    assert (inferred.task, inferred.classes, inferred.tag_delimiter) == ("multilabel", ["a", "b", "c"], "list")
    expected = [[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]
    assert read_target(read, inferred).tolist() == expected


def test_lists_of_numbers_keep_their_type():
    inferred = target([json.dumps(tags) for tags in ([10, 9], [9], [10], [2], [2, 10], [])])
    assert (inferred.classes, inferred.labels, inferred.label_type) == (["2", "9", "10"], [2, 9, 10], "integer")


def test_user_sets_the_task():
    assert target(CELLS, task="classification").classes == sorted(set(CELLS))
    [warning] = label_warnings(target(CELLS, task="classification"))
    assert warning.endswith("To predict each tag, set task=multilabel")
    pairs = ["a,b", "b,c", "a,c"] * 4
    assert target(pairs).task == "classification", "every cell has two tags"
    assert target(pairs, task="multilabel").classes == ["a", "b", "c"]


@pytest.mark.parametrize(
    "cells", [["1,5", "2,7", "3,9", "4,1"] * 5, ["1,200", "1,200,300", "200"] * 9, ["yes", "no"] * 4]
)
def test_numbers_are_not_tags(cells):
    assert target(cells).task != "multilabel"


def test_spellings_are_joined():
    cells = ["Red|round", "red", "ROUND", "red|Round", "big", "big|Red"] * 2
    assert target(cells, label_normalization="casefold").classes == ["big", "red", "round"]
    upper = pd.DataFrame({"y": ["RED | round"]})
    assert read_target(upper, target(cells, label_normalization="casefold")).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["a", "b"] * 5, {"task": "multilabel"}, "needs cells with several tags, such as red.round or a list"),
        (CELLS, {"positive_class": "red", "task": "multilabel"}, "`positive_class` is for a target of two classes"),
        ([f"a{n}|b{n}" for n in range(20)], {"task": "multilabel"}, "must occur in several rows.* 40 tags in 20 rows"),
        (["a|a", "a"] * 4, {"task": "multilabel"}, "at least two tags. Received: 'y', 'a'"),
    ],
)
@pytest.mark.reading("Labels and tags", "refused")
def test_targets_that_are_refused(cells, options, message):
    with pytest.raises(UserError, match=message):
        target(cells, **options)


def test_unknown_tags_are_named():
    with pytest.raises(UserError, match=r"one of the training tags, 'big', 'red', 'round'\. Received in 'y': 'blue'"):
        read_target(pd.DataFrame({"y": ["red|blue"]}), target(CELLS))


def test_rare_tags_are_in_every_split():
    rng = np.random.default_rng(0)
    cells = ["|".join(t for t, p in (("a", 0.7), ("b", 0.5)) if rng.random() < p) or "a" for _ in range(400)]
    for row in range(0, 400, 20):
        cells[row] += "|rare"
    frame = pd.DataFrame({"x": np.arange(400), "y": cells})
    inferred = infer_target(frame["y"])
    assert set(strata(frame, inferred)[::20]) == {inferred.classes.index("rare")}
    splits = train_val_test_split(frame, inferred, val_fraction=0.2, test_fraction=0.2, seed=0)
    counts = [int(split["y"].str.contains("rare").sum()) for split in splits]
    assert counts == [12, 4, 4]
