import json
from pathlib import Path

import numpy as np
import pytest

import tfkit
from tfkit.metadata import Metadata, Target
from tfkit.reporting.diagnostics import DIAGNOSTICS, curves, diagnose, scores, settings, weights
from tfkit.reporting.run_results import RunResults

HEALTHY = json.loads((Path(__file__).parent / "healthy.json").read_text(encoding="utf-8"))
CONFIG = {
    "learning_rate": 0.01,
    "learning_rate_schedule": "none",
    "epochs": 20,
    "dropout": 0.1,
    "num_layers": 3,
    "optimizer": "adam",
    "weight_decay": 0.0,
    "balance_classes": False,
    "units": 64,
}
BINARY = Target(name="y", task="classification", classes=["no", "yes"], positive_class="yes")
RARE_YES = BINARY.model_copy(update={"counts": {"no": 900, "yes": 12}})


@pytest.fixture
def run(tmp_path):
    for name in ("config.json", "provenance.json"):
        (tmp_path / name).write_text("{}")
    return tfkit.Run(tmp_path)


def record(run, loss=(), val=(), metrics=None, analysis=None, config=None, target=BINARY, provenance=None, **extra):
    """Results of a run with these curves, scores and analyses."""
    columns = {"loss": loss, "val_loss": val, **extra}
    epochs = max(map(len, columns.values()))
    history = [{"epoch": i + 1.0, **{n: float(v[i]) for n, v in columns.items() if len(v)}} for i in range(epochs)]
    all_metrics = {"test": {}, "baselines": {}, "classes": {}} | (metrics or {})
    metadata, all_settings = Metadata(target=target), CONFIG | (config or {})
    return RunResults(
        run, metadata, all_settings, {"recipe": "tabular"} | (provenance or {}), all_metrics, history, analysis or {}
    )


def falling(start, end, epochs, bend=5.0):
    """A loss that falls exponentially from `start` to `end`."""
    steps = np.arange(epochs)
    return end + (start - end) * np.exp(-bend * steps / max(1, epochs - 1))


def bowl(start, low, end, best, epochs):
    """A loss that falls until epoch `best` and rises afterwards."""
    return np.r_[falling(start, low, best), np.linspace(low, end, epochs - best + 1)[1:]]


OSCILLATING = np.array([1.0, 0.5, 0.9, 0.4, 1.0, 0.5, 0.8, 0.45])
CONVERGING = falling(1.0, 0.3, 20)
VANISHING = {
    "gradients": [
        {"weight": "a/kernel", "norm": 1.0, "weight_norm": 3.0},
        {"weight": "b/kernel", "norm": 1e-9, "weight_norm": 3.0},
    ]
}
MODERATE = {
    "gradients": [
        {"weight": "a/kernel", "norm": 1.0, "weight_norm": 3.0},
        {"weight": "b/kernel", "norm": 1e-4, "weight_norm": 3.0},
    ]
}

CONSTANT, LINEAR = {"log_loss": 0.69}, {"log_loss": 0.40}
POOR = {"test": {"log_loss": 0.65}, "baselines": {"dummy": CONSTANT, "linear": LINEAR}}
GOOD = {"test": {"log_loss": 0.35}, "baselines": {"dummy": CONSTANT, "linear": LINEAR}}
GUESSING = {"test": {"log_loss": 0.70}, "baselines": {"dummy": CONSTANT, "linear": {"log_loss": 0.695}}}
LEAK = "id alone predicts 99.9% of y; if it is not known at prediction time, set exclude_columns=id"
FAR = {"default_settings": {"learning_rate": 0.01, "dropout": 0.1}}

