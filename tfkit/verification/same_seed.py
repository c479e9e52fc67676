"""Check that two runs with the same seed, in two processes, are bit-identical."""

from pathlib import Path
from typing import Any

from tfkit.verification.result import CheckResult
from tfkit.verification.run_diff import first_difference
from tfkit.verification.subprocesses import find_run, reference_run, run_worker

CLAIM = "two runs with the same seed are bit-identical"

HINT = "; seed random numbers with the seed of the config, and let no order depend on sets or hashes"


def check_same_seed(recipe: str, settings: dict[str, Any], folder: Path) -> CheckResult:
    """Train twice with the same settings, each in a new process, and compare."""
    reference, out = reference_run(recipe, settings, folder), folder / "repeated"
    run_worker(do="train", recipe=recipe, config=settings, out=str(out))
    difference = first_difference(reference, find_run(out))
    return CheckResult(CLAIM, difference and difference + HINT)
