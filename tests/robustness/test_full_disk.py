"""Tests of a full disk and of exhausted device memory: a one-line error, and a complete last checkpoint."""

import dataclasses
import os
import subprocess

import pytest

import tfkit
from tfkit.cli.main import main

SMALL = {"epochs": 3, "architecture": "mlp", "units": 64, "num_bins": 8, "batch_size": 64, "refit": False}
GREEDY_RECIPE = """

@keras.saving.register_keras_serializable("mine")
class Greedy(keras.layers.Layer):
    def call(self, x):
        import tensorflow as tf

        num_rows = tf.cast(tf.shape(x)[0], "int64")
        size = tf.where(num_rows > 8, num_rows * 2**45, 1)  # the eight preflight rows fit
        return x + 0 * tf.reduce_sum(tf.fill([size], tf.reduce_sum(x)))


def greedy(config, data):
    inner = model(config, data)
    outer = keras.Model(inner.input, Greedy()(inner.output))
    outer.compile(inner.optimizer, inner.loss)
    return outer


recipe = recipe.replace(model=greedy)
"""


@pytest.fixture
def settings(tmp_path):
    """Create a small table, and return the settings to train on it, as for the command line."""
    lines = "".join(f"{i % 7},{'xyz'[i % 3]},{i % 7 + i % 3}\n" for i in range(300))
    (tmp_path / "t.csv").write_text("a,b,y\n" + lines)
    return [f"{name}={value}" for name, value in {**SMALL, "data": tmp_path / "t.csv", "target": "y"}.items()]


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of four megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    completed = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], capture_output=True)
    if completed.returncode:
        pytest.skip("mounting a disk is not permitted")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.slow
def test_full_disk_is_one_line_and_training_resumes_from_a_complete_checkpoint(disk, settings, capsys):
    assert main(["train", "tabular", *settings, "--stop-after-epoch", "1", "--out", str(disk), "--quiet"]) == 0
    run = capsys.readouterr().out.strip()
    checkpoints = {path: path.read_bytes() for path in disk.rglob("*.npz")}
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "full").write_bytes(bytes(free - 100_000))
    assert checkpoints
    for _ in range(2):
        assert main(["train", "--resume", run, "--quiet"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        message = "The disk must have space for a checkpoint; free some, then continue with --resume"
        assert err.startswith(f"tfkit: {message}")
        assert err.endswith("No space left on device\n")
        assert {path: path.read_bytes() for path in disk.rglob("*.npz")} == checkpoints
        assert not list(disk.rglob("*.part"))
    (disk / "full").unlink()
    assert main(["train", "--resume", run, "--quiet"]) == 0
    assert tfkit.Run(run).finished


@pytest.mark.slow
def test_disk_that_is_full_from_the_start_creates_no_run(disk, settings, capsys):
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "full").write_bytes(bytes(free - 100_000))
    assert main(["train", "tabular", *settings, "--out", str(disk / "runs"), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (disk / "runs").exists()


@pytest.mark.slow
def test_exhausted_memory_is_one_line_with_a_smaller_batch_size(settings, tmp_path, capsys):
    recipe = tmp_path / "mine.py"
    recipe.write_text(tfkit.load_recipe("tabular").path.read_text(encoding="utf-8") + GREEDY_RECIPE, encoding="utf-8")
    assert main(["train", str(recipe), *settings, "--out", str(tmp_path / "runs"), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("tfkit: A step must fit into the memory of the device; use a smaller batch_size, such as 32.")
    assert "Received: batch_size=64, for which TensorFlow reports: " in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_training_resumes_after_the_memory_was_exhausted(settings, tmp_path):
    """A step of the second epoch allocates about 70 TB."""
    import tensorflow as tf

    recipe, is_greedy = tfkit.load_recipe("tabular"), [True]

    def data(config):
        original = recipe.data(config)

        def augment(x, y, weight, random):
            if is_greedy:
                row = tf.cast(random[1], "int32")
                shape = [row * 20_000, row * 20_000]
                factor = tf.cond(row < len(original.train), lambda: 1.0, lambda: tf.reduce_max(tf.fill(shape, 1.0)))
                x = {**x, "numbers": x["numbers"] * factor}
            return x, y, weight

        return dataclasses.replace(original, augment=augment)

    changed = recipe.replace(data=data)
    options = dict(setting.split("=", 1) for setting in settings)
    with pytest.raises(tfkit.UserError, match="memory of the device; use a smaller batch_size, such as 32"):
        tfkit.train(changed, out=tmp_path / "runs", quiet=True, report=False, **options)
    is_greedy.clear()
    [folder] = (tmp_path / "runs").iterdir()
    run = tfkit.train(changed, resume=folder, quiet=True, report=False)
    assert len(run.path("history.csv").read_text().splitlines()) == 1 + SMALL["epochs"]
