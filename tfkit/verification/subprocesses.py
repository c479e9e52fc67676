"""Worker processes of the verification, and the runs that they create."""

import json
import signal
from pathlib import Path
from typing import Any

from tfkit.errors import UserError
from tfkit.python_process import environment, run_python


def run_worker(**task: Any) -> int:
    """Run a task of `worker.py` in a new process, and return its exit code.

    The exit code is -9 if the process was killed.

    Raises:
        UserError: With the last line of its error output, if the process failed.
    """
    completed = run_python(
        ["-m", "tfkit.verification.worker", json.dumps(task)], env=environment(KERAS_BACKEND="tensorflow")
    )
    if completed.returncode not in (0, -signal.SIGKILL):
        lines = [line for line in completed.stderr.splitlines() if line.strip()]
        lines = lines or [f"exit code {completed.returncode}"]
        raise UserError(f"A recipe must train with these settings to be verified. Received: {lines[-1].strip()}")
    return completed.returncode


def reference_run(recipe: str, settings: dict[str, Any], folder: Path) -> Path:
    """Return the uninterrupted run, which is trained at the first call.

    `predictions.npz` in the same folder has the predictions of its model.
    """
    out = folder / "reference"
    if not out.exists():
        predictions_file = str(folder / "predictions.npz")
        run_worker(do="train", recipe=recipe, config=settings, out=str(out), predictions_file=predictions_file)
    return find_run(out)


def find_run(out: Path) -> Path:
    """Return the only run in a folder."""
    [run] = (path for path in out.iterdir() if path.is_dir())
    return run
