"""Other backends, closed streams and forked processes: everything works, or is refused in one line."""

import json
import os
import subprocess
import sys

import pytest

from tfkit.datasets import keras_settings
from tfkit.errors import UserError

TFKIT = [sys.executable, "-c", "from tfkit.cli.main import command; command()"]


def run_python(code, **environment):
    """Run Python code in a new process."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("environment", "content", "backend"),
    [
        ({}, None, "tensorflow"),
        ({"KERAS_BACKEND": "jax"}, {"backend": "torch"}, "jax"),
        ({"KERAS_BACKEND": ""}, {"backend": "torch"}, "torch"),
        ({}, {"backend": "openvino"}, "openvino"),
        ({}, {"image_data_format": "channels_first"}, "tensorflow"),
        ({}, [], "tensorflow"),
    ],
)
def test_backend_is_known_before_keras_is_imported(environment, content, backend, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    for name, value in {"KERAS_HOME": str(tmp_path), **environment}.items():
        monkeypatch.setenv(name, value)
    if content is not None:
        (tmp_path / "keras.json").write_text(json.dumps(content))
    assert keras_settings.configured_backend() == backend
    if backend != "tensorflow":
        with pytest.raises(UserError, match=f"set KERAS_BACKEND=tensorflow before.* Received: backend {backend}"):
            keras_settings.require_tensorflow_backend("train")


@pytest.mark.parametrize("name", ["train", "tune", "Run", "fit", "verify", "load_model"])
def test_other_backend_is_refused_before_it_is_imported(name):
    result = run_python(f"import tfkit; tfkit.{name}", KERAS_BACKEND="jax")
    assert result.stderr.splitlines()[-1] == (
        f"tfkit.errors.UserError: tfkit.{name} needs Keras on TensorFlow: set KERAS_BACKEND=tensorflow before Keras is "
        "imported. Received: backend jax"
    )


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -1", "| true"])
def test_closed_streams_are_no_error(redirection):
    code = "from tfkit.cli.main import command; command()"
    command = f'"{sys.executable}" -c "{code}" ls {redirection}; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode in ((0, 141) if "|" in redirection else (0,))
    assert result.stderr == ""


def test_command_ignores_another_backend_and_reports_it():
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    result = subprocess.run([*TFKIT, "ls"], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0
    assert result.stderr == "tfkit: KERAS_BACKEND=torch is ignored; tfkit uses Keras on TensorFlow\n"


FORKED = """
import multiprocessing, keras, numpy as np, tfkit
from tfkit.datasets.batch_predict import predict
layer = keras.layers.Rescaling(2.0)
def compute(queue):
    try:
        queue.put(predict(layer, np.ones((1, 1), "float32")).tolist())
    except tfkit.UserError as error:
        queue.put(str(error))
{first}
queue = multiprocessing.get_context("fork").Queue()
process = multiprocessing.get_context("fork").Process(target=compute, args=(queue,))
process.start()
print(queue.get(timeout=60))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("", "[[2.0]]"),
        ("predict(layer, np.ones((1, 1), 'float32'))", "TensorFlow cannot compute in a process that was forked"),
    ],
)
def test_forked_process_predicts_or_is_refused(first, expected):
    result = run_python(FORKED.format(first=first))
    assert result.stdout.startswith(expected), result.stderr


def test_check_process_compares_process_ids(monkeypatch):
    monkeypatch.setattr(keras_settings, "_process", [])
    keras_settings.check_process()
    keras_settings.check_process()
    monkeypatch.setattr(keras_settings, "_process", [os.getpid() + 1])
    with pytest.raises(UserError, match=r"load the run and predict in the worker process only \(gunicorn"):
        keras_settings.check_process()