CASES = {  # diagnostic function -> a run with the problem, and a similar run without it
    curves.overfitting: (
        {"loss": falling(1.0, 0.1, 20, bend=2), "val": bowl(1.0, 0.5, 0.9, 8, 20)},
        {"loss": falling(1.0, 0.1, 20, bend=2), "val": bowl(1.0, 0.5, 0.53, 8, 20)},
    ),
    settings.far_settings: (
        {"metrics": POOR, "loss": CONVERGING, "config": {"learning_rate": 1.0}, "provenance": FAR},
        {"metrics": GOOD, "loss": CONVERGING, "config": {"learning_rate": 0.05, "dropout": 0.9}, "provenance": FAR},
    ),
    scores.too_few_rows: (
        {"metrics": POOR, "loss": CONVERGING, "provenance": {"rows": [42, 9, 9]}},
        {"metrics": GOOD, "loss": CONVERGING, "provenance": {"rows": [42, 9, 9]}},
    ),
    scores.no_better_than_guessing: ({"metrics": GUESSING, "loss": CONVERGING}, {"metrics": POOR, "loss": CONVERGING}),
    curves.generalization_gap: (
        {"metrics": POOR, "loss": falling(0.7, 0.12, 20), "val": falling(0.7, 0.45, 20)},
        {"metrics": GOOD, "loss": falling(0.7, 0.12, 20), "val": falling(0.7, 0.45, 20)},
    ),
    scores.leakage: (
        {"loss": CONVERGING, "provenance": {"warnings": [LEAK]}},
        {"loss": CONVERGING, "provenance": {"warnings": ["the test split has no row of c"]}},
    ),
    curves.diverging: (
        {"loss": bowl(1.0, 0.4, 2.0, 5, 12), "val": bowl(1.0, 0.4, 2.0, 5, 12)},
        {"loss": bowl(1.0, 0.4, 0.45, 5, 12), "val": bowl(1.0, 0.4, 2.0, 5, 12)},
    ),
    curves.still_improving: (
        {"loss": np.linspace(2.0, 1.0, 10), "val": np.linspace(2.0, 1.0, 10)},
        {"loss": falling(2.0, 1.0, 10), "val": falling(2.0, 1.0, 10)},
    ),
    curves.plateau: (
        {"loss": falling(1.0, 0.5, 30, bend=40), "val": np.r_[1.0, 0.5, 0.45, np.full(27, 0.452)]},
        {"loss": CONVERGING, "val": CONVERGING},
    ),
    curves.learning_rate_too_high: (
        {"loss": OSCILLATING, "val": OSCILLATING},
        {"loss": 0.3 + 0.1 * OSCILLATING + falling(1.0, 0.0, 8), "val": CONVERGING[:8]},
    ),
    curves.learning_rate_too_low: (
        {"loss": np.linspace(1.0, 0.95, 10), "val": np.linspace(1.0, 0.95, 10)},
        {"loss": falling(1.0, 0.95, 10, bend=2), "val": falling(1.0, 0.95, 10, bend=2)},
    ),
    curves.metric_stalled: (
        {"loss": CONVERGING, "val": CONVERGING, "val_accuracy": np.full(20, 0.75)},
        {"loss": CONVERGING, "val": CONVERGING, "val_accuracy": np.linspace(0.75, 0.77, 20)},
    ),
    curves.not_finite: (
        {"loss": np.r_[1.0, 0.8, np.nan, 0.7], "val": np.r_[1.0, 0.8, 0.8, 0.7], "gradient_norm": [1.0, 9, 1, 1]},
        {"loss": np.r_[1.0, 0.8, 8.0, 0.7], "val": np.r_[1.0, 0.8, 0.8, 0.7]},
    ),
    scores.baseline_wins: (
        {
            "metrics": {
                "best_baseline": {
                    "score": "accuracy",
                    "baseline": "linear",
                    "model": 0.8,
                    "baseline_score": 0.85,
                    "interval": [-0.08, -0.02],
                    "better": [-0.08, -0.02],
                }
            }
        },
        {
            "metrics": {
                "best_baseline": {
                    "score": "accuracy",
                    "baseline": "linear",
                    "model": 0.8,
                    "baseline_score": 0.85,
                    "interval": [-0.11, 0.001],
                    "better": [-0.11, 0.001],
                }
            }
        },
    ),
    scores.underfitting: (
        {
            "loss": falling(0.69, 0.62, 9),
            "val": falling(0.69, 0.62, 9),
            "metrics": {
                "test": {"log_loss": 0.62},
                "baselines": {"dummy": {"log_loss": 0.69}, "linear": {"log_loss": 0.3}},
            },
        },
        {
            "loss": falling(0.69, 0.45, 9),
            "val": falling(0.69, 0.45, 9),
            "metrics": {
                "test": {"log_loss": 0.45},
                "baselines": {"dummy": {"log_loss": 0.69}, "linear": {"log_loss": 0.3}},
            },
        },
    ),
    scores.predicts_one_class: (
        {
            "metrics": {
                "test": {"log_loss": 0.2, "accuracy": 0.95, "recall": 0.0},
                "baselines": {"dummy": {"log_loss": 0.3, "accuracy": 0.95}},
            }
        },
        {
            "metrics": {
                "test": {"log_loss": 0.2, "accuracy": 0.96, "recall": 0.3},
                "baselines": {"dummy": {"log_loss": 0.3, "accuracy": 0.95}},
            }
        },
    ),
    scores.rare_class: (
        {
            "metrics": {"classes": {"no": {"recall": 0.9}, "yes": {"recall": 0.2}}},
            "target": RARE_YES,
        },
        {
            "metrics": {"classes": {"no": {"recall": 0.9}, "yes": {"recall": 0.8}}},
            "target": RARE_YES,
        },
    ),
    weights.exploding: (
        {"gradient_norm": [1.0, 1.2, 0.9, 1.1, 80.0, 1.0], "analysis": {"learning": VANISHING}},
        {"gradient_norm": [1.0, 1.2, 0.9, 1.1, 8.0, 1.0], "analysis": {"learning": VANISHING}},
    ),
    weights.vanishing: (
        {"val": CONVERGING, "analysis": {"learning": VANISHING}},
        {"val": CONVERGING, "analysis": {"learning": MODERATE}},
    ),
    weights.dead_units: (
        {"val": CONVERGING, "analysis": {"learning": {"dead": [{"layer": "dense", "units": 64, "dead": 50}]}}},
        {"val": CONVERGING, "analysis": {"learning": {"dead": [{"layer": "dense", "units": 64, "dead": 20}]}}},
    ),
}


