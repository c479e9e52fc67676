"""Device selection, and runs over several replicas or workers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.training.replicas.replica_cases import run_processes
from tfkit.errors import UserError
from tfkit.training import devices
from tfkit.training.replicas import scope

CLUSTER = {"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 1}}
TINY = {"architecture": "mlp", "units": 8, "num_layers": 1, "epochs": 2, "batch_size": 2000, "dropout": 0.2}


@pytest.fixture(autouse=True)
def nothing_selected(monkeypatch):
    """A process that has selected no device, though TensorFlow has started."""
    tf.constant(0)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(devices, "_selected", {"device": "auto", "strategy": None})


def two_gpus(monkeypatch):
    gpus = [SimpleNamespace(name="GPU:0"), SimpleNamespace(name="GPU:1")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else ["CPU"])
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: SimpleNamespace(devices=devices))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("mirored", "must be one of auto, cpu, .* Did you mean 'mirrored'.* Received: device=mirored"),
        ("gpu:1", "must be one of .* Received: device=gpu:1"),
        ("mirrored:1", "an integer N above 1. Received: device=mirrored:1"),
        ("mirrored:two", "an integer N above 1"),
        ("gpu", "needs a GPU that TensorFlow sees"),
        ("mirrored", "needs more than one GPU; mirrored:2 tries it with two virtual CPU devices. Received: 0 GPUs"),
        ("multiworker", "needs the environment variable TF_CONFIG.* Received: 0 workers"),
        ("mirrored:2", "A process selects its devices once.* Received: device=mirrored:2 after auto"),
    ],
)
def test_an_invalid_device_raises(device, message):
    with pytest.raises(UserError, match=message):
        devices.select_devices(device)
    assert devices.selected_device() == "auto"


def test_more_replicas_than_gpus_raise(monkeypatch):
    two_gpus(monkeypatch)
    with pytest.raises(UserError, match=r"device=mirrored:3 needs 3 GPUs\. Received: 2"):
        devices.select_devices("mirrored:3")


@pytest.mark.parametrize("device", ["auto", "mirrored", "mirrored:2"])
def test_two_gpus_are_mirrored(device, monkeypatch):
    two_gpus(monkeypatch)
    devices.select_devices(device)
    assert devices.selected_device() == "mirrored:2"
    assert devices._selected["strategy"].devices == ["GPU:0", "GPU:1"]


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_one_device_has_no_strategy(device):
    devices.select_devices(device)
    assert (devices.selected_device(), devices.replica_count(), devices.replica_suffix()) == (device, 1, "")
    with devices.strategy_scope():
        assert not tf.distribute.has_strategy()


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_an_invalid_tf_config_raises(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG must be JSON such as"):
        devices.select_devices()


def test_a_worker_that_is_not_the_chief_writes_to_a_temporary_folder(monkeypatch, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "provenance.json").write_text("{}")
    (tmp_path / "run" / "config.json.part").write_text("{")
    assert devices.worker_folders("runs", tmp_path / "run") == ("runs", tmp_path / "run")
    monkeypatch.setenv("TF_CONFIG", json.dumps(CLUSTER))
    monkeypatch.setitem(devices._selected, "device", "multiworker")
    out, resumed = devices.worker_folders("runs", tmp_path / "run")
    assert resumed == out / "run"
    assert [path.name for path in resumed.iterdir()] == ["provenance.json"]
    assert devices.worker_folders("runs", None)[1] is None
    with pytest.raises(UserError, match="Every worker must see the run to resume"):
        devices.worker_folders("runs", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("task", "is_chief"),
    [
        (("worker", 0), True),
        (("worker", 1), False),
        (("chief", 0), True),
    ],
)
def test_the_first_worker_is_the_chief(task, is_chief, monkeypatch):
    config = {"cluster": CLUSTER["cluster"], "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    monkeypatch.setitem(devices._selected, "device", "multiworker")
    assert devices.is_chief() == is_chief


def test_a_run_resumes_on_its_first_device(tmp_path):
    (tmp_path / "provenance.json").write_text('{"device": "mirrored:2"}')
    assert devices.device_for_resume("cpu", None, False) == "cpu"
    assert devices.device_for_resume("cpu", tmp_path / "elsewhere", False) == "cpu"
    assert devices.device_for_resume("auto", tmp_path, False) == "mirrored:2"
    assert devices.device_for_resume("cpu", tmp_path, True) == "cpu"
    with pytest.raises(UserError, match=r"only on its first device, mirrored:2; --ignore-versions .*device=cpu"):
        devices.device_for_resume("cpu", tmp_path, False)


# runs


def run_tfkit(*arguments):
    """Run the command line program in a process, and return the run folder that it prints."""
    process = subprocess.run(
        [sys.executable, "-m", "tfkit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return Path(process.stdout.splitlines()[-1])


def write_settings(tmp_path, **overrides):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({**TINY, **overrides}))
    return str(path)


def weights(run):
    from tfkit.inference.load_model import load_model

    return load_model(run / "model.keras").get_weights()


@pytest.mark.slow
def test_a_paused_run_over_replicas_resumes_to_the_same_weights(tmp_path):
    arguments = ["train", "tabular", "--config", write_settings(tmp_path), "--skip-test"]
    arguments += ["--out", str(tmp_path / "runs")]
    uninterrupted = run_tfkit(*arguments, "--device", "mirrored:2")
    paused = run_tfkit(*arguments, "--device", "mirrored:2", "--stop-after-epoch", "1")
    resumed = run_tfkit("train", "--resume", str(paused))
    for expected, weight in zip(weights(uninterrupted), weights(resumed), strict=True):
        np.testing.assert_array_equal(weight, expected)
    about = json.loads((uninterrupted / "provenance.json").read_text())
    assert (about["device"], about["devices"]["replicas"]) == ("mirrored:2", 2)


@pytest.mark.slow
@pytest.mark.skipif(not scope.is_sharding_enabled(), reason="TFKIT_SHARDED_STEP=0 switches sharded steps off")
def test_the_chief_of_two_workers_writes_a_run_equal_to_that_of_one_device(tmp_path):
    settings = write_settings(tmp_path, dropout=0, optimizer="momentum")
    arguments = ["tfkit", "train", "tabular", "--config", settings, "--skip-test"]
    chief_output, worker_output = run_processes(*arguments, "--out", str(tmp_path / "two"), workers=2)
    run = Path(chief_output.splitlines()[-1])
    assert worker_output == ""
    assert [path.name for path in (tmp_path / "two").iterdir()] == [run.name]
    single = run_tfkit(*arguments[1:], "--out", str(tmp_path / "single"), "--device", "cpu")
    for expected, weight in zip(weights(single), weights(run), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-5)
