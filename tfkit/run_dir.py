"""The directory of one training: its paths and JSON files."""

import contextlib
import csv
import datetime
import itertools
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from tfkit.atomic_files import atomic_file, atomic_path, write_json
from tfkit.errors import UserError

REQUIRED_TYPES: dict[str, dict[str, type]] = {  # file name -> key -> type of its value
    "provenance.json": {"started": str, "versions": dict},
    "metadata.json": {"inputs": dict, "target": dict},
    "metrics.json": {"task": str, "val": dict},
}


class RunJSON(dict[str, Any]):
    """A JSON object of a run folder; a missing key raises a UserError.

    A file may have been edited or damaged.

    Args:
        path: The file.

    Raises:
        ValueError: If it is not JSON, not an object, or a value has the wrong type.
    """

    def __init__(self, path: Path):
        content = json.loads(path.read_text(encoding="utf-8"))
        types = REQUIRED_TYPES.get(path.name, {}).items()
        if not isinstance(content, dict) or not all(
            isinstance(content.get(key, type_()), type_) for key, type_ in types
        ):
            raise ValueError
        super().__init__(content)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise UserError(f"The run's {self.path.name} must have {name!r}. Received: {self.path}, which is damaged")


FORMAT_VERSION = 1  # of a run directory; a run of another version raises an error
PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Return the versions of tfkit and of the packages that compute."""
    from tfkit import __version__

    return {"tfkit": __version__, **{package: version(package) for package in PACKAGES}}


def latest_run(folder: str | os.PathLike[str] = "runs") -> Path | None:
    """Return the finished run in a folder that was started last, or None."""
    runs = []
    for path in Path(folder).glob("*/metrics.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, UserError):  # damaged runs are skipped
            runs.append((datetime.datetime.fromisoformat(RunDir(path.parent).provenance["started"]), path.parent))
    return max(runs)[1] if runs else None


class RunDir:
    """The directory of one training, opened for its files; `tfkit.Run` adds predict, evaluate, export and report.

    Args:
        folder: Directory that `train` wrote: `config.json`, `provenance.json`, `metadata.json`, `model.keras`,
            `metrics.json`, `history.csv`, `predictions.csv`.

    Raises:
        UserError: If the folder is not a run.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self._created_parent = False
        if not self.path("config.json").is_file() or not self.path("provenance.json").is_file():
            raise UserError(
                "A run is a directory that `tfkit train` wrote, with config.json and provenance.json. "
                f"Received: {folder}"
            )
        version = self.provenance.get("format", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise UserError(
                f"A run directory must have format {FORMAT_VERSION}; use the version of tfkit that wrote it, "
                f"{self.provenance['versions'].get('tfkit')}. Received: {folder}, which has format {version}"
            )

    @classmethod
    def create(cls, out: str | os.PathLike[str], recipe: Any, config: Any) -> Self:
        """Create a run directory with the settings and the provenance."""
        now = datetime.datetime.now().astimezone()
        provenance = {
            "format": FORMAT_VERSION,
            "recipe": recipe.name,
            "recipe_file": str(recipe.path) if recipe.path else None,
            "reader": reader_id(recipe.reader),
            "started": now.isoformat(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "commit": _commit(),
            "python": sys.version.split()[0],
            "versions": versions(),
        }
        creates_parent = not Path(out).exists()
        folder = _new_folder(Path(out), f"{recipe.name or 'run'}-{now:%Y%m%d-%H%M%S}")
        try:
            write_json(folder / "config.json", config.to_dict())
            write_json(folder / "provenance.json", provenance)
            if recipe.path:
                with atomic_file(folder / "recipe.py", "wb") as file:
                    file.write(recipe.path.read_bytes())
        except BaseException:  # such as a full disk: leave no incomplete run
            shutil.rmtree(folder, ignore_errors=True)
            raise
        run = cls(folder)
        run._created_parent = creates_parent
        return run

    def remove(self) -> None:
        """Delete the directory, and its parent if this run created it and it is empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._created_parent:
            with contextlib.suppress(OSError):  # another run is in it
                self.folder.parent.rmdir()

    def path(self, name: str) -> Path:
        """Return the path of a file of the run."""
        return self.folder / name

    def update_provenance(self, **facts: Any) -> None:
        """Add facts to `provenance.json`."""
        write_json(self.path("provenance.json"), {**self.provenance, **facts})

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, device, command, fingerprint of the data."""
        return self.read_json("provenance.json")

    @property
    def config(self) -> dict[str, Any]:
        """The settings, as plain JSON values."""
        return self.read_json("config.json")

    @property
    def metadata(self) -> dict[str, Any]:
        """What was inferred and fitted on the data, as JSON; see `tfkit.data.load_metadata`."""
        return self.read_json("metadata.json")

    @property
    def metrics(self) -> dict[str, Any]:
        """Scores of validation and test, their confidence intervals, and the scores of the baselines."""
        return self.read_json("metrics.json")

    @property
    def exports(self) -> dict[str, Any]:
        """Measurements of each export: largest difference from the model, size, latency."""
        return self.read_json("exports.json")

    @property
    def analysis(self) -> dict[str, Any]:
        """Results of the analyses for the report."""
        return self.read_json("analysis.json")

    @property
    def finished(self) -> bool:
        """Whether training is finished."""
        return self.path("metrics.json").is_file()

    def save_model(self, model: Any, history: list[dict[str, float]]) -> None:
        """Write the trained model and its history."""
        with atomic_path(self.path("model.keras")) as temporary:
            model.save(temporary)
        names = list(dict.fromkeys(name for line in history for name in line))
        with atomic_file(self.path("history.csv")) as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(history)

    def mark_finished(self, metrics: dict[str, Any]) -> None:
        """Write the scores, which marks the run as finished, and delete its checkpoints."""
        write_json(self.path("metrics.json"), metrics)
        for folder in self.folder.glob("checkpoints*"):
            shutil.rmtree(folder, ignore_errors=True)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the run.

        Raises:
            UserError: If the file is missing or damaged.
        """
        try:
            return RunJSON(self.path(name))
        except FileNotFoundError:
            raise UserError(
                f"The run must be finished; resume it with `tfkit train --resume {self.folder}`. "
                f"Received: {self.folder}, which has no {name}"
            ) from None
        except (ValueError, TypeError, RecursionError, OSError):
            raise UserError(f"The run's {name} must be JSON. Received: {self.path(name)}, which is damaged") from None


def _new_folder(out: Path, name: str) -> Path:
    """Create a new folder; a number is appended if the name exists."""
    if out.exists() and not out.is_dir():
        raise UserError(f"`out` must be a folder. Received: {out}, which is a file")
    for number in itertools.count(1):
        folder = out / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"The folder for runs must be writable. Received: {out}: {error.strerror}") from None
    return folder


def _commit() -> str | None:
    """Return the commit of the Git repository in the current folder, with + if files differ from it."""
    git = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(git, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def reader_id(reader: Any) -> str | None:
    """Return the module name of a reader in `tfkit.data`, from which it can be imported again; else None."""
    name = getattr(reader, "__name__", "")
    return name if isinstance(reader, ModuleType) and name.startswith("tfkit.data.") else None
