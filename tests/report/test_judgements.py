import json
from pathlib import Path

import numpy as np
import pytest

import tfkit
from tfkit.report.judgements import JUDGEMENTS, curves, judge, scores, weights
from tfkit.report.reading import Record

HEALTHY = json.loads((Path(__file__).parent / "healthy.json").read_text(encoding="utf-8"))
CONFIG = {
    "learning_rate": 0.01,
    "learning_rate_decay": "none",
    "epochs": 20,
    "dropout": 0.1,
    "depth": 3,
    "optimizer": "adam",
    "weight_decay": 0.0,
    "class_weights": False,
    "units": 64,
}
BINARY = {"task": "binary", "target": {"name": "y", "classes": ["no", "yes"], "positive": "yes"}}


@pytest.fixture
def run(tmp_path):
    for name in ("config.json", "about.json"):
        (tmp_path / name).write_text("{}")
    return tfkit.Run(tmp_path)


def record(run, loss=(), val=(), metrics=None, evidence=None, config=None, info=None, **more):
    """A run of which these curves, scores and looks are known."""
    columns = {"loss": loss, "val_loss": val, **more}
    epochs = max(map(len, columns.values()))
    history = [{"epoch": i + 1.0, **{n: float(v[i]) for n, v in columns.items() if len(v)}} for i in range(epochs)]
    known = {"test": {}, "baselines": {}, "classes": {}} | (metrics or {})
    return Record(run, info or BINARY, CONFIG | (config or {}), {"recipe": "tabular"}, known, history, evidence or {})


def falling(start, end, epochs, bend=5.0):
    """A loss that falls fast at first and then hardly any more."""
    steps = np.arange(epochs)
    return end + (start - end) * np.exp(-bend * steps / max(1, epochs - 1))


def bowl(start, low, end, best, epochs):
    """A loss that falls to epoch `best` and rises after it."""
    return np.r_[falling(start, low, best), np.linspace(low, end, epochs - best + 1)[1:]]


JUMPING = np.array([1.0, 0.5, 0.9, 0.4, 1.0, 0.5, 0.8, 0.45])
GOOD = falling(1.0, 0.3, 20)
SHARP = {
    "gradients": [{"weight": "a/kernel", "norm": 1.0, "size": 3.0}, {"weight": "b/kernel", "norm": 1e-9, "size": 3.0}]
}
LESS = {
    "gradients": [{"weight": "a/kernel", "norm": 1.0, "size": 3.0}, {"weight": "b/kernel", "norm": 1e-4, "size": 3.0}]
}

