"""The model that is loaded says what the model said that was saved."""

from pathlib import Path
from typing import Any

import numpy as np

from tfkit.checks.differences import furthest
from tfkit.checks.processes import process, straight
from tfkit.checks.proof import Proof
from tfkit.errors import UserError

SAYS = "saved equals loaded in a fresh process, bit for bit"
HINT = "; store every argument of a layer under its own name, and keep what it learns in weights"


def saved_and_loaded(recipe: str, settings: dict[str, Any], folder: Path) -> Proof:
    """Ask the model in memory when its training ends, and the file from another process, about the same rows."""
    run = straight(recipe, settings, folder)
    try:
        process(do="answer", run=str(run), recipe=recipe, said=str(folder / "loaded.npz"))
    except UserError as error:
        return Proof(SAYS, str(error).partition("Received: ")[2])
    with np.load(folder / "said.npz", allow_pickle=False) as one, np.load(folder / "loaded.npz") as other:
        said, loaded = one["said"], other["said"]
    same = said.shape == loaded.shape and said.tobytes() == loaded.tobytes()
    return Proof(SAYS, "" if same else f"the answers to {len(said)} rows: {furthest(said, loaded)}{HINT}")
