"""Tests of interrupted training: checkpoints, exit codes, resume."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import tfkit
from tests.training.train_cases import FAST, single_member_model, to_arguments, write_table
from tfkit.cli.main import main
from tfkit.errors import Interrupted, UserError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table") / "shop.csv")


def train_and_interrupt(monkeypatch, num_steps, **settings):
    """Train with one step per call and interrupt after `num_steps` steps."""
    from tfkit.training.checkpoint import Checkpoint

    monkeypatch.setattr("tfkit.training.fit.SECONDS_PER_CALL", 0.0)

    calls = []
    original = Checkpoint.on_train_batch_end

    def count_steps(self, batch, logs=None):
        calls.append(batch)
        if len(calls) == num_steps:
            self.stop = signal.SIGTERM
        original(self, batch, logs)

    monkeypatch.setattr(Checkpoint, "on_train_batch_end", count_steps)
    with pytest.raises(Interrupted) as error:
        tfkit.train(**settings)
    monkeypatch.undo()
    return error.value


@pytest.mark.parametrize(
    ("refit", "num_steps"),
    [
        pytest.param(False, 17, marks=pytest.mark.slow, id="fit"),
        pytest.param(True, 17, marks=pytest.mark.slow, id="before"),
        pytest.param(True, 39, marks=pytest.mark.slow, id="refit"),
    ],
)
def test_resumed_run_equals_uninterrupted_run(table, tmp_path, monkeypatch, refit, num_steps):
    settings = {
        "recipe": "tabular",
        "data": table,
        "target": "bought",
        "quiet": True,
        **FAST,
        "epochs": 4,  # of 7 steps each; of 8 steps each in the refit
        "dropout": 0.2,
        "refit": refit,
    }
    uninterrupted = tfkit.train(**settings, out=tmp_path / "uninterrupted")
    interrupted = train_and_interrupt(monkeypatch, num_steps, **settings, out=tmp_path / "interrupted")
    assert interrupted.signal == signal.SIGTERM
    [folder] = (tmp_path / "interrupted").iterdir()
    assert (folder / "checkpoints-refit").exists() == (num_steps == 39)
    resumed = tfkit.train(resume=folder, quiet=True)
    assert resumed.folder == folder
    for weights, resumed_weights in zip(uninterrupted.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, resumed_weights)
    columns = ["epoch", "loss", "val_loss", "learning_rate"]
    pd.testing.assert_frame_equal(
        pd.read_csv(uninterrupted.folder / "history.csv")[columns], pd.read_csv(folder / "history.csv")[columns]
    )
    assert uninterrupted.metrics["test"] == resumed.metrics["test"]


@pytest.mark.slow
def test_resume_raises_if_settings_versions_or_data_differ(table, tmp_path, monkeypatch, capsys):
    settings = {"recipe": "tabular", "data": table, "target": "bought", "quiet": True, **FAST}
    train_and_interrupt(monkeypatch, 1, **settings, out=tmp_path, skip_test=True)
    [folder] = tmp_path.iterdir()
    with pytest.raises(UserError, match=r"start a new run for others. Received: epochs=9"):
        tfkit.train(resume=folder, quiet=True, epochs=9)
    provenance = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(
        json.dumps({**provenance, "versions": {**provenance["versions"], "keras": "3.0.0"}})
    )
    with pytest.raises(UserError, match=r"the same versions.*was 3\.0\.0"):
        tfkit.train(resume=folder, quiet=True)
    (folder / "provenance.json").write_text(json.dumps({**provenance, "data": "changed"}))
    with pytest.raises(UserError, match="only be resumed with its own data"):
        tfkit.train(resume=folder, quiet=True)
    with pytest.raises(UserError, match="must be finished; resume it with"):
        _ = tfkit.Run(folder).metrics
    (folder / "provenance.json").write_text(json.dumps(provenance))
    # the run was started with skip_test=True
    assert tfkit.train(resume=folder, ignore_versions=True, quiet=True).metrics["test"] == {}
    modified_before = (folder / "metrics.json").stat().st_mtime_ns
    assert main(["train", "--resume", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(folder)
    assert "Already finished" in err
    assert (folder / "metrics.json").stat().st_mtime_ns == modified_before


@pytest.mark.slow
@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_signal_sets_exit_code_and_leaves_a_checkpoint(table, tmp_path, signal_number, code):
    """A process stopped by a signal exits and leaves a checkpoint to resume."""
    settings = to_arguments({**FAST, "epochs": 3000})
    command = [sys.executable, "-m", "tfkit", "train", "tabular", f"data={table}", "target=bought", *settings]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (started := list(tmp_path.glob("*/history.jsonl"))) or not started[0].read_text():
        assert time.monotonic() < deadline, process.communicate()
        time.sleep(0.2)
    os.kill(process.pid, signal_number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code
    [folder] = tmp_path.iterdir()
    if signal_number != signal.SIGKILL:
        assert f"continue with --resume {folder}" in err
        assert list((folder / "checkpoints").glob("*.npz"))
    config = json.loads((folder / "config.json").read_text())
    assert config["epochs"] == 3000


@pytest.mark.slow
def test_resume_of_a_copied_recipe_needs_the_unchanged_file(table, tmp_path, monkeypatch):
    recipe_file = tmp_path / "tabular.py"  # the name of the bundled recipe, with an additional setting
    recipe_file.write_text(
        tfkit.load_recipe("tabular")
        .path.read_text()
        .replace("    embedding_dim:", "    own: int = 1  # unused\n    embedding_dim:")
    )
    settings = {"recipe": recipe_file, "data": table, "target": "bought", "quiet": True, **FAST}
    train_and_interrupt(monkeypatch, 1, **settings, out=tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    recipe_file.write_text(recipe_file.read_text() + "\n")
    with pytest.raises(UserError, match=r"its own recipe file, which is recipe.py in the run.*which differs"):
        tfkit.train(resume=folder, quiet=True)
    recipe_file.write_text(recipe_file.read_text()[:-1])
    assert tfkit.train(resume=folder, quiet=True).config["own"] == 1


def wrong_output_shape(config, data):
    import keras

    inputs = tfkit.keras_inputs(data.train)
    model = keras.Model(inputs, keras.layers.Dense(7)(inputs["numbers"]))
    model.compile("sgd", "mse")
    return model


@pytest.mark.slow
def test_custom_model_is_checked_and_required_to_resume(table, tmp_path, monkeypatch):
    settings = {"data": table, "target": "bought", "quiet": True, **FAST}
    with pytest.raises(UserError, match=r"logits \(rows, classes\).*shape \(None, 7\)"):
        tfkit.train(tfkit.load_recipe("tabular").replace(model=wrong_output_shape), out=tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()
    custom = tfkit.load_recipe("tabular").replace(model=single_member_model)
    train_and_interrupt(monkeypatch, 1, recipe=custom, out=tmp_path / "runs", **settings)
    [folder] = (tmp_path / "runs").iterdir()
    assert not (folder / "recipe.py").exists()
    with pytest.raises(UserError, match="was created in Python; pass it again"):
        tfkit.train(resume=folder, quiet=True)
    assert tfkit.train(custom, resume=folder, quiet=True).finished
