"""The same seed twice gives the same bits, in two processes that share nothing."""

from pathlib import Path
from typing import Any

from tfkit.checks.differences import first_difference
from tfkit.checks.processes import process, run_in, straight
from tfkit.checks.proof import Proof

HINT = "; draw chance from the config's seed, and let no order depend on sets or hashes"


def same_seed(recipe: str, settings: dict[str, Any], folder: Path) -> Proof:
    """Train twice with the same settings, each in a fresh process, and compare."""
    first, out = straight(recipe, settings, folder), folder / "again"
    process(do="train", recipe=recipe, settings=settings, out=str(out))
    where = first_difference(first, run_in(out))
    return Proof("the same seed twice gives the same bits", where and where + HINT)
