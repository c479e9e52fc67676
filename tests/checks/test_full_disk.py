"""A disk that is really full, and a device that really has no memory left: one line, and a whole last checkpoint."""

import dataclasses
import os
import subprocess

import pytest

import tfkit
from tfkit.cli import main

SMALL = {"epochs": 3, "body": "mlp", "units": 64, "bins": 8, "batch_size": 64, "refit": False}
OWN = """

@keras.saving.register_keras_serializable("mine")
class Greedy(keras.layers.Layer):
    def call(self, x):
        import tensorflow as tf

        rows = tf.cast(tf.shape(x)[0], "int64")
        wanted = tf.where(rows > 8, rows * 2**45, 1)  # the eight that are tried before training fit
        return x + 0 * tf.reduce_sum(tf.fill([wanted], tf.reduce_sum(x)))


def greedy(config, data):
    inner = model(config, data)
    outer = keras.Model(inner.input, Greedy()(inner.output))
    outer.compile(inner.optimizer, inner.loss)
    return outer


recipe = recipe.replace(model=greedy)
"""


@pytest.fixture
def words(tmp_path):
    """What trains on a small table."""
    lines = "".join(f"{i % 7},{'xyz'[i % 3]},{i % 7 + i % 3}\n" for i in range(300))
    (tmp_path / "t.csv").write_text("a,b,y\n" + lines)
    return [f"{name}={value}" for name, value in {**SMALL, "table": tmp_path / "t.csv", "target": "y"}.items()]


@pytest.fixture
def disk(tmp_path):
    """A disk of four megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], capture_output=True)
    if done.returncode:
        pytest.skip("who runs this may not mount a disk")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_stops_with_a_word_and_goes_on_from_a_whole_checkpoint(disk, words, capsys):
    assert main(["train", "tabular", *words, "--until", "1", "--out", str(disk), "--quiet"]) == 0
    run = capsys.readouterr().out.strip()
    before = {path: path.read_bytes() for path in disk.rglob("*.npz")}
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "full").write_bytes(bytes(free - 100_000))
    assert before
    for _ in range(2):
        assert main(["train", "--resume", run, "--quiet"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        message = "The disk must have space for a checkpoint; free some, then continue with --resume"
        assert err.startswith(f"tfkit: {message}")
        assert err.endswith("No space left on device\n")
        assert {path: path.read_bytes() for path in disk.rglob("*.npz")} == before
        assert not list(disk.rglob("*.part"))
    (disk / "full").unlink()
    assert main(["train", "--resume", run, "--quiet"]) == 0
    assert tfkit.Run(run).finished


@pytest.mark.slow
def test_a_disk_that_is_full_from_the_start_leaves_no_run(disk, words, capsys):
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "full").write_bytes(bytes(free - 100_000))
    assert main(["train", "tabular", *words, "--out", str(disk / "runs"), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (disk / "runs").exists()


@pytest.mark.slow
def test_a_device_without_memory_ends_with_a_line_that_names_a_smaller_batch(words, tmp_path, capsys):
    page = tmp_path / "mine.py"
    page.write_text(tfkit.load("tabular").page.read_text(encoding="utf-8") + OWN, encoding="utf-8")
    assert main(["train", str(page), *words, "--out", str(tmp_path / "runs"), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        "tfkit: A step must fit into the memory of the device; give a smaller batch_size, such as 32."
    )
    assert "Received: batch_size=64, of which it says: " in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_what_was_saved_before_the_memory_ran_out_goes_on(words, tmp_path):
    """In the second epoch a step asks for some 70 TB."""
    import tensorflow as tf

    recipe, greedy = tfkit.load("tabular"), [True]

    def data(config):
        found = recipe.data(config)

        def augment(x, y, weight, random):
            if greedy:
                seen = tf.cast(random[1], "int32")
                size = [seen * 20_000, seen * 20_000]
                more = tf.cond(seen < len(found.train), lambda: 1.0, lambda: tf.reduce_max(tf.fill(size, 1.0)))
                x = {**x, "numbers": x["numbers"] * more}
            return x, y, weight

        return dataclasses.replace(found, augment=augment)

    mine, settings = recipe.replace(data=data), dict(word.split("=", 1) for word in words)
    with pytest.raises(tfkit.UserError, match="memory of the device; give a smaller batch_size, such as 32"):
        tfkit.train(mine, out=tmp_path / "runs", quiet=True, report=False, **settings)
    greedy.clear()
    [folder] = (tmp_path / "runs").iterdir()
    run = tfkit.train(mine, resume=folder, quiet=True, report=False)
    assert len(run.path("history.csv").read_text().splitlines()) == 1 + SMALL["epochs"]
