"""State of a search: its arguments, trials and results, saved atomically in one JSON file."""

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tfkit.atomic_files import write_json
from tfkit.errors import UserError

STATE_FILE = "search.json"

BEST_SETTINGS_FILE = "best.json"

LARGE_FILES = ("model.keras", "sample_inputs.npz")  # of a run; metrics and history are small

MAX_MESSAGE_CHARACTERS = 120  # of a value in an error message

REQUEST_NAMES = {"recipe_digest": "recipe file", "data_digests": "content of the data files"}  # in error messages


@dataclass
class Trial:
    """One training of a search."""

    number: int
    settings: dict[str, Any]  # without the fixed ones
    kind: str = "searched"  # or "default", "finalist" (a retraining with a new seed), "winner"
    state: str = "running"  # "done", "stopped" by pruning, "paused" at a rung of Hyperband, "failed"
    score: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    refused: bool = False  # whether it failed by an error of the user, such as an unknown column
    run: str | None = None  # its folder, relative to that of the search
    stop_after_epoch: int | None = None  # the epoch to stop after
    resumed_trial: int | None = None  # number of the trial whose run it resumes
    seed: int | None = None  # of a finalist
    retrained_trial: int | None = None  # number of the trial that a finalist retrains

    @property
    def name(self) -> str:
        """Name of the trial for the oracle, and of its folder."""
        return f"{'winner' if self.kind == 'winner' else 'trial'}-{self.number:04d}"


@dataclass
class Study:
    """Arguments, trials and results of a search."""

    folder: Path
    request: dict[str, Any]  # the arguments that must stay the same
    trials: list[Trial] = field(default_factory=list)
    events: list[list[Any]] = field(default_factory=list)  # of the oracle
    objective: str | None = None
    default_settings: dict[str, Any] | None = None  # the default settings, with "auto" resolved
    winner: dict[str, Any] | None = None

    @classmethod
    def open(cls, folder: Path, request: dict[str, Any], overwrite: bool = False) -> Self:
        """Create a new search, or load the existing one in this folder.

        Args:
            folder: Directory of the search.
            request: Arguments that must be the same whenever the search is resumed.
            overwrite: Whether an existing search is deleted first.

        Raises:
            UserError: If the search in the folder has other arguments, or its file is damaged.
        """
        path = folder / STATE_FILE
        if overwrite and path.exists():
            shutil.rmtree(folder)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            study = cls(folder, request)
            study.save()
            return study
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            trials = [Trial(**trial) for trial in content.pop("trials")]
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{path} is damaged; use --overwrite to start over.") from None
        study = cls(folder, **content, trials=trials)
        for key, saved_value in study.request.items():
            if key in request and request[key] != saved_value:
                raise UserError(
                    f"The {REQUEST_NAMES.get(key, key)} must be the same as when the search in {folder} "
                    "was started; use --overwrite to start over, or another --out. "
                    f"Received: {_describe_change(key, request[key], saved_value)}"
                )
        return study

    def save(self) -> None:
        """Write the state file atomically."""
        content = {name: value for name, value in vars(self).items() if name not in ("folder", "trials")}
        write_json(self.folder / STATE_FILE, {**content, "trials": [asdict(trial) for trial in self.trials]})

    def add(self, settings: Mapping[str, Any], **fields: Any) -> Trial:
        """Append a new trial."""
        trial = Trial(len(self.trials) + 1, dict(settings), **fields)
        self.trials.append(trial)
        return trial

    def trial_folder(self, trial: Trial) -> Path:
        """Directory that contains the run of a trial."""
        return self.folder / (self.trials[trial.resumed_trial - 1] if trial.resumed_trial else trial).name

    def search_trials(self) -> list[Trial]:
        """Trials of the search itself, without finalists and winner, in order."""
        return [trial for trial in self.trials if trial.kind in ("default", "searched")]

    def ranked_trials(self, mode: str) -> list[Trial]:
        """Finished trials of the search, best first."""
        done = [trial for trial in self.search_trials() if trial.state == "done" and trial.score is not None]
        return sorted(done, key=lambda trial: (trial.score if mode == "min" else -trial.score, trial.number))  # type: ignore[operator]

    def remove_if_refused(self) -> None:
        """Delete the search if no trial was trained, because the user must change something first."""
        for trial in self.trials:
            has_trained = any(self.trial_folder(trial).glob("*/history.jsonl"))
            if not trial.refused and (has_trained or trial.state != "running"):
                return
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()

    def delete_models(self, keep: set[int]) -> None:
        """Delete models and checkpoints of finished trials, except the winner and the trial numbers in `keep`."""
        for trial in self.trials:
            if trial.number in keep or trial.kind == "winner" or trial.state == "running" or not trial.run:
                continue
            for path in [self.folder / trial.run / name for name in LARGE_FILES]:
                path.unlink(missing_ok=True)
            for path in (self.folder / trial.run).glob("checkpoints*"):
                shutil.rmtree(path, ignore_errors=True)


def setting_values(study: Study, trial: Trial, names: Iterable[str]) -> dict[str, Any]:
    """Values of the named settings in a trial; for the default trial, those that it resolved to."""
    defaults = study.default_settings or {} if trial.kind == "default" else {}
    return {name: trial.settings.get(name, defaults.get(name)) for name in names}


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the directory of a search against other processes; remove a new one without a search at the end.

    Raises:
        UserError: If another process has the lock, or the directory contains something other than a search.
    """
    if folder.is_file() or (
        folder.exists() and not (folder / STATE_FILE).exists() and any(path.name != "lock" for path in folder.iterdir())
    ):
        raise UserError(f"`out` must be a new directory, or the directory of a search. Received: {folder}")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"Another search is running in {folder}: wait until it ends, or use another --out."
            ) from None
        try:
            yield
        finally:
            if not (folder / STATE_FILE).exists():  # the command was refused
                (folder / "lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # another process uses the parent
                    for path in missing:
                        path.rmdir()


def file_digest(path: Path | None) -> str | None:
    """First 16 hexadecimal digits of the SHA-256 of a file; None for no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path else None


def _describe_change(key: str, value: Any, saved_value: Any) -> str:
    """Both values of an argument that must be equal; of data files, the settings that name the changed ones."""
    if key == "data_digests":
        names = [name for name, digest in value.items() if saved_value.get(name) != digest]
        return f"other content of {', '.join(f'{name}=' for name in names)}"
    return f"{_shorten(value)}, started with {_shorten(saved_value)}"


def _shorten(value: Any) -> str:
    """Text of a value, cut to the length that a message has room for."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MAX_MESSAGE_CHARACTERS else f"{text[:MAX_MESSAGE_CHARACTERS]}..."