def test_every_diagnostic_has_a_case():
    assert set(CASES) == set(DIAGNOSTICS)


@pytest.mark.parametrize("diagnose", CASES, ids=lambda diagnose: diagnose.__name__)
def test_diagnosis_has_numbers_and_a_command(diagnose, run):
    diagnosis = diagnose(record(run, **CASES[diagnose][0]))
    assert diagnosis is not None
    assert any(character.isdigit() for character in diagnosis.evidence)
    if diagnose in (scores.too_few_rows, scores.no_better_than_guessing):
        assert not diagnosis.command, "no setting helps"
        return
    assert diagnosis.command.startswith(("tfkit train tabular --config ", "tfkit tune tabular --config "))


@pytest.mark.parametrize("diagnose", CASES, ids=lambda diagnose: diagnose.__name__)
def test_similar_run_without_the_problem_has_no_diagnosis(diagnose, run):
    assert diagnose(record(run, **CASES[diagnose][1])) is None


@pytest.mark.parametrize("diagnose", CASES, ids=lambda diagnose: diagnose.__name__)
def test_run_without_data_has_no_diagnosis(diagnose, run):
    assert diagnose(record(run, target=BINARY.model_copy(update={"task": "custom"}))) is None


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_run_has_no_diagnosis(name, run):
    metadata = Metadata.from_dict(HEALTHY[name]["metadata"])
    names = ("config", "provenance", "metrics", "history", "analysis")
    diagnoses = diagnose(RunResults(run, metadata, *(HEALTHY[name][key] for key in names)))
    assert [diagnosis.finding for diagnosis in diagnoses] == []


def test_there_are_twenty_healthy_runs():
    assert len(HEALTHY) == 20


def test_commands_have_valid_settings_of_the_recipe(run):
    config = tfkit.load_recipe("tabular").Config
    for case, _ in CASES.values():
        for diagnosis in diagnose(record(run, **case)):
            for argument in diagnosis.command.split()[5:]:
                if "=" in argument:
                    name, _, value = argument.partition("=")
                    config.validate_setting(name, value)


def test_range_test_has_priority_over_the_curve(run):
    analysis = {"lr_range_test": {"suggestion": 1e-4, "low": 1e-6, "high": 1.0}}
    assert (
        "suggests 0.0001"
        in curves.learning_rate_too_high(record(run, CONVERGING, CONVERGING, analysis=analysis)).evidence
    )
    assert (
        curves.learning_rate_too_high(
            record(run, CONVERGING, CONVERGING, analysis=analysis, config={"learning_rate": 4e-4})
        )
        is None
    )
    analysis = {"lr_range_test": {"suggestion": 0.5, "low": 1e-6, "high": 1.0}}
    assert (
        "learning_rate=0.5"
        in curves.learning_rate_too_low(record(run, CONVERGING, CONVERGING, analysis=analysis)).command
    )


@pytest.mark.parametrize(("interval", "is_guessing"), [([0.60, 0.70], True), ([0.60, 0.68], False), (None, False)])
def test_a_small_gain_is_guessing_if_the_interval_contains_that_of_a_constant(run, interval, is_guessing):
    metrics = {"test": {"log_loss": 0.67}, "baselines": {"dummy": CONSTANT, "linear": {"log_loss": 0.70}}}
    metrics["intervals"] = {"log_loss": interval} if interval else {}
    diagnosis = scores.no_better_than_guessing(record(run, CONVERGING, metrics=metrics))
    assert (diagnosis is not None) == is_guessing


def test_settings_are_named_before_what_follows_from_them(run):
    bad = {"metrics": POOR, "loss": OSCILLATING, "val": OSCILLATING}
    assert len(diagnose(record(run, **bad))) == 1
    changed = record(run, **bad, config={"learning_rate": 1.0, "dropout": 0.9}, provenance=FAR)
    [diagnosis] = diagnose(changed)
    assert diagnosis.finding == "The learning rate and fraction of dropped units are far from the default"
    assert diagnosis.command.endswith("learning_rate=0.01 dropout=0.1")
