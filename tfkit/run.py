"""A run is a folder, and the folder is the truth."""

import contextlib
import csv
import datetime
import importlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np

from tfkit import answers
from tfkit.errors import UserError, first_line
from tfkit.keeping import Kept, Whole, write_json

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn")


def load_model(path: str | os.PathLike[str]) -> Any:
    """Load a `.keras` file with tfkit's classes known to Keras, which else says "Could not locate class".

    Args:
        path: The file, such as a run's `model.keras`.

    Returns:
        A `keras.Model`. That of a run takes a dictionary of raw columns, `(rows, 1)` each: float32 with NaN where
        missing, or strings with "" where missing.
    """
    import keras

    importlib.import_module("tfkit.layers")
    return keras.saving.load_model(path, compile=False)


def versions() -> dict[str, str]:
    """The versions of what computes."""
    from tfkit import __version__

    return {"tfkit": __version__, **{package: version(package) for package in PACKAGES}}


def newest(folder: str | os.PathLike[str] = "runs") -> Path | None:
    """The finished run in a folder that was begun last, or None."""
    found = []
    for path in Path(folder).glob("*/metrics.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, UserError):  # a damaged one is not the newest
            found.append((datetime.datetime.fromisoformat(Run(path.parent).about["begun"]), path.parent))
    return max(found)[1] if found else None


class Run:
    """The folder of one training, opened.

    Args:
        folder: What `train` left: `config.json`, `about.json`, `info.json`, `model.keras`, `metrics.json`,
            `history.csv`, `predictions.csv`.
        recipe: The page again, where it has a reader or layers of its own: a page is code, and runs only when it is
            named.

    Raises:
        UserError: If the folder is no run.

    Example:
        >>> import tfkit
        >>> run = tfkit.Run("runs/tabular-...")  # doctest: +SKIP
        >>> run.metrics["test"]["accuracy"]  # doctest: +SKIP
        0.87
    """

    def __init__(self, folder: str | os.PathLike[str], *, recipe: Any = None):
        self.folder = Path(folder)
        self._recipe = recipe
        self._made = False  # whether the folder around was not there before
        if not self.path("config.json").is_file() or not self.path("about.json").is_file():
            raise UserError(
                f"A run is a folder that `tfkit train` has made, with config.json and about.json. Received: {folder}"
            )

    @classmethod
    def begin(cls, out: str | os.PathLike[str], recipe: Any, config: Any) -> Self:
        """A new folder with the settings and what they ran on."""
        now = datetime.datetime.now().astimezone()
        about = {
            "recipe": recipe.name,
            "page": str(recipe.page) if recipe.page else None,
            "read": answers.public(recipe.read),
            "begun": now.isoformat(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "commit": _commit(),
            "python": sys.version.split()[0],
            "versions": versions(),
        }
        made = not Path(out).exists()
        folder = _new_folder(Path(out), f"{recipe.name or 'run'}-{now:%Y%m%d-%H%M%S}")
        try:
            write_json(folder / "config.json", config.words())
            write_json(folder / "about.json", about)
            if recipe.page:
                shutil.copyfile(recipe.page, folder / "page.py")
        except BaseException:  # a full disk: no half of a run
            shutil.rmtree(folder, ignore_errors=True)
            raise
        run = cls(folder, recipe=recipe)
        run._made = made
        return run

    def remove(self) -> None:
        """Take the folder away, and the one around it if this run has made it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._made:
            with contextlib.suppress(OSError):  # another run has come meanwhile
                self.folder.parent.rmdir()

    def path(self, name: str) -> Path:
        """A file of the run."""
        return self.folder / name

    def note(self, **facts: Any) -> None:
        """Add facts to `about.json`."""
        write_json(self.path("about.json"), {**self.about, **facts})

    @property
    def about(self) -> dict[str, Any]:
        """Versions, commit, device, command, fingerprint of the data."""
        return self._json("about.json")

    @property
    def config(self) -> dict[str, Any]:
        """The settings, as plain values."""
        return self._json("config.json")

    @property
    def info(self) -> dict[str, Any]:
        """What was learnt from the data."""
        return self._json("info.json")

    @property
    def metrics(self) -> dict[str, Any]:
        """The scores: of validation and test, with intervals, beside the baselines."""
        return self._json("metrics.json")

    @property
    def exports(self) -> dict[str, Any]:
        """What was measured of each export: its largest difference from the model, size, latency."""
        return self._json("exports.json")

    @property
    def evidence(self) -> dict[str, Any]:
        """What was looked at for the report when the run ended."""
        return self._json("evidence.json")

    @property
    def examples(self) -> dict[str, Any]:
        """Some raw rows of the validation split, kept to check exports with."""
        inputs = self.info["inputs"]
        try:
            with np.load(self.path("examples.npz"), allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in inputs}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"The run's examples.npz must be whole. Received: {first_line(error)}") from None
        words = {name for name, rule in inputs.items() if rule["dtype"] == "string"}
        return {n: np.array(json.loads(a.tobytes()), object) if n in words else a for n, a in arrays.items()}

    @property
    def finished(self) -> bool:
        """Whether training came to its end."""
        return self.path("metrics.json").is_file()

    @cached_property
    def model(self) -> Any:
        """The model: raw rows in, answers out."""
        self._json("metrics.json")  # a run that is not finished says so
        if self._recipe is not None:
            from tfkit.recipe import load

            load(self._recipe)  # for its layers
        try:
            return load_model(self.path("model.keras"))
        except Exception as error:  # of what is no model Keras says whatever comes up
            raise UserError(
                f"The run's model.keras must be whole, and its layers known: name a page with layers of "
                f"its own with --recipe. Received: {first_line(error)}"
            ) from error

    def answer(self, raw: Any) -> np.ndarray:
        """The model's answer to raw rows: probabilities `(rows, classes)`, or values `(rows,)` in the user's units."""
        return answers.answer(self.model, raw)

    def read(self, source: Any, **wanted: Any) -> Any:
        """Raw rows of a source, by the reader of the recipe, held against what was learnt."""
        found = answers.reader(self, self._recipe)(source, self.info, **wanted)
        self.warn_of_drift(found[0] if isinstance(found, tuple) else found)
        return found

    def read_blocks(self, file: Any) -> Any:
        """Raw rows and own columns of a large file block by block, where the reader has `blocks`; else None."""
        blocks = getattr(answers.reader(self, self._recipe), "blocks", None)
        return blocks and blocks(file, self.info)

    def warn_of_drift(self, raw: Any) -> None:
        """Say which columns of raw rows have moved away from those of training."""
        from tfkit.checks.drift import warn

        if self.path("drift.json").is_file():
            warn(raw, self._json("drift.json"))

    def predict(self, source: Any) -> Any:
        """What the model says of rows: `predicted`, and for classes `probability_CLASS`.

        Args:
            source: A file, a DataFrame or a dictionary of columns.

        Returns:
            A pandas DataFrame with a row for each row of the source.
        """
        return answers.predict(self, source)

    def predict_file(self, file: str | os.PathLike[str], out: str | os.PathLike[str], safe: bool = False) -> Path:
        """Predict every row of a file and write the file's own columns, then the answers.

        Args:
            file: What is read.
            out: What is written.
            safe: Whether words that a spreadsheet would take for a formula get an apostrophe before them.
        """
        return answers.predict_file(self, file, out, safe)

    def evaluate(self, source: Any = None) -> dict[str, Any]:
        """The scores of the test split, or of a source that holds the truth too."""
        return self.metrics if source is None else answers.evaluate(self, source)

    def report(self, **options: Any) -> Path:
        """Write `report.html` again, from this folder alone; see `tfkit.report.report`."""
        from tfkit.report import report

        return report(self, **options)

    def log_to_mlflow(self, address: str = "local", **options: Any) -> str:
        """Log settings, curves, scores and the model to MLflow; see `tfkit.report.tracking.log_to_mlflow`."""
        from tfkit.report.tracking import log_to_mlflow

        return log_to_mlflow(self, address, **options)

    def export(self, format: str = "keras", out: str | os.PathLike[str] | None = None) -> Path:
        """Write the model in another format, checked against this one; see `tfkit.export`."""
        from tfkit.export import export

        return export(self, format, out)

    def keep(self, model: Any, history: list[dict[str, float]]) -> None:
        """Write what training has brought, before anything else can go wrong."""
        partial = self.path("model.part.keras")
        model.save(partial)
        os.replace(partial, self.path("model.keras"))
        names = list(dict.fromkeys(name for line in history for name in line))
        with Whole(self.path("history.csv")) as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(history)

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the scores: with them a run counts as finished."""
        write_json(self.path("metrics.json"), metrics)
        for folder in self.folder.glob("checkpoints*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return Kept(self.path(name))
        except FileNotFoundError:
            raise UserError(
                f"The run must be finished; go on with `tfkit train --resume {self.folder}`. "
                f"Received: {self.folder}, which has no {name}"
            ) from None
        except (ValueError, TypeError, RecursionError, OSError):
            raise UserError(f"The run's {name} must be JSON. Received: {self.path(name)}, which is damaged") from None


def _new_folder(out: Path, name: str) -> Path:
    """A folder that was not there before."""
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
    """The commit of the project that one stands in, with + where files differ from it."""
    git = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(git, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
