"""Tests of `tfkit verify` on a recipe file, with real processes that are killed."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.errors import UserError
from tfkit.verification import CHECKS, subprocesses
from tfkit.verification.result import CheckResult

VERIFY_MODULE = import_module("tfkit.verification.verify")  # `tfkit.verification.verify` is the function
FAST = {"epochs": 2, "units": 8, "ensemble_size": 2, "num_bins": 8, "batch_size": 32, "refit": False}
RECIPE_SOURCE = tfkit.load_recipe("tabular").path.read_text(encoding="utf-8")
UNSEEDED = """

import random


@keras.saving.register_keras_serializable("mine")
class RandomScale(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.factor = random.SystemRandom().random()

    def call(self, x):
        return x * self.factor


def random_scale_model(config, data):
    inner = model(config, data)
    outer = keras.Model(inner.input, RandomScale()(inner.output), name="mine")
    outer.compile(inner.optimizer, inner.loss)
    return outer


recipe = recipe.replace(model=random_scale_model)
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=300), "word": random.choice(["a", "b"], 300)})
    frame["y"] = frame["x"] + (frame["word"] == "a")
    path = tmp_path_factory.mktemp("table") / "t.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.long
def test_recipe_of_tfkit_passes_every_check(table, tmp_path, capsys):
    settings = [f"{name}={value}" for name, value in {**FAST, "data": table, "target": "y"}.items()]
    assert main(["verify", "tabular", *settings, "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    assert all(line.startswith("yes  ") for line in lines)
    checkpoints = list((tmp_path / "out" / "killed").glob("*/checkpoints"))
    assert not checkpoints  # training has finished


@pytest.mark.long
def test_recipe_with_unseeded_layer_fails_every_check(table, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(RECIPE_SOURCE + UNSEEDED, encoding="utf-8")
    settings = [f"{name}={value}" for name, value in {**FAST, "data": table, "target": "y"}.items()]
    assert main(["verify", str(path), *settings]) == 2
    out, err = capsys.readouterr()
    repeated, killed, saved = (line for line in out.splitlines() if "replicas" not in line)
    assert repeated.startswith("no   two runs with the same seed are bit-identical: loss of epoch 1: ")
    assert killed.startswith("no   a killed and resumed run is bit-identical to an uninterrupted one: loss of epoch ")
    prefix = "no   a model loaded in a new process has bit-identical predictions to the saved one: the predictions for "
    assert saved.startswith(prefix)
    assert "checks failed" in err.splitlines()[-1]


def test_exit_code_and_output_follow_the_results(monkeypatch, capsys):
    checks = [lambda *arguments: CheckResult("first"), lambda *arguments: CheckResult("second", "somewhere")]
    monkeypatch.setattr(VERIFY_MODULE, "CHECKS", checks)
    assert main(["verify", "tabular"]) == 2
    out, err = capsys.readouterr()
    assert out == "yes  first\nno   second: somewhere\n"
    assert err == "tfkit: 1 of 2 checks failed\n"
    monkeypatch.setattr(VERIFY_MODULE, "CHECKS", checks[:1])
    assert main(["verify", "tabular"]) == 0


def test_check_receives_recipe_settings_and_folder(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(VERIFY_MODULE, "CHECKS", [lambda *arguments: calls.append(arguments) or CheckResult("first")])
    assert [result.passed for result in tfkit.verify("tabular", num_layers="2", out=tmp_path / "new")] == [True]
    [(path, settings, folder)] = calls
    assert path.endswith("tabular.py")
    assert settings == {"epochs": 2, "num_layers": 2}
    assert folder == tmp_path / "new"


def test_invalid_recipe_setting_or_folder_is_rejected(tmp_path):
    with pytest.raises(UserError, match=r"must have a file that other processes can read.*created in memory"):
        tfkit.verify(tfkit.load_recipe("tabular").replace(mode="min"))
    with pytest.raises(UserError, match=r"Did you mean 'num_layers'"):
        tfkit.verify("tabular", num_layer=3)
    with pytest.raises(UserError, match="`out` must not exist yet"):
        tfkit.verify("tabular", out=tmp_path)
    with pytest.raises(UserError, match="The folder `out` must be writable"):
        tfkit.verify("tabular", out="/proc/nowhere")


@pytest.mark.long
def test_error_of_a_process_is_raised(tmp_path):
    settings = {"data": str(tmp_path / "none.csv"), "target": "y"}
    with pytest.raises(UserError, match=r"must train with these settings to be verified. Received: .*none.csv"):
        subprocesses.reference_run(str(tfkit.load_recipe("tabular").path), settings, tmp_path)
