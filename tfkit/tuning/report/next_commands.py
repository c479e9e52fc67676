"""Report section with commands to train with the best settings and to extend the search."""

from typing import Any

from tfkit.catalog.recipes import recipe_files
from tfkit.reporting.document import Section
from tfkit.search_space import Choice
from tfkit.setting_types import format_value
from tfkit.training.suggested_commands import command
from tfkit.tuning.keras_tuner_space import default_search_space
from tfkit.tuning.study import BEST_SETTINGS_FILE


def next_commands_section(search: Any) -> Section:
    """Show the commands for the next steps."""
    winner, folder = search.study.winner, search.study.folder
    recipe = str(search.recipe.name if search.recipe.name in recipe_files() else search.recipe.path or "RECIPE")
    num_trials = str(2 * len(search.study.search_trials()))
    commands = {
        "Train with the settings of the winner": ["train", recipe, "--config", f"{folder}/{BEST_SETTINGS_FILE}"],
        "Show the report of the winner": ["report", f"{folder}/{winner['run']}" if winner else "RUN"],
        "Run more trials": ["tune", recipe, *search_arguments(search), "--trials", num_trials, "--out", str(folder)],
    }
    return Section("Next steps", code=[(label, command(*arguments)) for label, arguments in commands.items()])


def search_arguments(search: Any) -> list[str]:
    """Command line arguments that define the same search: fixed settings, algorithm, objective, changed domains."""
    request, default_space = search.study.request, default_search_space(search.recipe)
    arguments = [f"{name}={format_value(value)}" for name, value in request["settings"].items()]
    arguments += ["--algorithm", request["algorithm"]] if request["algorithm"] != "random" else []
    arguments += ["--objective", request["objective"]] if request["objective"] else []
    for name, domain in search.space.items():
        if default_space.get(name) != domain:
            is_choice = isinstance(domain, Choice)
            values = domain.values if is_choice else (domain.low, domain.high)
            arguments += ["--search", f"{name}={(',' if is_choice else '..').join(map(format_value, values))}"]
    return arguments
