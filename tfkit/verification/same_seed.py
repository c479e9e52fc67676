"""Check that two runs with the same seed, in two processes, are bit-identical."""

from pathlib import Path
from typing import Any

from tfkit.verification.result import Proof
from tfkit.verification.run_diff import first_difference
from tfkit.verification.subprocesses import find_run, run_worker, straight

CLAIM = "two runs with the same seed are bit-identical"

HINT = "; seed random numbers with the seed of the config, and let no order depend on sets or hashes"


def check_same_seed(recipe: str, settings: dict[str, Any], folder: Path) -> Proof:
    """Train twice with the same settings, each in a new process, and compare."""
    reference, out = straight(recipe, settings, folder), folder / "again"
    run_worker(do="train", recipe=recipe, settings=settings, out=str(out))
    difference = first_difference(reference, find_run(out))
    return Proof(CLAIM, difference and difference + HINT)
