"""Python processes: environment, output, JSON requests, and the end of a process."""

import os
import signal
import subprocess
import time

import pytest

from tfkit.python_process import PACKAGE_PARENT, JSONProcess, environment, run_python

ECHO = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "exit" in request:
        raise SystemExit(request["exit"])
    print(json.dumps(request), flush=True)
"""


@pytest.fixture
def echo():
    process = JSONProcess(["-c", ECHO], env=environment())
    yield process
    process.close()


@pytest.mark.parametrize("existing", [None, "", "/elsewhere", f"/a{os.pathsep}/b"])
def test_environment_finds_this_tfkit_and_the_current_folder(existing, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if existing is not None:
        monkeypatch.setenv("PYTHONPATH", existing)
    (tmp_path / "mine.py").write_text("")
    code = "import mine, tfkit; print(tfkit.__file__)"
    completed = run_python(["-c", code], env=environment())
    assert completed.stdout.strip() == str(PACKAGE_PARENT / "tfkit" / "__init__.py")
    assert (completed.returncode, completed.stderr) == (0, "")


def test_run_python_returns_code_output_and_errors(tmp_path):
    code = "import os, sys; sys.stdout.buffer.write(b'\\xff' + os.getcwd().encode()); sys.exit(input() and 3)"
    completed = run_python(["-c", code], env=environment(), folder=tmp_path)
    assert completed.stdout == f"\N{REPLACEMENT CHARACTER}{tmp_path}"
    assert completed.returncode == 1
    assert completed.stderr.splitlines()[-1].startswith("EOFError")  # it has no input


def test_run_python_kills_after_the_timeout():
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run_python(["-c", "import time; time.sleep(60)"], env=environment(), timeout_seconds=0.2)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    "request_", [{}, {"a": 1}, {"text": "é\n\u2028 ü"}, {"nested": {"list": [None, 1.5, "x"]}}, {"long": "x" * 100_000}]
)
def test_a_response_is_that_of_the_request(echo, request_):
    assert echo.send(request_) == request_
    assert echo.send({"again": True}) == {"again": True}
    assert echo.is_running()


@pytest.mark.parametrize("code", [0, 3, -9])
def test_a_process_that_ends_has_no_response(echo, code):
    if code == -9:
        os.kill(echo.pid, signal.SIGKILL)
    assert echo.send({"exit": code}) is None
    assert echo.wait() == code
    assert not echo.is_running()
    assert echo.send({"a": 1}) is None


def test_close_ends_the_process_and_can_be_repeated(echo):
    echo.close()
    echo.close()
    assert not echo.is_running()


def test_error_output_goes_to_the_file(tmp_path):
    with (tmp_path / "stderr").open("w+b") as file:
        process = JSONProcess(["-c", "import sys; sys.exit('broken')"], env=environment(), stderr=file)
        assert process.wait() == 1
        process.close()
    assert (tmp_path / "stderr").read_text().strip() == "broken"
