"""The diagnosis of a problem, and commands that change settings to fix it."""

from dataclasses import dataclass
from typing import Any

from tfkit.reporting.run_results import RunResults
from tfkit.training.suggested_commands import command, recipe_argument


@dataclass(frozen=True)
class Diagnosis:
    """A problem of a run.

    Args:
        finding: The problem in one short sentence.
        evidence: The numbers that show the problem, in sentences.
        command: The command to try next; empty if none helps.
    """

    finding: str
    evidence: str
    command: str = ""


def retrain_command(record: RunResults, **changes: Any) -> str:
    """Return the command that trains again with some settings changed."""
    config = str(record.run.path("config.json"))
    return command("train", recipe_argument(record.provenance), "--config", config, settings=changes)


def more_regularization(record: RunResults) -> dict[str, Any]:
    """Return a setting that increases regularization: dropout, weight decay or L2."""
    config = record.config
    if isinstance(config.get("dropout"), int | float):
        return {"dropout": round(min(0.5, config["dropout"] + 0.2), 2)}
    if config.get("optimizer") == "adamw":
        return {"weight_decay": 10 * config["weight_decay"] or 0.01}
    return {"l2": 10 * config.get("l2", 0.0) or 1e-4}


def more_capacity(record: RunResults) -> dict[str, Any]:
    """Return a setting that increases capacity, or the number of epochs."""
    config = record.config
    for name in ("units", "num_layers"):
        if isinstance(config.get(name), int):
            return {name: 2 * config[name]}
    return {"epochs": 2 * config["epochs"]}


def balanced_classes(record: RunResults) -> dict[str, Any]:
    """Return the setting that gives all classes the same weight, if the recipe has it."""
    return {"balance_classes": "true"} if "balance_classes" in record.config else {}


def smaller_steps(record: RunResults) -> dict[str, Any]:
    """Return settings against divergence: a tenth of the learning rate, and clipped gradients."""
    return {**scale_learning_rate(record, 0.1), "global_clipnorm": 1}


def scale_learning_rate(record: RunResults, factor: float) -> dict[str, float]:
    """Return the learning rate multiplied by a factor."""
    return {"learning_rate": float(f"{record.config['learning_rate'] * factor:.2g}")}
