"""Tests of the last rows that are reported for a diverged training."""

from types import SimpleNamespace

import numpy as np

import tfkit
from tfkit.training.batch_rows import recent_batch_rows
from tfkit.training.fit import EpochPosition, epoch_permutation


def test_rows_of_the_last_call_and_their_largest_values_are_listed():
    x, y = np.zeros((20, 3), "float32"), np.arange(20, dtype="float32")
    order = epoch_permutation(7, 2, 20)
    x[order[9], 1] = -99.0  # in the third step of 4 rows
    y[order[1]] = np.inf  # in the first step
    position = EpochPosition(epoch=2, rows_done=12)
    position.rows_done_before = 4
    report = recent_batch_rows(position, SimpleNamespace(train=tfkit.ArrayDataset({"a": x}, y)), seed=7, batch=4)
    assert report["steps"] == [2, 3]
    assert report["rows"] == order[4:12].tolist()
    assert report["furthest"]["inputs/a"] == {"row": int(order[9]), "value": 99.0}
    position.rows_done_before = 0
    report = recent_batch_rows(position, SimpleNamespace(train=tfkit.ArrayDataset({"a": x}, y)), seed=7, batch=4)
    assert report["furthest"]["target"] == {"row": int(order[1]), "value": "not finite"}


def test_no_rows_before_the_first_step():
    assert (
        recent_batch_rows(EpochPosition(), SimpleNamespace(train=tfkit.ArrayDataset(np.zeros((3, 1)))), seed=0, batch=2)
        == {}
    )
