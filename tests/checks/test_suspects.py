from types import SimpleNamespace

import numpy as np

import tfkit
from tfkit.checks.suspects import last_rows
from tfkit.loop import Place, drawn


def test_the_rows_of_the_last_call_and_the_furthest_values_in_them_are_named():
    x, y = np.zeros((20, 3), "float32"), np.arange(20, dtype="float32")
    order = drawn(7, 2, 20)
    x[order[9], 1] = -99.0  # in the third step of four rows
    y[order[1]] = np.inf  # in the first
    place = Place(epoch=2, done=12)
    place.before = 4
    found = last_rows(place, SimpleNamespace(train=tfkit.Rows({"a": x}, y)), seed=7, batch=4)
    assert found["steps"] == [2, 3]
    assert found["rows"] == order[4:12].tolist()
    assert found["furthest"]["inputs/a"] == {"row": int(order[9]), "value": 99.0}
    place.before = 0
    found = last_rows(place, SimpleNamespace(train=tfkit.Rows({"a": x}, y)), seed=7, batch=4)
    assert found["furthest"]["target"] == {"row": int(order[1]), "value": "not finite"}


def test_before_the_first_step_there_are_none():
    assert last_rows(Place(), SimpleNamespace(train=tfkit.Rows(np.zeros((3, 1)))), seed=0, batch=2) == {}
