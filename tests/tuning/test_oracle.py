"""Oracles can be replayed, and failed trials never win, unlike in the search loop of Keras Tuner."""

import math

import pytest

from tfkit.errors import UserError
from tfkit.search_space import Choice, Range
from tfkit.tuning.oracle import ALGORITHMS, Oracle

SPACE = {"units": Choice((1, 2, 3)), "rate": Range(1e-4, 1e-1, log=True), "name": Choice(("a", "b"))}
POINTS = {"units": Choice((1, 2, 3)), "rate": Choice((0.1, 0.2)), "name": Choice(("a", "b"))}


def make_oracle(algorithm):
    return Oracle(algorithm, POINTS if algorithm == "grid" else SPACE, "min", seed=3, epochs=9)


def loss(settings):
    return settings["units"] + abs(math.log10(settings["rate"]) + 2)


def run_trials(oracle, names):
    """Propose and report trials one after the other; return the proposals."""
    proposals = []
    for name in names:
        proposal = oracle.propose(name)
        proposals.append(proposal)
        oracle.report(name, loss(proposal.settings))
    return proposals


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_replayed_oracle_continues_like_the_original(algorithm):
    names = [f"trial-{i}" for i in range(12)]
    expected = run_trials(make_oracle(algorithm), names)
    first, second = make_oracle(algorithm), make_oracle(algorithm)
    assert run_trials(first, names[:10]) == expected[:10]
    pending = first.propose(names[10])  # the process is killed while this trial runs
    second.replay(first.events)
    assert second.events == first.events
    assert second.propose(names[10]) == pending == expected[10]
    second.report(names[10], loss(pending.settings))
    if algorithm != "bayesian":  # its Gaussian process uses a random generator whose state is not saved
        assert second.propose(names[11]) == expected[11]


def test_events_of_a_different_space_raise():
    first = make_oracle("random")
    run_trials(first, ["one"])
    with pytest.raises(UserError, match="only with the Keras Tuner version and the search space that it was started"):
        Oracle("random", {"units": Choice((7, 8))}, "min").replay(first.events)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_concurrent_trials_have_different_settings(algorithm):
    oracle = make_oracle(algorithm)
    assert oracle.propose("one").settings != oracle.propose("two").settings


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_failed_and_nan_trials_neither_win_nor_end_the_search(algorithm):
    oracle = make_oracle(algorithm)
    for i in range(6):  # the default limit of Keras Tuner is three in a row
        oracle.propose(str(i))
        oracle.report(str(i), (None, math.nan, math.inf)[i % 3])
    assert oracle.propose("next").action == "run"
    oracle.report("next", 1.0)
    assert [trial.score for trial in oracle.inner.get_best_trials(1)] == [1.0]


def test_default_trial_is_not_proposed_again():
    oracle = Oracle("random", {"units": Choice((1, 2, 3))}, "min")
    assert oracle.inject("default", {"units": 2, "more": 7}, 0.5)
    assert sorted(run_until_over(oracle)) == [1, 3]


def run_until_over(oracle):
    units = []
    while (proposal := oracle.propose(f"t{len(units)}")).action == "run":
        units.append(proposal.settings["units"])
        oracle.report(f"t{len(units) - 1}", 1.0)
    assert proposal.action == "over"
    return units


def test_trials_outside_the_space_are_not_reported():
    oracle = make_oracle("random")
    assert not oracle.inject("default", {"units": 9, "rate": 0.01, "name": "a"}, 0.5)
    assert oracle.events == []


def test_grid_proposes_every_point_once():
    oracle = make_oracle("grid")
    points = []
    while (proposal := oracle.propose(str(len(points)))).action == "run":
        points.append(tuple(proposal.settings.values()))
        oracle.report(str(len(points) - 1), 1.0)
    assert len(points) == len(set(points)) == 12


def test_hyperband_resumes_its_best_trial():
    oracle = make_oracle("hyperband")
    proposed = {}
    while not (proposal := oracle.propose(name := f"trial-{len(proposed)}")).resumed_trial:
        assert proposal.stop_after_epoch == 1  # rungs 1, 3 and 9 of nine epochs
        proposed[name] = proposal.settings
        oracle.report(name, loss(proposal.settings))
    assert proposal.stop_after_epoch == 3
    assert proposal.resumed_trial == min(proposed, key=lambda name: loss(proposed[name]))
    assert proposal.settings == proposed[proposal.resumed_trial]


@pytest.mark.slow
def test_bayesian_search_approaches_the_minimum():
    oracle = Oracle("bayesian", {"x": Range(0.0, 1.0)}, "min", seed=1)
    values = []
    for i in range(14):
        x = oracle.propose(str(i)).settings["x"]
        oracle.report(str(i), (x - 0.3) ** 2)
        values.append(x)
    assert min(abs(x - 0.3) for x in values[8:]) < 0.05
