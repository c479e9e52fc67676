"""Python processes that tfkit starts: one call, or requests and responses in JSON."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGE_PARENT = Path(__file__).resolve().parents[1]  # in the PYTHONPATH of a process, so that it runs this tfkit


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that runs this tfkit, and modules of the current folder.

    Args:
        variables: Environment variables to add or replace.

    Example:
        >>> environment(KERAS_BACKEND="jax")["KERAS_BACKEND"]
        'jax'
    """
    paths = [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH"), os.getcwd()]
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}


def run_python(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: str | os.PathLike[str] | None = None,
    timeout_seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments and without input; wait for its end and return its code and its output.

    Args:
        arguments: Arguments of the interpreter.
        env: Environment variables, as of `environment`.
        folder: Current folder of the process; None for that of this process.
        timeout_seconds: Seconds after which the process is killed; None for no limit.

    Raises:
        subprocess.TimeoutExpired: If it took longer.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_seconds,
        check=False,
    )


class JSONProcess:
    """Python process that reads a JSON object from a line of its input, and writes one to a line of its output.

    Args:
        arguments: Arguments of the interpreter.
        env: Environment variables, as of `environment`.
        stderr: File for its error output; by default it is discarded.
        own_session: Whether a Ctrl-C in the terminal does not reach it.
    """

    def __init__(
        self, arguments: Sequence[str], *, env: Mapping[str, str], stderr: Any = None, own_session: bool = False
    ):
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if stderr is None else stderr,
            env=env,
            encoding="utf-8",
            start_new_session=own_session,
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def send(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Send a request and wait for the response; None if the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = ""
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def wait(self) -> int:
        """Wait until the process has ended, and return its exit code, or the negative number of a signal."""
        return self._process.wait()

    def close(self) -> None:
        """Kill the process, wait for its end and close its pipes; may be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # input that was not read
                pipe.close()  # type: ignore[union-attr]
