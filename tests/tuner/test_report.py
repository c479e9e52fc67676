"""The page of a search: what it says, and that it says nothing where it cannot know."""

from types import SimpleNamespace

import numpy as np
import pytest

import tfkit
from tfkit.search import Choice, Range
from tfkit.tuner.ledger import Trial
from tfkit.tuner.report import FILE, by_range, command, importances, mattered, write
from tfkit.tuner.space import space

SPACE = {"learning_rate": Range(1e-4, 1e-1, log=True), "units": Choice((1, 2, 4)), "body": Choice(("a", "<script>"))}


def search(tmp_path, count, loss):
    """A search whose scores are a function of the settings."""
    random = np.random.default_rng(0)
    trials = []
    for i in range(count):
        settings = {
            "learning_rate": float(10 ** random.uniform(-4, -1)),
            "units": int(random.choice([1, 2, 4])),
            "body": str(random.choice(["a", "<script>"])),
        }
        trials.append(Trial(i + 1, settings, state="done", score=float(loss(settings, random)), epochs=3, seconds=1.0))
    trials.sort(key=lambda trial: trial.score)
    ledger = SimpleNamespace(
        trials=trials,
        best=lambda mode: trials,
        searched=lambda: trials,
        objective="log_loss",
        folder=tmp_path,
        written={},
        winner=None,
        asked={"settings": {}, "method": "random", "objective": None},
    )
    recipe = SimpleNamespace(name="<b>mine", page=None, search={}, Config=tfkit.Config)
    return SimpleNamespace(
        ledger=ledger,
        space=SPACE,
        better="min",
        recipe=recipe,
        monitor="val_loss",
        fixed={},
        values=lambda trial: [1.0, 0.5, trial.score],
    )


def test_what_decides_the_score_is_what_mattered(tmp_path):
    found = search(tmp_path, 60, lambda settings, _: abs(np.log10(settings["learning_rate"]) + 2))
    explained, shares = importances(found, found.ledger.trials)
    assert explained > 0.8
    assert shares["learning_rate"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_of_chance_nothing_is_said(tmp_path):
    found = search(tmp_path, 40, lambda settings, random: random.normal())
    assert "These trials do not tell" in mattered(found, found.ledger.trials).words[0]


def test_of_few_trials_nothing_is_said(tmp_path):
    found = search(tmp_path, 5, lambda settings, _: settings["units"])
    assert mattered(found, found.ledger.trials).words == ["At least 12 trials must come to their end to say; 5 did."]


def test_the_best_at_the_end_of_a_range_says_so():
    pairs = [(value, 0, None) for value in (0.09, 0.01, 0.02, 0.001)]
    assert "The best lies at the upper end" in by_range(pairs, Range(1e-4, 1e-1, log=True))


def test_nothing_from_the_settings_gets_into_the_page_unescaped(tmp_path):
    found = search(tmp_path, 14, lambda settings, _: settings["units"])
    text = write(found, [{"trial": 1, "mean": 0.5, "spread": None, "scores": {1: 0.5}}], "said").read_text()
    assert (tmp_path / FILE).exists()
    assert "<script" not in text
    assert "<b>mine" not in text
    assert "&lt;script&gt;" in text
    assert text.count("<svg") >= 4


def test_the_command_that_goes_on_looks_where_this_search_has_looked(tmp_path):
    """What is said is read again by what reads a command."""
    recipe = tfkit.load("tabular")
    given = {"table": tmp_path / "my table.csv", "target": "a b", "refit": True, "number": ["x", "y"], "encoding": None}
    fixed = {name: recipe.Config.of(given).words()[name] for name in given}
    where = space(recipe, ["units=64,128", "learning_rate=0.001..0.5", "dropout=0.1..0.4"], fixed)
    ledger = SimpleNamespace(asked={"settings": fixed, "method": "bayesian", "objective": "accuracy"})
    words = command(SimpleNamespace(ledger=ledger, recipe=recipe, fixed=fixed, space=where))
    settings = dict(word.split("=", 1) for word in words if "=" in word and word.split("=")[0] in given)
    assert {name: recipe.Config.of(settings).words()[name] for name in given} == fixed
    searched = [word for before, word in zip(words, words[1:], strict=False) if before == "--search"]
    assert len(searched) == 3
    assert space(recipe, searched, fixed) == where
    assert [word for word in words if word.startswith("--") or word in ("bayesian", "accuracy")][:4] == [
        "--method",
        "bayesian",
        "--objective",
        "accuracy",
    ]
