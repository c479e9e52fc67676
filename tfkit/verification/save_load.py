"""Check that a loaded model predicts the same as the model that was saved."""

from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError
from tfkit.verification.result import CheckResult
from tfkit.verification.run_diff import max_difference
from tfkit.verification.subprocesses import reference_run, run_worker

CLAIM = "a model loaded in a new process has bit-identical predictions to the saved one"

HINT = "; store every argument of a layer under its own name, and store what it learns in weights"


def check_save_load(recipe: str, settings: dict[str, Any], folder: Path) -> CheckResult:
    """Compare predictions of the trained model and of the model in a new process."""
    run = reference_run(recipe, settings, folder)
    try:
        run_worker(do="predict", run=str(run), recipe=recipe, predictions_file=str(folder / "loaded.npz"))
    except UserError as error:
        return CheckResult(CLAIM, str(error).partition("Received: ")[2])
    with np.load(folder / "predictions.npz", allow_pickle=False) as file:
        expected = file["predictions"]
    with np.load(folder / "loaded.npz", allow_pickle=False) as file:
        actual = file["predictions"]
    is_same = expected.shape == actual.shape and expected.tobytes() == actual.tobytes()
    return CheckResult(
        CLAIM, "" if is_same else f"the predictions for {len(expected)} rows: {max_difference(expected, actual)}{HINT}"
    )
