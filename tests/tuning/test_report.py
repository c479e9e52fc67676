"""HTML report of a search, including searches with too few trials for a conclusion."""

from types import SimpleNamespace

import numpy as np
import pytest

import tfkit
from tfkit.search_space import Choice, Range
from tfkit.tuning.keras_tuner_space import default_search_space, make_search_space
from tfkit.tuning.report.importance import importance_section, permutation_importances
from tfkit.tuning.report.next_commands import search_arguments
from tfkit.tuning.report.setting_plots import score_by_setting_section, summarize_range
from tfkit.tuning.report.write import REPORT_FILE, write
from tfkit.tuning.study import Trial

SPACE = {
    "learning_rate": Range(1e-4, 1e-1, log=True),
    "units": Choice((1, 2, 4)),
    "architecture": Choice(("a", "<script>")),
}


def make_search(tmp_path, count, loss):
    """Search whose scores are a function of the settings."""
    random = np.random.default_rng(0)
    trials = []
    for i in range(count):
        settings = {
            "learning_rate": float(10 ** random.uniform(-4, -1)),
            "units": int(random.choice([1, 2, 4])),
            "architecture": str(random.choice(["a", "<script>"])),
        }
        trials.append(Trial(i + 1, settings, state="done", score=float(loss(settings, random)), epochs=3, seconds=1.0))
    trials.sort(key=lambda trial: trial.score)
    study = SimpleNamespace(
        trials=trials,
        ranked_trials=lambda mode: trials,
        search_trials=lambda: trials,
        objective="log_loss",
        folder=tmp_path,
        default_settings={},
        winner=None,
        request={"settings": {}, "algorithm": "random", "objective": None},
    )
    recipe = SimpleNamespace(name="<b>mine", path=None, search_space={}, Config=tfkit.Config)
    return SimpleNamespace(
        study=study,
        space=SPACE,
        objective_mode="min",
        recipe=recipe,
        monitor="val_loss",
        fixed={},
        monitored_values=lambda trial: [1.0, 0.5, trial.score],
    )


def test_setting_that_determines_the_score_has_the_highest_importance(tmp_path):
    search = make_search(tmp_path, 60, lambda settings, _: abs(np.log10(settings["learning_rate"]) + 2))
    r2, shares = permutation_importances(search, search.study.trials)
    assert r2 > 0.8
    assert shares["learning_rate"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_random_scores_have_no_importance(tmp_path):
    search = make_search(tmp_path, 40, lambda settings, random: random.normal())
    text = importance_section(search, search.study.trials).paragraphs[0]
    assert "The importance cannot be estimated from these trials" in text


def test_few_trials_have_no_importance(tmp_path):
    search = make_search(tmp_path, 5, lambda settings, _: settings["units"])
    section = importance_section(search, search.study.trials)
    assert section.paragraphs == ["At least 12 finished trials are needed; there are 5."]


def test_few_trials_are_not_plotted(tmp_path):
    search = make_search(tmp_path, 8, lambda settings, _: settings["units"])
    assert len(score_by_setting_section(search, search.study.trials).figures) == len(search.space)
    section = score_by_setting_section(search, search.study.trials[:7])
    assert not section.figures
    assert section.paragraphs[0].startswith("7 finished trials say little about single settings")


def test_summary_reports_a_best_value_at_the_end_of_its_range():
    points = [(value, 0, None) for value in (0.09, 0.01, 0.02, 0.001)]
    assert "The best value is at the upper end" in summarize_range(points, Range(1e-4, 1e-1, log=True))


def test_report_escapes_the_settings(tmp_path):
    search = make_search(tmp_path, 14, lambda settings, _: settings["units"])
    text = write(search, [{"trial": 1, "mean": 0.5, "std": None, "scores": {1: 0.5}}], "verdict").read_text()
    assert (tmp_path / REPORT_FILE).exists()
    assert "<script" not in text
    assert "<b>mine" not in text
    assert "&lt;script&gt;" in text
    assert text.count("<svg") >= 4


def test_search_arguments_define_the_same_search(tmp_path):
    """The printed arguments are parsed as on the command line."""
    recipe = tfkit.load_recipe("tabular")
    values = {
        "data": tmp_path / "my table.csv",
        "target": "a b",
        "refit": True,
        "numeric_columns": ["x", "y"],
        "encoding": None,
    }
    fixed = {name: recipe.Config.from_dict(values).to_dict()[name] for name in values}
    space = make_search_space(recipe, ["units=64,128", "learning_rate=0.001..0.5", "dropout=0.1..0.4"], fixed)
    study = SimpleNamespace(request={"settings": fixed, "algorithm": "bayesian", "objective": "accuracy"})
    arguments = search_arguments(SimpleNamespace(study=study, recipe=recipe, fixed=fixed, space=space))
    settings = dict(
        argument.split("=", 1) for argument in arguments if "=" in argument and argument.split("=")[0] in values
    )
    assert {name: recipe.Config.from_dict(settings).to_dict()[name] for name in values} == fixed
    domains = [value for flag, value in zip(arguments, arguments[1:], strict=False) if flag == "--search"]
    assert len(domains) == 3
    assert make_search_space(recipe, domains, fixed) == space
    flags = [argument for argument in arguments if argument.startswith("--") or argument in ("bayesian", "accuracy")]
    assert flags[:4] == [
        "--algorithm",
        "bayesian",
        "--objective",
        "accuracy",
    ]


def test_search_arguments_if_all_default_domains_are_fixed(tmp_path):
    recipe = tfkit.load_recipe("tabular")
    fixed = {name: recipe.Config().to_dict()[name] for name in default_search_space(recipe)}
    space = make_search_space(recipe, ["embedding_dim=4,8"], fixed)
    study = SimpleNamespace(request={"settings": {}, "algorithm": "random", "objective": None})
    arguments = search_arguments(SimpleNamespace(study=study, recipe=recipe, fixed=fixed, space=space))
    assert arguments == ["--search", "embedding_dim=4,8"]
