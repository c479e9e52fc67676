"""Killed and resumed a run ends as if it had never been stopped."""

import json
import math
from pathlib import Path
from typing import Any

from tfkit.checks.differences import first_difference
from tfkit.checks.processes import process, run_in, straight
from tfkit.checks.proof import Proof

SAYS = "killed and resumed equals straight, bit for bit"
HINT = (
    "; draw chance from `random` of `augment` or a keras.random.SeedGenerator of a layer, and keep in weights what "
    "must outlive a step"
)


def killed_and_resumed(recipe: str, settings: dict[str, Any], folder: Path) -> Proof:
    """Kill a training inside its last epoch and again while it saves (kill -9), let it go on, and compare."""
    first, out = straight(recipe, settings, folder), folder / "killed"
    epochs, steps = shape(first)
    if steps < 4 or epochs < 2:
        return Proof(
            SAYS,
            f"{epochs} epochs of {steps} steps are too few to be stopped in; give epochs=2 or more, and "
            "a batch_size that makes four steps or more",
        )
    middle = (epochs - 1) * steps + steps // 2  # of the last epoch; two steps after what was saved
    inside = {"step": middle, "save": middle - 2, "where": "step"}
    if process(do="train", recipe=recipe, settings=settings, out=str(out), kill=inside) == 0:
        return Proof(SAYS, "it came to its end before it could be killed; give more epochs")
    run = run_in(out)
    for kill in ({"step": 2, "save": 1, "where": "saving"}, None):
        process(do="train", resume=str(run), recipe=recipe, kill=kill)
    where = first_difference(first, run)
    return Proof(SAYS, where and where + HINT)


def shape(run: Path) -> tuple[int, int]:
    """How many epochs a finished run had, and how many steps each."""
    config, about = (json.loads((run / name).read_text(encoding="utf-8")) for name in ("config.json", "about.json"))
    rows, batch = about["rows"][0], config["batch_size"]
    epochs = len((run / "history.csv").read_text(encoding="utf-8").splitlines()) - 1
    return epochs, 1 if batch == "all" else math.ceil(rows / batch)
