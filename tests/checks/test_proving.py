"""`tfkit check` on a page: real processes, killed for real."""

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.checks import processes, proving
from tfkit.checks.proof import Proof
from tfkit.cli import main
from tfkit.errors import UserError

FAST = {"epochs": 2, "units": 8, "members": 2, "bins": 8, "batch_size": 32, "refit": False}
PAGE = tfkit.load("tabular").page.read_text(encoding="utf-8")
UNSEEDED = """

import random


@keras.saving.register_keras_serializable("mine")
class Shaken(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.factor = random.SystemRandom().random()

    def call(self, x):
        return x * self.factor


def shaken(config, data):
    inner = model(config, data)
    outer = keras.Model(inner.input, Shaken()(inner.output), name="mine")
    outer.compile(inner.optimizer, inner.loss)
    return outer


recipe = recipe.replace(model=shaken)
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
def test_a_page_that_ships_keeps_every_promise(table, tmp_path, capsys):
    words = [f"{name}={value}" for name, value in {**FAST, "table": table, "target": "y"}.items()]
    assert main(["check", "tabular", *words, "--out", str(tmp_path / "proofs")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(proving.PROOFS)
    assert all(line.startswith("yes  ") for line in lines)
    checkpoints = list((tmp_path / "proofs" / "killed").glob("*/checkpoints"))
    assert not checkpoints  # it went on to its end


@pytest.mark.long
def test_a_layer_with_chance_of_its_own_breaks_every_promise(table, tmp_path, capsys):
    page = tmp_path / "mine.py"
    page.write_text(PAGE + UNSEEDED, encoding="utf-8")
    words = [f"{name}={value}" for name, value in {**FAST, "table": table, "target": "y"}.items()]
    assert main(["check", str(page), *words]) == 2
    out, err = capsys.readouterr()
    repeated, killed, saved = (line for line in out.splitlines() if "replicas" not in line)
    assert repeated.startswith("no   the same seed twice gives the same bits: loss of epoch 1: ")
    assert killed.startswith("no   killed and resumed equals straight, bit for bit: loss of epoch ")
    assert saved.startswith("no   saved equals loaded in a fresh process, bit for bit: the answers to ")
    assert "proofs failed" in err.splitlines()[-1]


def test_the_exit_code_and_the_lines_follow_the_proofs(monkeypatch, capsys):
    proofs = [lambda *asked: Proof("one"), lambda *asked: Proof("two", "somewhere")]
    monkeypatch.setattr(proving, "PROOFS", proofs)
    assert main(["check", "tabular"]) == 2
    out, err = capsys.readouterr()
    assert out == "yes  one\nno   two: somewhere\n"
    assert err == "tfkit: 1 of 2 proofs failed\n"
    monkeypatch.setattr(proving, "PROOFS", proofs[:1])
    assert main(["check", "tabular"]) == 0


def test_a_proof_is_asked_with_the_page_and_the_settings_that_were_given(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(proving, "PROOFS", [lambda *given: asked.append(given) or Proof("one")])
    assert [proof.holds for proof in tfkit.check("tabular", depth="2", out=tmp_path / "new")] == [True]
    [(page, settings, folder)] = asked
    assert page.endswith("tabular.py")
    assert settings == {"epochs": 2, "depth": 2}
    assert folder == tmp_path / "new"


def test_what_cannot_be_proved_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"needs a page that other processes can read.*made in memory"):
        tfkit.check(tfkit.load("tabular").replace(mode="min"))
    with pytest.raises(UserError, match=r"Did you mean 'depth'"):
        tfkit.check("tabular", dept=3)
    with pytest.raises(UserError, match="`out` must not be there yet"):
        tfkit.check("tabular", out=tmp_path)
    with pytest.raises(UserError, match="The folder for proofs must be writable"):
        tfkit.check("tabular", out="/proc/nowhere")


@pytest.mark.long
def test_the_last_words_of_a_process_are_handed_on(tmp_path):
    settings = {"table": str(tmp_path / "none.csv"), "target": "y"}
    with pytest.raises(UserError, match=r"must train with these settings, to be proved. Received: .*none.csv"):
        processes.straight(str(tfkit.load("tabular").page), settings, tmp_path)
