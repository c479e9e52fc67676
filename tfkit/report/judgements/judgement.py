"""A judgement: what was seen, the numbers that say so, and a command to try."""

import shlex
from dataclasses import dataclass
from typing import Any

from tfkit.report.reading import Record


@dataclass(frozen=True)
class Judgement:
    """What stands out in a run.

    Args:
        what: What was seen, in a few words.
        evidence: The numbers that it rests on, in sentences.
        command: What to try.
    """

    what: str
    evidence: str
    command: str


def again(record: Record, **changes: Any) -> str:
    """The command that trains once more with some settings changed."""
    from tfkit.pages import pages

    name = record.about.get("recipe") or "RECIPE"
    recipe = name if name in pages() else record.about.get("page") or name
    words = [f"{key}={value}" for key, value in changes.items()]
    return shlex.join(["tfkit", "train", recipe, "--settings", str(record.run.path("config.json")), *words])


def stronger(record: Record) -> dict[str, Any]:
    """The setting that holds this model back most simply, made stronger."""
    config = record.config
    if isinstance(config.get("dropout"), int | float):
        return {"dropout": round(min(0.5, config["dropout"] + 0.2), 2)}
    if config.get("optimizer") == "adamw":
        return {"weight_decay": 10 * config["weight_decay"] or 0.01}
    return {"l2": 10 * config.get("l2", 0.0) or 1e-4}


def larger(record: Record) -> dict[str, Any]:
    """The setting that lets this model learn more, made larger."""
    config = record.config
    for name in ("units", "depth"):
        if isinstance(config.get(name), int):
            return {name: 2 * config[name]}
    return {"epochs": 2 * config["epochs"]}


def rate(record: Record, factor: float) -> dict[str, float]:
    """The learning rate times a factor."""
    return {"learning_rate": float(f"{record.config['learning_rate'] * factor:.2g}")}
