"""The folder of a search is the truth: what was asked, every trial and what came of it, in one file, written whole."""

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tfkit.errors import UserError
from tfkit.keeping import write_json

FILE = "search.json"
BEST = "best.json"
HEAVY = ("model.keras", "examples.npz")  # of a run; what tells how it went is small


@dataclass
class Trial:
    """One training of a search."""

    number: int
    settings: dict[str, Any]  # beside those that are fixed
    kind: str = "searched"  # or "written", the recipe as it is; "final", a good one with another seed; "winner"
    state: str = "running"  # "done", "stopped" because it was poor, "paused" at a rung, "failed"
    score: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    run: str | None = None  # its folder, in that of the search
    until: int | None = None
    goes_on: int | None = None  # with the run of this trial
    seed: int | None = None  # of a final
    again: int | None = None  # the trial that a final is a repetition of

    @property
    def name(self) -> str:
        """How an oracle and its folder are called."""
        return f"{'winner' if self.kind == 'winner' else 'trial'}-{self.number:04d}"


@dataclass
class Ledger:
    """What a search has asked, tried and found."""

    folder: Path
    asked: dict[str, Any]
    trials: list[Trial] = field(default_factory=list)
    events: list[list[Any]] = field(default_factory=list)  # of the oracle
    objective: str | None = None
    written: dict[str, Any] | None = None  # the settings of the recipe as it is, settled
    winner: dict[str, Any] | None = None

    @classmethod
    def open(cls, folder: Path, asked: dict[str, Any], fresh: bool = False) -> Self:
        """A new search, or the one that was begun in this folder.

        Raises:
            UserError: If the folder holds a search for something else, or one that is damaged.
        """
        file = folder / FILE
        if fresh and file.exists():
            shutil.rmtree(folder)
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            found = cls(folder, asked)
            found.save()
            return found
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            trials = [Trial(**trial) for trial in kept.pop("trials")]
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{file} is damaged; --fresh begins anew.") from None
        found = cls(folder, **kept, trials=trials)
        for what, then in found.asked.items():
            if asked[what] != then:
                raise UserError(
                    f"The search in {folder} was begun with another {what}; --fresh begins anew, --out "
                    f"begins elsewhere. Received: {_short(asked[what])}, begun with "
                    f"{_short(then)}"
                )
        return found

    def save(self) -> None:
        """Write it all, whole."""
        kept = {name: value for name, value in vars(self).items() if name not in ("folder", "trials")}
        write_json(self.folder / FILE, {**kept, "trials": [asdict(trial) for trial in self.trials]})

    def add(self, settings: Mapping[str, Any], **how: Any) -> Trial:
        """A new trial."""
        trial = Trial(len(self.trials) + 1, dict(settings), **how)
        self.trials.append(trial)
        return trial

    def place(self, trial: Trial) -> Path:
        """The folder that a trial's run lies in."""
        return self.folder / (self.trials[trial.goes_on - 1] if trial.goes_on else trial).name

    def searched(self) -> list[Trial]:
        """The trials of the search itself, in their order."""
        return [trial for trial in self.trials if trial.kind in ("written", "searched")]

    def best(self, mode: str) -> list[Trial]:
        """Those that came to their end, the best first."""
        done = [trial for trial in self.searched() if trial.state == "done" and trial.score is not None]
        return sorted(done, key=lambda trial: (trial.score if mode == "min" else -trial.score, trial.number))  # type: ignore[operator]

    def slim(self, keep: set[int]) -> None:
        """Leave of every run that has ended, but these and the winner, what tells how it went; the rest is large."""
        for trial in self.trials:
            if trial.number in keep or trial.kind == "winner" or trial.state == "running" or not trial.run:
                continue
            for path in [self.folder / trial.run / name for name in HEAVY]:
                path.unlink(missing_ok=True)
            for path in (self.folder / trial.run).glob("checkpoints*"):
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While inside, no other process searches in this folder.

    Raises:
        UserError: If another does, or the folder holds something that is no search.
    """
    if folder.is_file() or (
        folder.exists() and not (folder / FILE).exists() and any(path.name != "lock" for path in folder.iterdir())
    ):
        raise UserError(f"`out` of a search must be a new folder, or that of a search. Received: {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"Another search is at work in {folder}: wait for it, or give another --out.") from None
        yield


def digest(page: Path | None) -> str | None:
    """What tells a page from any other."""
    return hashlib.sha256(page.read_bytes()).hexdigest()[:16] if page else None


def _short(value: Any) -> str:
    said = value if isinstance(value, str) else json.dumps(value, default=str)
    return said if len(said) <= 120 else f"{said[:120]}..."
