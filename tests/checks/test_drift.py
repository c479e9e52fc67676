import logging

import numpy as np
import pytest

from tfkit.checks.drift import BOUND, drift, learn, learn_shares, warn

RANDOM = np.random.default_rng(0)
INFO = {"inputs": {"a_b": {"column": "a/b"}}}


def column(values):
    return {"a_b": np.asarray(values).reshape(-1, 1)}


def test_the_index_is_that_of_its_formula():
    learnt = learn(column([0.0] * 50 + [1.0] * 50 + [np.nan] * 100), INFO)
    now = column([0.0] * 20 + [1.0] * 80)
    p, q = np.array([0.5, 0.25, 0.25]), np.array([1e-4, 0.2, 0.8])
    bins = len(learnt["a_b"]["shares"])
    assert sorted(learnt["a_b"]["shares"])[-3:] == [0.25, 0.25, 0.5]
    chance = (bins - 1) * (1 / 200 + 1 / 100)
    expected = ((q - p) * np.log(q / p)).sum() - chance
    assert drift(now, learnt)["a/b"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("then", "same", "moved"),
    [
        (RANDOM.normal(size=2000), RANDOM.normal(size=300), RANDOM.normal(1.5, 1, 300)),
        (RANDOM.choice(["a", "b"], 2000), RANDOM.choice(["a", "b"], 300), np.array(["a", "new"] * 150)),
        (np.array(["x" * 40] * 2000), np.array(["y" * 40] * 300), np.array(["x" * 400] * 300)),
        (RANDOM.normal(size=2000), RANDOM.normal(size=300), np.full(300, np.nan)),
    ],
    ids=["numbers", "words", "texts", "missing"],
)
def test_what_has_moved_is_told_from_what_has_not(then, same, moved):
    as_given = lambda v: column(v.astype(object) if v.dtype.kind == "U" else v)  # noqa: E731
    learnt = learn(as_given(then), INFO)
    assert drift(as_given(same), learnt)["a/b"] < 0.1
    assert drift(as_given(moved), learnt)["a/b"] > BOUND


def test_chance_alone_does_not_move_few_rows():
    learnt = learn(column(RANDOM.normal(size=5000)), INFO)
    alarms = sum(drift(column(RANDOM.normal(size=60)), learnt)["a/b"] > BOUND for _ in range(200))
    assert alarms <= 10
    assert drift(column(np.full(49, 9.0)), learnt) == {}  # too few to say


def test_pictures_are_held_against_pictures_by_their_means():
    dark, light = (RANDOM.integers(low, low + 100, (200, 8, 8, 1)).astype("uint8") for low in (0, 150))
    learnt = learn({"pixels": dark}, {"inputs": {}})
    assert drift({"pixels": light}, learnt)["pixels"] > BOUND
    assert drift({"pixels": dark}, learnt)["pixels"] == 0


def test_the_columns_that_moved_are_said_the_furthest_first(caplog):
    names = ["still", "far", "near"]
    then = {name: RANDOM.normal(size=(1000, 1)) for name in names}
    learnt = learn(then, {"inputs": {}})
    now = {name: RANDOM.normal(by, 1, (1000, 1)) for name, by in zip(names, (0, 4, 1), strict=True)}
    with caplog.at_level(logging.WARNING, "tfkit"):
        warn(then, learnt)
        assert not caplog.records
        warn(now, learnt)
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("Unlike the training rows (population stability index above 0.25): far ")
    assert said.index("far") < said.index("near")
    assert "still" not in said


def test_a_split_without_raw_rows_has_no_shares():
    import tfkit

    assert learn_shares(tfkit.Rows(np.zeros((3, 1))), INFO) == {}
