"""What the proofs let real processes do: train, be killed, go on, and answer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tfkit.errors import UserError

HERE = Path(__file__).resolve().parents[2]


def process(**task: Any) -> int:
    """Let a fresh process do a task of `child.py`, and return its exit code, -9 where it was killed.

    Raises:
        UserError: With its last words, if it ended otherwise than well or killed.
    """
    path = os.pathsep.join([str(HERE), os.getcwd(), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-m", "tfkit.checks.child", json.dumps(task)]
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode not in (0, -signal.SIGKILL):
        words = [line for line in done.stderr.splitlines() if line.strip()] or [f"it ended with {done.returncode}"]
        raise UserError(f"A page must train with these settings, to be proved. Received: {words[-1].strip()}")
    return done.returncode


def straight(recipe: str, settings: dict[str, Any], folder: Path) -> Path:
    """The run that was never stopped, made when it is first wanted; `said.npz` beside it is what its model said."""
    out = folder / "straight"
    if not out.exists():
        process(do="train", recipe=recipe, settings=settings, out=str(out), said=str(folder / "said.npz"))
    return run_in(out)


def run_in(out: Path) -> Path:
    """The one run in a folder."""
    [run] = (path for path in out.iterdir() if path.is_dir())
    return run
