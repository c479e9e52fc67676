"""The words and flags behind a verb, read in any order, and every mistake in them said in one line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import tfkit
from tfkit.errors import UserError, did_you_mean

TABLES = {".csv", ".txt", ".tsv", ".jsonl", ".ndjson", ".parquet"}


class Parser(argparse.ArgumentParser):
    """Flags and words in any order, and errors in one line."""

    def __init__(self, verb: Callable[..., None], usage: str):
        name = f"tfkit {verb.__name__}"
        super().__init__(prog=name, usage=f"{name} {usage}".strip(), description=verb.__doc__, allow_abbrev=False)
        self.add_argument("words", nargs="*", help=argparse.SUPPRESS)
        self.flag("--debug", help="show the traceback of an error")

    def flag(self, name: str, **options: Any) -> None:
        """Add a flag: a switch, unless it has a `metavar`."""
        self.add_argument(name, **({} if "metavar" in options else {"action": "store_true"}) | options)

    def read(self, arguments: list[str], most: int | None = None) -> argparse.Namespace:
        """The arguments, read; `most`: how many words there may be."""
        known, rest = self.parse_known_intermixed_args(arguments)
        if rest:
            flags = [flag for action in self._actions for flag in action.option_strings]
            hint = did_you_mean(rest[0].partition("=")[0], flags)
            raise UserError(f"Unknown flag {rest[0]}.{hint} Usage: {self.usage}")
        if most is not None and len(known.words) > most:
            raise UserError(f"One word too many: {known.words[most]!r}. Usage: {self.usage}")
        return known

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. Usage: {self.usage}")


def recipe_of(words: list[str]) -> str:
    """The recipe that is named."""
    if not words:
        raise UserError(
            f"Say which recipe: {', '.join(name for name, _ in tfkit.list_recipes())}, or the path of a page."
        )
    return words[0]


def settings_of(words: list[str]) -> dict[str, str]:
    """`["epochs=5"]` -> `{"epochs": "5"}`."""
    from tfkit.config import FLAGS

    settings: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"Settings are written key=value. Received: {word!r}")
        if name in FLAGS:
            raise UserError(f"`{name}` is a flag, not a setting, and flags begin with --. Received: {word!r}")
        if name in settings:
            raise UserError(f"`{name}` is given twice: {name}={settings[name]} and {word}")
        settings[name] = value
    return settings


def recipe_and_settings(words: list[str]) -> tuple[str | None, dict[str, str]]:
    """`[RECIPE] [key=value ...]`; without a recipe it is the engine's: that of the run to resume, or its own."""
    named = [word for word in words[:1] if "=" not in word or word.endswith(".py")]
    return (named[0] if named else None), settings_of(words[len(named) :])


def run_and_file(words: list[str]) -> tuple[Path, str | None]:
    """`[RUN] [FILE]`: of two words the first is the run; one word is the run where it is the folder of one."""
    if len(words) == 2:
        return Path(words[0]), words[1]
    if not words:
        return newest_run(), None
    if (Path(words[0]) / "provenance.json").is_file():
        return Path(words[0]), None
    if Path(words[0]).is_dir():
        raise UserError(
            f"{words[0]} is not the folder of a run: no provenance.json. To read a folder, name a run first."
        )
    return newest_run(), words[0]


def newest_run() -> Path:
    """The newest run under `runs`, said on stderr because nobody named it."""
    from tfkit.run_dir import latest_run

    folder = latest_run(Path("runs"))
    if folder is None:
        raise UserError("No run lies under runs/. Train one (tfkit train RECIPE), or name the folder of one.")
    print(f"run: {folder}", file=sys.stderr)
    return folder


def predicted(file: Path) -> Path:
    """`sales.csv.gz` -> `sales.predicted.csv.gz`; of a folder or what else is no table, a `.csv`."""
    if file.is_dir() or (file.suffix and not TABLES & {suffix.lower() for suffix in file.suffixes}):
        return file.with_name(f"{file.name if file.is_dir() else file.stem}.predicted.csv")
    packed = file.suffix if file.suffix.lower() in (".gz", ".bz2", ".xz", ".zip", ".zst") else ""
    plain = file.with_name(file.name.removesuffix(packed))
    return plain.with_name(f"{plain.stem}.predicted{plain.suffix}{packed}")
