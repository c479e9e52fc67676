"""Arguments of a command: positional arguments and flags in any order; every error message is one line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import tfkit
from tfkit.errors import UserError, did_you_mean


class CommandParser(argparse.ArgumentParser):
    """Parser of the arguments of one command.

    Args:
        command: The function of the command; its name and docstring are shown in the help.
        usage: The arguments as shown in the help, without the name of the command.
    """

    def __init__(self, command: Callable[[list[str]], None], usage: str):
        name = f"tfkit {command.__name__}"
        super().__init__(prog=name, usage=f"{name} {usage}".strip(), description=command.__doc__, allow_abbrev=False)
        self.add_argument("positional", nargs="*", help=argparse.SUPPRESS)
        self.flag("--debug", help="show the traceback of an error")

    def flag(self, name: str, **options: Any) -> None:
        """Add a flag; without `metavar` it is a switch."""
        self.add_argument(name, **({} if "metavar" in options else {"action": "store_true"}) | options)

    def parse(self, arguments: list[str], max_positional: int | None = None) -> argparse.Namespace:
        """Parse arguments, with at most `max_positional` positional ones."""
        options, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            hint = did_you_mean(unknown[0].partition("=")[0], flags)
            raise UserError(f"Unknown flag {unknown[0]}.{hint} Usage: {self.usage}")
        if max_positional is not None and len(options.positional) > max_positional:
            raise UserError(f"Unexpected argument {options.positional[max_positional]!r}. Usage: {self.usage}")
        return options

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. Usage: {self.usage}")


def require_recipe(recipe: str | None) -> str:
    """Return the recipe.

    Raises:
        UserError: If it is None.
    """
    if recipe is None:
        names = ", ".join(name for name, _ in tfkit.list_recipes())
        raise UserError(f"A recipe must be given: {names}, or the path of a recipe file.")
    return recipe


def parse_settings(arguments: Sequence[str]) -> dict[str, str]:
    """Parse settings: `["epochs=5"]` -> `{"epochs": "5"}`."""
    from tfkit.config import FLAGS

    settings: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise UserError(f"A setting must have the form key=value. Received: {argument!r}")
        if name in FLAGS:
            raise UserError(f"`{name}` is a flag, not a setting; flags start with --. Received: {argument!r}")
        if name in settings:
            raise UserError(f"`{name}` must be given once. Received: {name}={settings[name]} and {argument}")
        settings[name] = value
    return settings


def split_recipe_and_settings(arguments: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """Split `[RECIPE] [key=value ...]` into the recipe, None if it is not given, and the settings."""
    has_recipe = bool(arguments) and ("=" not in arguments[0] or arguments[0].endswith(".py"))
    return (arguments[0] if has_recipe else None), parse_settings(arguments[int(has_recipe) :])


def split_run_and_file(arguments: Sequence[str]) -> tuple[Path, str | None]:
    """Split `[RUN] [FILE]` into the run, by default the latest one, and the file.

    A single argument is the run if it is a run directory, else the file.
    """
    if len(arguments) == 2:
        return Path(arguments[0]), arguments[1]
    if not arguments:
        return find_latest_run(), None
    path = Path(arguments[0])
    if (path / "provenance.json").is_file():
        return path, None
    if path.is_dir():
        raise UserError(
            "A single argument must be a run directory or a file; to read a folder, give a run and the folder. "
            f"Received: {path}, which has no provenance.json"
        )
    return find_latest_run(), arguments[0]


def find_latest_run() -> Path:
    """Return the latest run in `runs`, and print its path on stderr."""
    from tfkit.run_dir import latest_run

    folder = latest_run(Path("runs"))
    if folder is None:
        raise UserError("There is no run in runs/. Train a recipe (tfkit train RECIPE), or give the path of a run.")
    print(f"run: {folder}", file=sys.stderr)
    return folder


def default_output_path(file: Path) -> Path:
    """Return the path of the predictions: `sales.csv.gz` -> `sales.predicted.csv.gz`.

    It is a `.csv` file if the input is a folder, or a file in a format that is not written.
    """
    from tfkit.data.files.compression import SUFFIXES
    from tfkit.data.files.formats.suffixes import WRITABLE_SUFFIXES

    if file.is_dir() or (file.suffix and not {*WRITABLE_SUFFIXES} & {suffix.lower() for suffix in file.suffixes}):
        return file.with_name(f"{file.name if file.is_dir() else file.stem}.predicted.csv")
    compression = file.suffix if file.suffix.lower() in SUFFIXES else ""
    table = file.with_name(file.name.removesuffix(compression))
    return table.with_name(f"{table.stem}.predicted{table.suffix}{compression}")
