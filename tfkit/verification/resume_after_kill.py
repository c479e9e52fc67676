"""Check that a killed and resumed run equals an uninterrupted run."""

import json
import math
from pathlib import Path
from typing import Any

from tfkit.verification.result import CheckResult
from tfkit.verification.run_diff import first_difference
from tfkit.verification.subprocesses import find_run, reference_run, run_worker

CLAIM = "a killed and resumed run is bit-identical to an uninterrupted one"

HINT = (
    "; use `random` of `augment` or a keras.random.SeedGenerator of a layer for random numbers, and store in weights "
    "what later steps need"
)

MIN_STEPS = 4  # per epoch

MIN_EPOCHS = 2


def check_resume_after_kill(recipe: str, settings: dict[str, Any], folder: Path) -> CheckResult:
    """Kill a training in its last epoch and while saving, resume it, and compare."""
    reference, out = reference_run(recipe, settings, folder), folder / "killed"
    epochs, steps = epochs_and_steps(reference)
    if steps < MIN_STEPS or epochs < MIN_EPOCHS:
        return CheckResult(
            CLAIM,
            f"{epochs} epochs of {steps} steps are too few to be interrupted; set epochs=2 or more, and "
            "a batch_size that gives four steps or more",
        )
    kill_step = (epochs - 1) * steps + steps // 2  # the middle of the last epoch
    kill = {"step": kill_step, "save": kill_step - 2, "where": "step"}
    if run_worker(do="train", recipe=recipe, config=settings, out=str(out), kill=kill) == 0:
        return CheckResult(CLAIM, "training finished before it could be killed; set more epochs")
    run = find_run(out)
    for resume_kill in ({"step": 2, "save": 1, "where": "saving"}, None):
        run_worker(do="train", resume=str(run), recipe=recipe, kill=resume_kill)
    difference = first_difference(reference, run)
    return CheckResult(CLAIM, difference and difference + HINT)


def epochs_and_steps(run: Path) -> tuple[int, int]:
    """Return the number of epochs of a finished run, and of steps per epoch."""
    config, provenance = (
        json.loads((run / name).read_text(encoding="utf-8")) for name in ("config.json", "provenance.json")
    )
    num_rows, batch_size = provenance["rows"][0], config["batch_size"]
    epochs = len((run / "history.csv").read_text(encoding="utf-8").splitlines()) - 1
    return epochs, 1 if batch_size == "all" else math.ceil(num_rows / batch_size)
