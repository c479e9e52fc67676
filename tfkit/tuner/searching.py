"""The search while it goes on: trials are proposed, run, watched, stopped where they are poor, and told of."""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any

from tfkit.errors import UserError
from tfkit.fitting import mode_of
from tfkit.resume import STOP
from tfkit.run_dir import RunDir
from tfkit.tuner import curves, workers
from tfkit.tuner.ledger import Ledger, Trial
from tfkit.tuner.oracle import Oracle
from tfkit.tuner.shown import Shown
from tfkit.tuner.space import Space, grid

LOOK = 0.5  # seconds between two looks at what runs
MODELS = 3  # that the disk holds, beside the winner's
SEEDS = 3  # other seeds that a finalist is trained with


class Search:
    """Everything that a search works with: the recipe, the space, what is known, and who trains."""

    def __init__(
        self,
        recipe: Any,
        config: Any,
        fixed: dict[str, Any],
        space: Space,
        ledger: Ledger,
        method: str,
        jobs: int,
        device: str,
        scheduler: str | None,
        say: Any,
        quiet: bool,
    ):
        self.recipe, self.config, self.fixed, self.space, self.ledger = recipe, config, fixed, space, ledger
        self.method, self.device, self.scheduler, self.say = method, device, scheduler, say
        self.jobs = jobs
        self.monitor, self.mode = recipe.monitor, mode_of(recipe)
        wanted = ledger.asked["objective"]
        if wanted is not None and curves.mode_of(wanted, self.monitor, recipe.mode) is None:
            raise UserError(
                "`objective` must be a score whose direction is known, such as accuracy or log_loss. "
                f"Received: {wanted}"
            )
        if method == "hyperband" and wanted not in (None, self.monitor):
            raise UserError(
                f"Hyperband compares unfinished trainings, by what the recipe monitors: {self.monitor}. "
                f"Received: objective={wanted}"
            )
        self.oracle: Oracle | None = None
        self.running: dict[Future[Any], tuple[Trial, float]] = {}
        self.pool: Executor | None = None
        self.shown = Shown(self, quiet)

    @property
    def better(self) -> str:
        """Where the objective is best: "min" or "max"."""
        return curves.mode_of(self.ledger.objective or self.monitor, self.monitor, self.recipe.mode) or "min"

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """While inside, there is somebody who trains."""
        with contextlib.ExitStack() as stack:
            if self.recipe.page is None:
                self.say("This recipe exists in memory only: its trials run in this process, one at a time.")
                self.jobs, self.pool = 1, workers.Here(self.recipe)
            else:
                self.pool = stack.enter_context(workers.executor(self.jobs, self.scheduler))
            stack.enter_context(self.shown)
            yield

    def explore(self, trials: int, deadline: float | None, finalists: int) -> None:
        """Try settings until there are enough, time is up, or nothing is left to try."""
        self.count = trials
        self._take_up()
        while True:
            over = deadline is not None and time.monotonic() + self.expected(finalists) > deadline
            while len(self.running) < self.jobs and (trial := self._next(over)) is not None:
                self.start(trial)
            if not self.running:
                break
            self.look()
        self.slim(over=True)
        if not self.ledger.best(self.better):
            reasons = {trial.reason for trial in self.ledger.searched() if trial.reason}
            raise UserError(f"No trial has come to its end: {'; '.join(sorted(reasons)) or 'time was up before'}")

    def expected(self, finalists: int) -> float:
        """Seconds that the finalists and the winner will take, going by the trials so far."""
        done = [trial.seconds for trial in self.ledger.trials if trial.state == "done"]
        each = sum(done) / len(done) if done else 0.0
        repeats = math.ceil((finalists + 1) * SEEDS / self.jobs) if finalists else 0
        return each * (repeats + 1)

    def _take_up(self) -> None:
        """Where a search was interrupted: its oracle as it was; and trials that ran are to run again, first of all."""
        self.left = [trial for trial in self.ledger.trials if trial.state == "running"]
        if self.ledger.events:
            self._make_oracle()
            self.oracle.replay(self.ledger.events)  # type: ignore[union-attr]
        if self.ledger.trials:
            done = sum(trial.state != "running" for trial in self.ledger.searched())
            self.say(f"Going on with {self.ledger.folder}: {done} trials are done")

    def _next(self, over: bool) -> Trial | None:
        """The next trial; None where there is none, or none yet."""
        ledger = self.ledger
        if self.left:
            return self.left.pop(0)
        if not ledger.trials:
            return ledger.add({}, kind="written")
        if over or len(ledger.searched()) >= self.count:
            return None
        if self.oracle is None:
            if self.method in ("hyperband", "grid") and ledger.written is None:
                if ledger.trials[0].state == "running":
                    return None  # its settings say how many epochs there are, and where a grid begins
                raise UserError(
                    f"The recipe as written must train, to be tuned by {self.method}. "
                    f"Received: {ledger.trials[0].reason}"
                )
            self._make_oracle()
        return self._propose()

    def _propose(self) -> Trial | None:
        number = len(self.ledger.trials) + 1
        proposal = self.oracle.propose(f"trial-{number:04d}")  # type: ignore[union-attr]
        if proposal.what != "run":
            return None
        goes_on = int(proposal.goes_on.rpartition("-")[2]) if proposal.goes_on else None
        if goes_on:  # the run is that of the first of them
            goes_on = self.ledger.trials[goes_on - 1].goes_on or goes_on
        trial = self.ledger.add(proposal.settings, until=proposal.until, goes_on=goes_on)
        for other in self.ledger.searched()[:-1]:
            same = {**(self.ledger.written or {}), **other.settings} if other.kind == "written" else other.settings
            if other.state == "done" and not trial.until and all(same.get(k) == v for k, v in trial.settings.items()):
                trial.state, trial.score, trial.epochs, trial.run = "done", other.score, other.epochs, other.run
                trial.reason = f"the same as trial {other.number}"
                self._told(trial)
                return self._propose() if len(self.ledger.searched()) < self.count else None
        return trial

    def _make_oracle(self) -> None:
        written, space = self.ledger.written or {}, self.space
        space = grid(space, written) if self.method == "grid" else space
        self.oracle = Oracle(self.method, space, "min", seed=self.config.seed, epochs=written.get("epochs"))

    def job(self, trial: Trial, test: bool = False) -> dict[str, Any]:
        """What a worker is told of a trial."""
        folder = self.ledger.place(trial)
        folder.mkdir(exist_ok=True)
        run = curves.newest_run(folder)
        settings = {**self.fixed, **trial.settings, "split_seed": self.config.seed_of_splits}
        if trial.seed is not None:
            settings["seed"] = trial.seed
        page = str(self.recipe.page) if self.recipe.page else None
        return {
            "page": page,
            "settings": settings,
            "out": str(folder.resolve()),
            "test": test,
            "until": trial.until,
            "resume": str(run.resolve()) if run else None,
            "device": self.device,
            "cwd": os.getcwd(),
        }

    def start(self, trial: Trial) -> None:
        """Hand a trial to whoever trains."""
        self.ledger.save()
        future = self.pool.submit(workers.run, self.job(trial, test=trial.kind == "winner"))  # type: ignore[union-attr]
        self.running[future] = (trial, time.monotonic())

    def look(self) -> None:
        """Wait a moment; take in what has ended, and stop what is poor."""
        ended, _ = wait(self.running, timeout=LOOK, return_when=FIRST_COMPLETED)
        for future in ended:
            trial, start = self.running.pop(future)
            trial.seconds = round(trial.seconds + time.monotonic() - start, 1)
            try:
                self._end(trial, future.result())
            except Exception as error:  # of a cluster: the worker is gone
                self._end(trial, {"state": "failed", "reason": f"{type(error).__name__}: {error}"})
        for trial, _ in self.running.values():
            self._watch(trial)
        self.shown.refresh()

    def _watch(self, trial: Trial) -> None:
        """Tell a trial that is poor among its like to stop."""
        run = curves.newest_run(self.ledger.place(trial))
        values = curves.curve(run, self.monitor)
        trial.epochs = len(values)
        if trial.kind != "searched" or self.method == "hyperband" or set(self.space) & curves.IN_THE_LOSS:
            return
        others = [self.values(other) for other in self.ledger.searched() if other.state in ("done", "stopped")]
        epochs = trial.settings.get("epochs", (self.ledger.written or {}).get("epochs"))
        if isinstance(epochs, int) and run and curves.poor(values, others, self.mode, epochs):
            (run / STOP).touch()

    def values(self, trial: Trial) -> list[float]:
        """The monitored values of a trial, epoch by epoch."""
        return curves.curve(self.ledger.folder / trial.run if trial.run else None, self.monitor)

    def _end(self, trial: Trial, answer: dict[str, Any]) -> None:
        """Take in what came of a trial."""
        trial.state, trial.reason = answer["state"], answer.get("reason", "")
        run = curves.newest_run(self.ledger.place(trial))
        if run is not None:
            trial.run = str(run.relative_to(self.ledger.folder))
            trial.epochs = len(self.values(trial))
            if trial.state == "done" and not (run / "metrics.json").exists():
                trial.state = "paused"
            (run / STOP).unlink(missing_ok=True)
            self._score(trial, run)
        self._told(trial)
        self.slim()
        self.shown.ended(trial)

    def _score(self, trial: Trial, run: Path) -> None:
        """Its objective, or, where it has not come to its end, the best that it monitored."""
        if trial.state in ("stopped", "paused"):
            trial.score = curves.best(self.values(trial), self.mode)
            return
        if trial.state != "done":
            return
        opened = RunDir(run)
        if self.ledger.objective is None:
            asked = self.ledger.asked["objective"]
            by_monitor = self.monitor if self.method == "hyperband" else None
            self.ledger.objective = asked or by_monitor or curves.default_objective(opened.metrics, self.monitor)
        trial.score = curves.score(run, self.ledger.objective, self.monitor, self.mode)
        if trial.score is None:
            there = ", ".join(opened.metrics.get("val", {}))
            trial.state, trial.reason = "failed", f"it has no {self.ledger.objective}; there are {there}"
        if trial.kind == "written":
            self.ledger.written = opened.config

    def _told(self, trial: Trial) -> None:
        """Tell the oracle what came of a trial, as a loss."""
        if trial.kind not in ("written", "searched"):
            self.ledger.save()
            return
        loss = None if trial.score is None else self._loss(trial.score)
        if trial.state == "stopped" and self.ledger.objective != self.monitor:
            loss = self._worst()  # its score is of another kind; it was worse than half of them
        if trial.kind == "written":
            if trial.state == "done" and self.ledger.written:
                if self.oracle is None:
                    self._make_oracle()
                self.oracle.learn(trial.name, self.ledger.written, loss)  # type: ignore[union-attr]
        elif self.oracle is not None:
            self.oracle.tell(trial.name, loss if trial.state != "failed" else None)
        if self.oracle is not None:
            self.ledger.events = self.oracle.events
        self.ledger.save()

    def _loss(self, score: float) -> float:
        return score if self.better == "min" else -score

    def _worst(self) -> float | None:
        """The loss of the middle one of those that came to their end, which a poor trial does not reach."""
        losses = sorted(self._loss(trial.score) for trial in self.ledger.best(self.better) if trial.score is not None)
        return losses[len(losses) // 2] if losses else None

    def slim(self, over: bool = False) -> None:
        """Keep the best few models, and no more; while the search goes on, also what a rung may go on from."""
        keep = {trial.number for trial in self.ledger.best(self.better)[:MODELS]}
        rungs = set() if over else {trial.number for trial in self.ledger.trials if trial.state == "paused"}
        runs = {self.ledger.trials[number - 1].run for number in keep | rungs}
        self.ledger.slim({trial.number for trial in self.ledger.trials if trial.run in runs})
