"""Search loop: propose trials, run them, prune poor ones, and report the results to the oracle."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any

from tfkit.config import Config
from tfkit.errors import UserError
from tfkit.recipe import Recipe
from tfkit.run_dir import RunDir
from tfkit.training.checkpoint import STOP
from tfkit.training.fit_stages import monitor_mode
from tfkit.tuning import pruning
from tfkit.tuning import worker_pool as tuning_worker_pool
from tfkit.tuning.keras_tuner_space import Space, to_grid
from tfkit.tuning.live_table import LiveTable
from tfkit.tuning.oracle import Oracle
from tfkit.tuning.study import Study, Trial

POLL_SECONDS = 0.5  # between two checks of the running trials

NUM_SAVED_MODELS = 3  # on disk, besides the winner's

NUM_SEEDS = 3  # new seeds that each finalist is trained with


class Search:
    """State of a running search: recipe, search space, ledger, oracle and workers.

    Args:
        recipe: The recipe to tune.
        config: Its settings, with the fixed ones.
        fixed: Settings that every trial has.
        space: Domains of the searched settings.
        ledger: Saved state of the search.
        method: random, bayesian, hyperband or grid.
        jobs: Number of trials at a time.
        device: Device that each trial trains on.
        scheduler: Address of a Dask cluster, or None for this machine.
        log: Prints a message or a table.
        quiet: Whether no live table is shown.
    """

    def __init__(
        self,
        recipe: Recipe,
        config: Config,
        fixed: dict[str, Any],
        space: Space,
        ledger: Study,
        method: str,
        jobs: int,
        device: str,
        scheduler: str | None,
        log: Callable[[Any], None],
        quiet: bool,
    ):
        self.recipe, self.config, self.fixed, self.space, self.ledger = recipe, config, fixed, space, ledger
        self.method, self.jobs, self.device, self.scheduler, self.log = method, jobs, device, scheduler, log
        self.monitor, self.mode = recipe.monitor, monitor_mode(recipe)
        objective = ledger.asked["objective"]
        if objective is not None and pruning.mode_of(objective, self.monitor, recipe.mode) is None:
            raise UserError(
                "`objective` must be a score whose direction is known, such as accuracy or log_loss. "
                f"Received: {objective}"
            )
        if method == "hyperband" and objective not in (None, self.monitor):
            raise UserError(
                f"Hyperband compares unfinished trainings, so `objective` must be the monitored {self.monitor}. "
                f"Received: objective={objective}"
            )
        self.oracle: Oracle | None = None
        self.running: dict[Future[Any], tuple[Trial, float]] = {}
        self.pool: Executor | None = None
        self.display = LiveTable(self, quiet)

    @property
    def objective_mode(self) -> str:
        """Whether "min" or "max" is better for the objective."""
        return pruning.mode_of(self.ledger.objective or self.monitor, self.monitor, self.recipe.mode) or "min"

    @contextlib.contextmanager
    def worker_pool(self) -> Iterator[None]:
        """Keep workers and the live table open inside the block."""
        with contextlib.ExitStack() as stack:
            if self.recipe.path is None:
                self.log("This recipe exists only in memory: its trials run in this process, one at a time.")
                self.jobs, self.pool = 1, tuning_worker_pool.Here(self.recipe)
            else:
                self.pool = stack.enter_context(tuning_worker_pool.executor(self.jobs, self.scheduler))
            stack.enter_context(self.display)
            yield

    def explore(self, trials: int, deadline: float | None, finalists: int) -> None:
        """Run trials until there are enough, the time limit is reached, or the space is exhausted."""
        self.num_trials = trials
        self._restore()
        while True:
            time_is_up = deadline is not None and time.monotonic() + self.expected(finalists) > deadline
            while len(self.running) < self.jobs and (trial := self._next_trial(time_is_up)) is not None:
                self.start(trial)
            if not self.running:
                break
            self.look()
        self.slim(search_ended=True)
        if not self.ledger.ranked_trials(self.objective_mode):
            reasons = {trial.reason for trial in self.ledger.search_trials() if trial.reason}
            raise UserError(f"No trial finished: {'; '.join(sorted(reasons)) or 'the time limit was too short'}")

    def expected(self, finalists: int) -> float:
        """Estimate the seconds for finalists and winner from the mean time of the finished trials."""
        seconds = [trial.seconds for trial in self.ledger.trials if trial.state == "done"]
        mean_seconds = sum(seconds) / len(seconds) if seconds else 0.0
        rounds = math.ceil((finalists + 1) * NUM_SEEDS / self.jobs) if finalists else 0
        return mean_seconds * (rounds + 1)

    def _restore(self) -> None:
        """Restore the oracle of an interrupted search; trials that were running start again first."""
        self.pending = [trial for trial in self.ledger.trials if trial.state == "running"]
        if self.ledger.events:
            self._make_oracle()
            self.oracle.replay(self.ledger.events)  # type: ignore[union-attr]
        if self.ledger.trials:
            done = sum(trial.state != "running" for trial in self.ledger.search_trials())
            self.log(f"Resuming {self.ledger.folder}: {done} trials finished")

    def _next_trial(self, time_is_up: bool) -> Trial | None:
        """Return the next trial; None if there is none, or none yet."""
        ledger = self.ledger
        if self.pending:
            return self.pending.pop(0)
        if not ledger.trials:
            return ledger.add({}, kind="written")
        if time_is_up or len(ledger.search_trials()) >= self.num_trials:
            return None
        if self.oracle is None:
            if self.method in ("hyperband", "grid") and ledger.written is None:
                if ledger.trials[0].state == "running":
                    return None  # the default settings define the number of epochs, and the first point of a grid
                raise UserError(
                    f"The default settings of the recipe must train for a search by {self.method}. "
                    f"Received: {ledger.trials[0].reason}"
                )
            self._make_oracle()
        return self._propose_trial()

    def _propose_trial(self) -> Trial | None:
        """Ask the oracle for a trial; one with the settings of a finished trial takes over its result."""
        number = len(self.ledger.trials) + 1
        proposal = self.oracle.propose(f"trial-{number:04d}")  # type: ignore[union-attr]
        if proposal.action != "run":
            return None
        resumed_number = int(proposal.resumed_trial.rpartition("-")[2]) if proposal.resumed_trial else None
        if resumed_number:  # the run folder is that of the first trial of the chain
            resumed_number = self.ledger.trials[resumed_number - 1].goes_on or resumed_number
        trial = self.ledger.add(proposal.settings, until=proposal.stop_after_epoch, goes_on=resumed_number)
        for previous in self.ledger.search_trials()[:-1]:
            settings = previous.settings
            if previous.kind == "written":
                settings = {**(self.ledger.written or {}), **settings}
            is_same = all(settings.get(name) == value for name, value in trial.settings.items())
            if previous.state == "done" and not trial.until and is_same:
                trial.state, trial.reason = "done", f"same settings as trial {previous.number}"
                trial.score, trial.epochs, trial.run = previous.score, previous.epochs, previous.run
                self._report_to_oracle(trial)
                return self._propose_trial() if len(self.ledger.search_trials()) < self.num_trials else None
        return trial

    def _make_oracle(self) -> None:
        default_settings, space = self.ledger.written or {}, self.space
        space = to_grid(space, default_settings) if self.method == "grid" else space
        self.oracle = Oracle(self.method, space, "min", seed=self.config.seed, epochs=default_settings.get("epochs"))

    def make_job(self, trial: Trial, test: bool = False) -> dict[str, Any]:
        """Describe a trial for a worker, in JSON types."""
        folder = self.ledger.trial_folder(trial)
        folder.mkdir(exist_ok=True)
        run = pruning.newest_run(folder)
        settings = {**self.fixed, **trial.settings, "split_seed": self.config.effective_split_seed}
        if trial.seed is not None:
            settings["seed"] = trial.seed
        return {
            "recipe_path": str(self.recipe.path) if self.recipe.path else None,
            "settings": settings,
            "out": str(folder.resolve()),
            "test": test,
            "until": trial.until,
            "resume": str(run.resolve()) if run else None,
            "device": self.device,
            "cwd": os.getcwd(),
        }

    def start(self, trial: Trial) -> None:
        """Submit a trial to the worker pool."""
        self.ledger.save()
        future = self.pool.submit(tuning_worker_pool.run, self.make_job(trial, test=trial.kind == "winner"))  # type: ignore[union-attr]
        self.running[future] = (trial, time.monotonic())

    def look(self) -> None:
        """Wait at most `POLL_SECONDS`; process trials that have ended, and prune poor ones."""
        done, _ = wait(self.running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            trial, start = self.running.pop(future)
            trial.seconds = round(trial.seconds + time.monotonic() - start, 1)
            try:
                self._finish_trial(trial, future.result())
            except Exception as error:  # a worker of a cluster was lost
                self._finish_trial(trial, {"state": "failed", "reason": f"{type(error).__name__}: {error}"})
        for trial, _ in self.running.values():
            self._prune_if_poor(trial)
        self.display.refresh()

    def _prune_if_poor(self, trial: Trial) -> None:
        """Request a stop of a running trial that is poor by the median rule."""
        run = pruning.newest_run(self.ledger.trial_folder(trial))
        values = pruning.read_curve(run, self.monitor)
        trial.epochs = len(values)
        if trial.kind != "searched" or self.method == "hyperband" or set(self.space) & pruning.LOSS_SETTINGS:
            return
        ended_trials = [past for past in self.ledger.search_trials() if past.state in ("done", "stopped")]
        other_curves = [self.monitored_values(past) for past in ended_trials]
        epochs = trial.settings.get("epochs", (self.ledger.written or {}).get("epochs"))
        if isinstance(epochs, int) and run and pruning.should_prune(values, other_curves, self.mode, epochs):
            (run / STOP).touch()

    def monitored_values(self, trial: Trial) -> list[float]:
        """Monitored value of each epoch of a trial."""
        return pruning.read_curve(self.ledger.folder / trial.run if trial.run else None, self.monitor)

    def _finish_trial(self, trial: Trial, result: dict[str, Any]) -> None:
        """Record the result of a trial, report it to the oracle, and log it."""
        trial.state, trial.reason = result["state"], result.get("reason", "")
        run = pruning.newest_run(self.ledger.trial_folder(trial))
        if run is not None:
            trial.run = str(run.relative_to(self.ledger.folder))
            trial.epochs = len(self.monitored_values(trial))
            if trial.state == "done" and not (run / "metrics.json").exists():
                trial.state = "paused"
            (run / STOP).unlink(missing_ok=True)
            self._set_score(trial, run)
        self._report_to_oracle(trial)
        self.slim()
        self.display.log_trial(trial)

    def _set_score(self, trial: Trial, folder: Path) -> None:
        """Set the score: the objective of a finished trial, the best monitored value of an unfinished one."""
        if trial.state in ("stopped", "paused"):
            trial.score = pruning.best_value(self.monitored_values(trial), self.mode)
            return
        if trial.state != "done":
            return
        run = RunDir(folder)
        if self.ledger.objective is None:
            objective = self.ledger.asked["objective"] or (self.monitor if self.method == "hyperband" else None)
            self.ledger.objective = objective or pruning.default_objective(run.metrics, self.monitor)
        trial.score = pruning.read_score(folder, self.ledger.objective, self.monitor, self.mode)
        if trial.score is None:
            available = ", ".join(run.metrics.get("val", {}))
            trial.state = "failed"
            trial.reason = f"it has no score {self.ledger.objective}; available scores: {available}"
        if trial.kind == "written":
            self.ledger.written = run.config

    def _report_to_oracle(self, trial: Trial) -> None:
        """Report the result of a trial to the oracle as a loss, and save the ledger."""
        if trial.kind not in ("written", "searched"):
            self.ledger.save()
            return
        loss = None if trial.score is None else self._to_loss(trial.score)
        if trial.state == "stopped" and self.ledger.objective != self.monitor:
            loss = self._median_loss()  # its score is not the objective; it was worse than half of the trials
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

    def _to_loss(self, score: float) -> float:
        return score if self.objective_mode == "min" else -score

    def _median_loss(self) -> float | None:
        """Median loss of the finished trials, which is a lower bound for a pruned one."""
        ranked = self.ledger.ranked_trials(self.objective_mode)
        losses = sorted(self._to_loss(trial.score) for trial in ranked if trial.score is not None)
        return losses[len(losses) // 2] if losses else None

    def slim(self, search_ended: bool = False) -> None:
        """Delete models except the best few; during the search also keep paused runs, which Hyperband may resume."""
        best = {trial.number for trial in self.ledger.ranked_trials(self.objective_mode)[:NUM_SAVED_MODELS]}
        paused = set() if search_ended else {trial.number for trial in self.ledger.trials if trial.state == "paused"}
        runs = {self.ledger.trials[number - 1].run for number in best | paused}
        self.ledger.delete_models(keep={trial.number for trial in self.ledger.trials if trial.run in runs})
