import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.test_replicas import process
from tfkit import devices
from tfkit.errors import UserError

CLUSTER = {"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 1}}
TINY = {"body": "mlp", "units": 8, "depth": 1, "epochs": 2, "batch_size": 2000, "dropout": 0.2}


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    """A process in which nothing was chosen, though TensorFlow has begun."""
    tf.constant(0)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(devices, "_chosen", {"word": "auto", "strategy": None})


def two_gpus(monkeypatch):
    gpus = [SimpleNamespace(name="GPU:0"), SimpleNamespace(name="GPU:1")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else ["CPU"])
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: SimpleNamespace(devices=devices))


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("mirored", "must be one of auto, cpu, .* Did you mean 'mirrored'.* Received: device=mirored"),
        ("gpu:1", "must be one of .* Received: device=gpu:1"),
        ("mirrored:1", "a whole number N above 1. Received: device=mirrored:1"),
        ("mirrored:two", "a whole number N above 1"),
        ("gpu", "needs a GPU that TensorFlow sees"),
        ("mirrored", "needs more than one GPU; mirrored:2 tries it with two parts of the CPU. Received: 0 GPUs"),
        ("multiworker", "needs the environment variable TF_CONFIG.* Received: 0 workers"),
        ("mirrored:2", "A process chooses its devices once.* Received: device=mirrored:2 after auto"),
    ],
)
def test_what_cannot_be_chosen_is_refused(word, words):
    with pytest.raises(UserError, match=words):
        devices.choose(word)
    assert devices.chosen() == "auto"


def test_more_replicas_than_gpus_are_refused(monkeypatch):
    two_gpus(monkeypatch)
    with pytest.raises(UserError, match=r"device=mirrored:3 needs 3 GPUs\. Received: 2"):
        devices.choose("mirrored:3")


@pytest.mark.parametrize("word", ["auto", "mirrored", "mirrored:2"])
def test_two_gpus_are_mirrored(word, monkeypatch):
    two_gpus(monkeypatch)
    devices.choose(word)
    assert devices.chosen() == "mirrored:2"
    assert devices._chosen["strategy"].devices == ["GPU:0", "GPU:1"]


@pytest.mark.parametrize("word", ["auto", "cpu"])
def test_one_device_has_no_strategy(word):
    devices.choose(word)
    assert (devices.chosen(), devices.replica_count(), devices.said()) == (word, 1, "")
    with devices.scope():
        assert not tf.distribute.has_strategy()


@pytest.mark.parametrize("words", ["{", "[1]"])
def test_a_damaged_tf_config_is_refused(words, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", words)
    with pytest.raises(UserError, match="TF_CONFIG must be JSON such as"):
        devices.choose()


def test_a_worker_that_is_not_the_chief_writes_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "about.json").write_text("{}")
    (tmp_path / "run" / "config.json.part").write_text("{")
    assert devices.folders("runs", tmp_path / "run") == ("runs", tmp_path / "run")
    monkeypatch.setenv("TF_CONFIG", json.dumps(CLUSTER))
    monkeypatch.setitem(devices._chosen, "word", "multiworker")
    out, resumed = devices.folders("runs", tmp_path / "run")
    assert resumed == out / "run"
    assert [path.name for path in resumed.iterdir()] == ["about.json"]
    assert devices.folders("runs", None)[1] is None
    with pytest.raises(UserError, match="Every worker must see the run that is resumed"):
        devices.folders("runs", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("task", "chief"),
    [
        (("worker", 0), True),
        (("worker", 1), False),
        (("chief", 0), True),
    ],
)
def test_the_first_worker_is_the_chief(task, chief, monkeypatch):
    config = {"cluster": CLUSTER["cluster"], "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    monkeypatch.setitem(devices._chosen, "word", "multiworker")
    assert devices.is_chief() == chief


def test_a_run_goes_on_with_the_device_that_it_began_on(tmp_path):
    (tmp_path / "about.json").write_text('{"device": "mirrored:2"}')
    assert devices.of_run("cpu", None, False) == "cpu"
    assert devices.of_run("cpu", tmp_path / "elsewhere", False) == "cpu"
    assert devices.of_run("auto", tmp_path, False) == "mirrored:2"
    assert devices.of_run("cpu", tmp_path, True) == "cpu"
    with pytest.raises(UserError, match=r"only on the device that it began on, mirrored:2; --anyway .*device=cpu"):
        devices.of_run("cpu", tmp_path, False)


# runs


def tfkit(*words):
    """The command, as a user types it."""
    done = subprocess.run(
        [sys.executable, "-m", "tfkit", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Path(done.stdout.splitlines()[-1])


def settings(tmp_path, **more):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({**TINY, **more}))
    return str(path)


def weights(run):
    from tfkit.inference.load_model import load_model

    return load_model(run / "model.keras").get_weights()


@pytest.mark.slow
def test_a_run_over_replicas_that_was_paused_ends_as_one_that_was_not(tmp_path):
    words = ["train", "tabular", "--settings", settings(tmp_path), "--no-test", "--out", str(tmp_path / "runs")]
    whole = tfkit(*words, "--device", "mirrored:2")
    paused = tfkit(*words, "--device", "mirrored:2", "--until", "1")
    resumed = tfkit("train", "--resume", str(paused))
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    about = json.loads((whole / "about.json").read_text())
    assert (about["device"], about["devices"]["replicas"]) == ("mirrored:2", 2)


@pytest.mark.slow
def test_of_two_workers_the_chief_writes_a_run_like_that_of_one_device(tmp_path):
    told = settings(tmp_path, dropout=0, optimizer="momentum")
    words = ["tfkit", "train", "tabular", "--settings", told, "--no-test"]
    chief, other = process(*words, "--out", str(tmp_path / "both"), workers=2)
    run = Path(chief.splitlines()[-1])
    assert other == ""
    assert [path.name for path in (tmp_path / "both").iterdir()] == [run.name]
    alone = tfkit(*words[1:], "--out", str(tmp_path / "alone"), "--device", "cpu")
    for one, two in zip(weights(alone), weights(run), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)
