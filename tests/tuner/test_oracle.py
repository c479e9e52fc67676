"""What is broken in Keras Tuner's own loop, and never reaches our users."""

import math

import pytest

from tfkit.errors import UserError
from tfkit.search import Choice, Range
from tfkit.tuner.oracle import METHODS, Oracle

SPACE = {"units": Choice((1, 2, 3)), "rate": Range(1e-4, 1e-1, log=True), "name": Choice(("a", "b"))}
POINTS = {"units": Choice((1, 2, 3)), "rate": Choice((0.1, 0.2)), "name": Choice(("a", "b"))}


def made(method):
    return Oracle(method, POINTS if method == "grid" else SPACE, "min", seed=3, epochs=9)


def loss(settings):
    return settings["units"] + abs(math.log10(settings["rate"]) + 2)


def walk(oracle, names):
    """Propose and tell, a trial after the other."""
    found = []
    for name in names:
        proposal = oracle.propose(name)
        found.append(proposal)
        oracle.tell(name, loss(proposal.settings))
    return found


@pytest.mark.parametrize("method", METHODS)
def test_an_oracle_that_is_told_its_events_again_goes_on_as_the_old_one(method):
    names = [f"trial-{i}" for i in range(12)]
    straight = walk(made(method), names)
    first, second = made(method), made(method)
    assert walk(first, names[:10]) == straight[:10]
    pending = first.propose(names[10])  # the kill comes while this one runs
    second.replay(first.events)
    assert second.events == first.events
    assert second.propose(names[10]) == pending == straight[10]
    second.tell(names[10], loss(pending.settings))
    if method != "bayesian":  # whose Gaussian process draws its starting points from a generator that is not kept
        assert second.propose(names[11]) == straight[11]


def test_events_of_another_space_are_refused():
    first = made("random")
    walk(first, ["one"])
    with pytest.raises(UserError, match="goes on only with the Keras Tuner and the space that it began with"):
        Oracle("random", {"units": Choice((7, 8))}, "min").replay(first.events)


@pytest.mark.parametrize("method", METHODS)
def test_two_trials_that_run_at_once_are_two_trials(method):
    oracle = made(method)
    assert oracle.propose("one").settings != oracle.propose("two").settings


@pytest.mark.parametrize("method", ["random", "bayesian", "hyperband"])
def test_failures_and_nan_neither_win_nor_end_the_search(method):
    oracle = made(method)
    for i in range(6):  # Keras Tuner's own limit is three in a row
        oracle.propose(str(i))
        oracle.tell(str(i), (None, math.nan, math.inf)[i % 3])
    assert oracle.propose("next").what == "run"
    oracle.tell("next", 1.0)
    assert [trial.score for trial in oracle.inner.get_best_trials(1)] == [1.0]


def test_the_recipe_as_written_is_told_and_not_proposed_again():
    oracle = Oracle("random", {"units": Choice((1, 2, 3))}, "min")
    assert oracle.learn("written", {"units": 2, "more": 7}, 0.5)
    found = walk_all(oracle)
    assert sorted(found) == [1, 3]


def walk_all(oracle):
    found = []
    while (proposal := oracle.propose(f"t{len(found)}")).what == "run":
        found.append(proposal.settings["units"])
        oracle.tell(f"t{len(found) - 1}", 1.0)
    assert proposal.what == "over"
    return found


def test_what_lies_outside_the_space_is_not_told():
    oracle = made("random")
    assert not oracle.learn("written", {"units": 9, "rate": 0.01, "name": "a"}, 0.5)
    assert oracle.events == []


def test_a_grid_tries_every_point_once():
    oracle = made("grid")
    found = []
    while (proposal := oracle.propose(str(len(found)))).what == "run":
        found.append(tuple(proposal.settings.values()))
        oracle.tell(str(len(found) - 1), 1.0)
    assert len(found) == len(set(found)) == 12


def test_hyperband_goes_on_with_its_best():
    oracle = made("hyperband")
    seen = {}
    while not (proposal := oracle.propose(name := f"trial-{len(seen)}")).goes_on:
        assert proposal.until == 1  # of nine epochs, by threes
        seen[name] = proposal.settings
        oracle.tell(name, loss(proposal.settings))
    assert proposal.until == 3
    assert proposal.goes_on == min(seen, key=lambda name: loss(seen[name]))
    assert proposal.settings == seen[proposal.goes_on]


@pytest.mark.slow
def test_a_bayesian_search_finds_the_better_half():
    oracle = Oracle("bayesian", {"x": Range(0.0, 1.0)}, "min", seed=1)
    found = []
    for i in range(14):
        x = oracle.propose(str(i)).settings["x"]
        oracle.tell(str(i), (x - 0.3) ** 2)
        found.append(x)
    assert min(abs(x - 0.3) for x in found[8:]) < 0.05