CASES = {  # judgement -> what must raise it, and what is near and must not
    curves.over_fitting: (
        {"loss": falling(1.0, 0.1, 20, bend=2), "val": bowl(1.0, 0.5, 0.9, 8, 20)},
        {"loss": falling(1.0, 0.1, 20, bend=2), "val": bowl(1.0, 0.5, 0.53, 8, 20)},
    ),
    curves.diverging: (
        {"loss": bowl(1.0, 0.4, 2.0, 5, 12), "val": bowl(1.0, 0.4, 2.0, 5, 12)},
        {"loss": bowl(1.0, 0.4, 0.45, 5, 12), "val": bowl(1.0, 0.4, 2.0, 5, 12)},
    ),
    curves.stopped_too_early: (
        {"loss": np.linspace(2.0, 1.0, 10), "val": np.linspace(2.0, 1.0, 10)},
        {"loss": falling(2.0, 1.0, 10), "val": falling(2.0, 1.0, 10)},
    ),
    curves.plateau: (
        {"loss": falling(1.0, 0.5, 30, bend=40), "val": np.r_[1.0, 0.5, 0.45, np.full(27, 0.452)]},
        {"loss": GOOD, "val": GOOD},
    ),
    curves.rate_too_high: (
        {"loss": JUMPING, "val": JUMPING},
        {"loss": 0.3 + 0.1 * JUMPING + falling(1.0, 0.0, 8), "val": GOOD[:8]},
    ),
    curves.rate_too_low: (
        {"loss": np.linspace(1.0, 0.95, 10), "val": np.linspace(1.0, 0.95, 10)},
        {"loss": falling(1.0, 0.95, 10, bend=2), "val": falling(1.0, 0.95, 10, bend=2)},
    ),
    curves.loss_without_score: (
        {"loss": GOOD, "val": GOOD, "val_accuracy": np.full(20, 0.75)},
        {"loss": GOOD, "val": GOOD, "val_accuracy": np.linspace(0.75, 0.77, 20)},
    ),
    curves.not_finite: (
        {"loss": np.r_[1.0, 0.8, np.nan, 0.7], "val": np.r_[1.0, 0.8, 0.8, 0.7], "gradient_norm": [1.0, 9, 1, 1]},
        {"loss": np.r_[1.0, 0.8, 8.0, 0.7], "val": np.r_[1.0, 0.8, 0.8, 0.7]},
    ),
    scores.baseline_wins: (
        {
            "metrics": {
                "against": {
                    "score": "accuracy",
                    "baseline": "linear",
                    "own": 0.8,
                    "other": 0.85,
                    "interval": [-0.08, -0.02],
                    "better": [-0.08, -0.02],
                }
            }
        },
        {
            "metrics": {
                "against": {
                    "score": "accuracy",
                    "baseline": "linear",
                    "own": 0.8,
                    "other": 0.85,
                    "interval": [-0.11, 0.001],
                    "better": [-0.11, 0.001],
                }
            }
        },
    ),
    scores.under_fitting: (
        {
            "loss": falling(0.69, 0.62, 9),
            "val": falling(0.69, 0.62, 9),
            "metrics": {
                "test": {"log_loss": 0.62},
                "baselines": {"constant": {"log_loss": 0.69}, "linear": {"log_loss": 0.3}},
            },
        },
        {
            "loss": falling(0.69, 0.45, 9),
            "val": falling(0.69, 0.45, 9),
            "metrics": {
                "test": {"log_loss": 0.45},
                "baselines": {"constant": {"log_loss": 0.69}, "linear": {"log_loss": 0.3}},
            },
        },
    ),
    scores.says_one_class: (
        {
            "metrics": {
                "test": {"log_loss": 0.2, "accuracy": 0.95, "recall": 0.0},
                "baselines": {"constant": {"log_loss": 0.3, "accuracy": 0.95}},
            }
        },
        {
            "metrics": {
                "test": {"log_loss": 0.2, "accuracy": 0.96, "recall": 0.3},
                "baselines": {"constant": {"log_loss": 0.3, "accuracy": 0.95}},
            }
        },
    ),
    scores.few_rows: (
        {
            "metrics": {"classes": {"no": {"recall": 0.9}, "yes": {"recall": 0.2}}},
            "info": BINARY | {"target": BINARY["target"] | {"counts": {"no": 900, "yes": 12}}},
        },
        {
            "metrics": {"classes": {"no": {"recall": 0.9}, "yes": {"recall": 0.8}}},
            "info": BINARY | {"target": BINARY["target"] | {"counts": {"no": 900, "yes": 12}}},
        },
    ),
    weights.exploding: (
        {"gradient_norm": [1.0, 1.2, 0.9, 1.1, 80.0, 1.0], "evidence": {"learning": SHARP}},
        {"gradient_norm": [1.0, 1.2, 0.9, 1.1, 8.0, 1.0], "evidence": {"learning": SHARP}},
    ),
    weights.vanishing: ({"val": GOOD, "evidence": {"learning": SHARP}}, {"val": GOOD, "evidence": {"learning": LESS}}),
    weights.dead_units: (
        {"val": GOOD, "evidence": {"learning": {"dead": [{"layer": "dense", "units": 64, "dead": 50}]}}},
        {"val": GOOD, "evidence": {"learning": {"dead": [{"layer": "dense", "units": 64, "dead": 20}]}}},
    ),
}


def test_every_judgement_has_a_case():
    assert set(CASES) == set(JUDGEMENTS)


@pytest.mark.parametrize("judgement", CASES, ids=lambda one: one.__name__)
def test_it_speaks_where_it_must_with_numbers_and_a_command(judgement, run):
    found = judgement(record(run, **CASES[judgement][0]))
    assert found is not None
    assert any(letter.isdigit() for letter in found.evidence)
    assert found.command.startswith(("tfkit train tabular --settings ", "tfkit tune tabular --settings "))


@pytest.mark.parametrize("judgement", CASES, ids=lambda one: one.__name__)
def test_it_is_silent_where_it_is_near(judgement, run):
    assert judgement(record(run, **CASES[judgement][1])) is None


@pytest.mark.parametrize("judgement", CASES, ids=lambda one: one.__name__)
def test_it_is_silent_where_nothing_is_known(judgement, run):
    assert judgement(record(run, info=BINARY | {"task": "other"})) is None


@pytest.mark.parametrize("name", HEALTHY)
def test_none_speaks_of_a_healthy_run(name, run):
    told = HEALTHY[name]
    found = judge(
        Record(run, told["info"], told["config"], told["about"], told["metrics"], told["history"], told["evidence"])
    )
    assert [one.what for one in found] == []


def test_twenty_healthy_runs_are_known():
    assert len(HEALTHY) == 20


def test_the_commands_are_settings_that_the_page_has(run):
    config = tfkit.load("tabular").Config
    for raising, _ in CASES.values():
        for found in judge(record(run, **raising)):
            for word in found.command.split()[5:]:
                if "=" in word:
                    name, _, value = word.partition("=")
                    config.checked(name, value)


def test_the_finder_is_believed_before_the_curve(run):
    told = {"finder": {"suggestion": 1e-4, "low": 1e-6, "high": 1.0}}
    assert "suggests 0.0001" in curves.rate_too_high(record(run, GOOD, GOOD, evidence=told)).evidence
    assert curves.rate_too_high(record(run, GOOD, GOOD, evidence=told, config={"learning_rate": 4e-4})) is None
    told = {"finder": {"suggestion": 0.5, "low": 1e-6, "high": 1.0}}
    assert "learning_rate=0.5" in curves.rate_too_low(record(run, GOOD, GOOD, evidence=told)).command
