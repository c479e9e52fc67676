"""The other process is started once, notices nothing of this one, and ends with it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import tfkit
from tfkit.testing import fresh

ROOT = Path(tfkit.__file__).parents[1]


def ask(question):
    return fresh.start().ask({"folder": "", "module": "keras", "file": None, "calls": [], **question})


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("no_such_module", None, "ModuleNotFoundError: no_such_module has no file that a fresh process could read"),
        ("breaks", "breaks.py", "ZeroDivisionError"),
    ],
)
def test_what_went_wrong_is_told_and_it_goes_on(name, file, message, tmp_path):
    (tmp_path / "breaks.py").write_text("1 / 0")
    before = fresh.start().process.pid
    assert message in ask({"module": name, "file": file and str(tmp_path / file)})["error"]
    assert fresh.start().process.pid == before


def test_what_prints_does_not_answer(tmp_path):
    (tmp_path / "prints.py").write_text("print('{}')")
    layer = keras.layers.Rescaling(2.0)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "calls.npz", **{"0-0": np.ones((1, 1))})
    question = {"folder": str(tmp_path), "module": "prints", "file": str(tmp_path / "prints.py"), "calls": [1]}
    assert ask(question) == {}
    with np.load(tmp_path / "said.npz") as said:
        assert said["0"].tolist() == [[2.0]]


def test_it_is_started_once_tells_its_last_words_and_is_started_again_when_it_died(tmp_path):
    (tmp_path / "dies.py").write_text("import os; os.write(2, b'the last words'); os._exit(3)")
    first = fresh.start()
    assert fresh.start() is first
    said = ask({"module": "dies", "file": str(tmp_path / "dies.py")})["error"]
    assert said.startswith("it ended: ")
    assert "the last words" in said
    assert fresh.start().process.pid != first.process.pid
    assert fresh.start().process.poll() is None


def test_ended_it_is_gone():
    other = fresh.Fresh()
    other.end()
    assert other.process.poll() is not None


SCRIPT = """
import keras, numpy as np
from tfkit.testing import check_layer, fresh

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
def test_a_class_of_a_script_is_found_and_the_process_ends_with_it(end, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).replace("{end}", end))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.strip(), done.stderr[-2000:]
    for _ in range(100):  # one that was not waited for has to notice first
        if not Path(f"/proc/{done.stdout.strip()}").exists():
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise AssertionError("it lives on")
