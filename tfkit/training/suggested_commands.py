"""What to do after a training: open the report, search for better settings, predict; as commands that work here."""

import shlex
from collections.abc import Mapping
from typing import Any

from tfkit.catalog.recipes import recipe_files
from tfkit.console import format_number, program_name
from tfkit.run_dir import RunDir
from tfkit.setting_types import format_value


def command(*arguments: str, settings: Mapping[str, Any] | None = None) -> str:
    """A command of tfkit as it is typed here, with settings as key=value.

    Example:
        >>> command("train", "tabular", settings={"data": "my table.csv", "refit": False})
        "tfkit train tabular 'data=my table.csv' refit=false"
    """
    values = [f"{name}={format_value(value)}" for name, value in (settings or {}).items()]
    return shlex.join([program_name(), *arguments, *values])


def recipe_argument(provenance: Mapping[str, Any]) -> str:
    """How the recipe of a run is named in a command: its name, or the path of its file."""
    name = str(provenance.get("recipe") or "RECIPE")
    return name if name in recipe_files() else str(provenance.get("recipe_file") or name)


def next_steps(run: RunDir) -> list[str]:
    """Lines to print at the end of a training."""
    provenance, folder = run.provenance, str(run.folder)
    comparison = run.metrics.get("best_baseline")
    lines = []
    if comparison is not None and not (comparison["better"] and comparison["better"][0] > 0):
        tune = command("tune", recipe_argument(provenance), settings=provenance.get("non_defaults") or {})
        lines.append(f"Search for better settings: {tune} --trials 20")
    if run.path("report.html").is_file():
        lines.append(f"Open {run.path('report.html')}")
    return [*lines, f"Predict: {command('predict', folder)} FILE"]


def steps_after_divergence(run: RunDir) -> list[str]:
    """Lines to print after a training whose loss became NaN or infinite because of large weights; else none."""
    if not run.path("nan_report.json").is_file() or run.read_json("nan_report.json")["cause"] != "learning_rate":
        return []
    provenance, config = run.provenance, run.path("config.json")
    rate, default = run.config["learning_rate"], (provenance.get("default_settings") or {}).get("learning_rate")
    is_high = default is not None and rate > default and "optimizer" not in (provenance.get("non_defaults") or {})
    changes = {"learning_rate": default if is_high else float(f"{rate / 10:.2g}"), "global_clipnorm": 1}
    retry = command("train", recipe_argument(provenance), "--config", str(config), settings=changes)
    reason = f"The learning rate {rate:g} is {format_number(rate / default)} times the default. " if is_high else ""
    return [f"{reason}Try: {retry}"]
