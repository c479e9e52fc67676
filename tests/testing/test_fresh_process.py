"""Tests of the fresh process: it is started once, survives errors, and ends with this process."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import tfkit
from tfkit.testing import fresh_process

ROOT = Path(tfkit.__file__).parents[1]


def send(request):
    return fresh_process.start().send({"folder": "", "module": "keras", "file": None, "calls": [], **request})


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("no_such_module", None, "ModuleNotFoundError: no_such_module has no file that a fresh process can read"),
        ("breaks", "breaks.py", "ZeroDivisionError"),
    ],
)
def test_error_is_returned_and_process_continues(name, file, message, tmp_path):
    (tmp_path / "breaks.py").write_text("1 / 0")
    pid = fresh_process.start().process.pid
    assert message in send({"module": name, "file": file and str(tmp_path / file)})["error"]
    assert fresh_process.start().process.pid == pid


def test_printed_text_is_not_a_response(tmp_path):
    (tmp_path / "prints.py").write_text("print('{}')")
    layer = keras.layers.Rescaling(2.0)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "calls.npz", **{"0-0": np.ones((1, 1))})
    request = {"folder": str(tmp_path), "module": "prints", "file": str(tmp_path / "prints.py"), "calls": [1]}
    assert send(request) == {}
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert outputs["0"].tolist() == [[2.0]]


def test_process_is_shared_and_restarted_after_its_death(tmp_path):
    (tmp_path / "dies.py").write_text("import os; os.write(2, b'last error output'); os._exit(3)")
    first = fresh_process.start()
    assert fresh_process.start() is first
    error = send({"module": "dies", "file": str(tmp_path / "dies.py")})["error"]
    assert error.startswith("the process ended: ")
    assert "last error output" in error
    assert fresh_process.start().process.pid != first.process.pid
    assert fresh_process.start().process.is_running()


def test_stopped_process_has_ended():
    stopped = fresh_process.FreshProcess()
    stopped.stop()
    assert not stopped.process.is_running()


SCRIPT = """
import keras, numpy as np
from tfkit.testing import check_layer, fresh_process as fresh

@keras.saving.register_keras_serializable(package="script")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

if __name__ == "__main__":
    check_layer(Twice, {}, np.ones((2, 3), "float32"))
    print(fresh.start().process.pid)
    {end}
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["pass", "import os; os._exit(0)"])
def test_class_of_a_script_is_loaded_and_the_process_ends_with_the_script(end, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).replace("{end}", end))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    completed = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    pid = completed.stdout.strip()
    assert pid, completed.stderr[-2000:]
    for _ in range(100):  # without `stop`, the process ends only when its input is closed
        if not Path(f"/proc/{pid}").exists():
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise AssertionError("the process is still running")
