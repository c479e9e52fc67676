"""Search loop: run trials, prune poor ones, and score them."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any

from tfkit.config import Config
from tfkit.errors import UserError, did_you_mean
from tfkit.recipe import Recipe
from tfkit.run_dir import RunDir
from tfkit.training.checkpoint import STOP_FILE
from tfkit.training.fit_stages import monitor_mode
from tfkit.tuning import pruning
from tfkit.tuning import worker_pool as tuning_worker_pool
from tfkit.tuning.keras_tuner_space import Space
from tfkit.tuning.live_table import LiveTable
from tfkit.tuning.proposer import TrialProposer
from tfkit.tuning.study import Study, Trial
from tfkit.tuning.worker import LOG_FILE

POLL_SECONDS = 0.5  # between two checks of the running trials

NUM_SAVED_MODELS = 3  # on disk, besides the winner's

NUM_SEEDS = 3  # new seeds that each finalist is trained with


class Search:
    """State of a running search: recipe, search space, study, proposer and workers.

    Args:
        recipe: The recipe to tune.
        config: Its settings, with the fixed ones.
        fixed: Settings that every trial has.
        space: Domains of the searched settings.
        study: Saved state of the search.
        algorithm: random, bayesian, hyperband or grid.
        workers: Number of trials at a time.
        device: Device that each trial trains on.
        dask_address: Address of a Dask cluster, or None for this machine.
        log: Prints a message or a table.
        quiet: Whether no live table is shown.
    """

    def __init__(
        self,
        recipe: Recipe,
        config: Config,
        fixed: dict[str, Any],
        space: Space,
        study: Study,
        *,
        algorithm: str,
        workers: int,
        device: str,
        dask_address: str | None,
        log: Callable[[Any], None],
        quiet: bool,
    ):
        self.recipe, self.config, self.fixed, self.space, self.study = recipe, config, fixed, space, study
        self.algorithm, self.workers, self.device = algorithm, workers, device
        self.dask_address, self.log, self.num_trials, self.max_trainings = dask_address, log, 0, 0
        self.monitor, self.mode = recipe.monitor, monitor_mode(recipe)
        self.proposer = TrialProposer(
            study,
            space,
            algorithm,
            seed=config.seed,
            monitor=self.monitor,
            objective_mode=lambda: self.objective_mode,
        )
        self.running: dict[Future[Any], tuple[Trial, float]] = {}
        self.pool: Executor | None = None
        self.display = LiveTable(self, quiet)

    @property
    def objective_mode(self) -> str:
        """Whether "min" or "max" is better for the objective."""
        return pruning.mode_of(self.study.objective or self.monitor, self.monitor, self.recipe.mode) or "min"

    @contextlib.contextmanager
    def worker_pool(self) -> Iterator[None]:
        """Keep workers and the live table open inside the block."""
        with contextlib.ExitStack() as stack:
            if self.recipe.path is None:
                self.log("This recipe exists only in memory: its trials run in this process, one at a time.")
                self.workers, self.pool = 1, tuning_worker_pool.InProcessExecutor(self.recipe)
            else:
                self.pool = stack.enter_context(tuning_worker_pool.executor(self.workers, self.dask_address))
            stack.enter_context(self.display)
            yield

    def run_trials(self, trials: int, deadline: float | None, finalists: int) -> None:
        """Run trials until there are enough, the time limit is reached, or the space is exhausted."""
        self.num_trials = trials
        retrained = min(finalists, max(1, trials - 1)) + 1 if finalists else 0  # and the default
        self.max_trainings = trials + retrained * NUM_SEEDS + 1
        later = f", then the best {retrained} with {NUM_SEEDS} new seeds each" if retrained else ""
        self.log(f"{trials} trials{later}, then the winner: at most {self.max_trainings} trainings")
        self.proposer.restore()
        if self.study.trials:
            done = sum(trial.state != "running" for trial in self.study.search_trials())
            self.log(f"Resuming {self.study.folder}: {done} trials finished")
        while True:
            time_is_up = deadline is not None and time.monotonic() + self.estimated_seconds(finalists) > deadline
            while (
                len(self.running) < self.workers
                and not self.is_refused()
                and (trial := self.proposer.next_trial(trials, time_is_up)) is not None
            ):
                self.start(trial)
            if not self.running:
                break
            self.poll()
        if self.is_refused():
            raise UserError(self.study.trials[0].reason)
        self.delete_models_of_losers(search_ended=True)
        if not self.study.ranked_trials(self.objective_mode):
            reasons = {trial.reason for trial in self.study.search_trials() if trial.reason}
            remedy = f"the logs are in {self.study.folder}/trial-*/{LOG_FILE}; start again with --overwrite"
            raise UserError(
                f"No trial finished: {'; '.join(sorted(reasons)) or 'the time limit was too short'} ({remedy})"
            )

    def is_refused(self) -> bool:
        """Whether the default settings failed by an error of the user, as the other trials would."""
        return bool(self.study.trials) and self.study.trials[0].refused

    def estimated_seconds(self, finalists: int) -> float:
        """Estimate the seconds for finalists and winner from the mean time of the finished trials."""
        seconds = [trial.seconds for trial in self.study.trials if trial.state == "done"]
        mean_seconds = sum(seconds) / len(seconds) if seconds else 0.0
        rounds = math.ceil((finalists + 1) * NUM_SEEDS / self.workers) if finalists else 0
        return mean_seconds * (rounds + 1)

    def make_job(self, trial: Trial, evaluate_test: bool = False) -> dict[str, Any]:
        """Describe a trial for a worker, in JSON types."""
        folder = self.study.trial_folder(trial)
        folder.mkdir(exist_ok=True)
        run = pruning.newest_run(folder)
        settings = {**self.fixed, **trial.settings, "split_seed": self.config.effective_split_seed}
        if trial.seed is not None:
            settings["seed"] = trial.seed
        return {
            "recipe_path": str(self.recipe.path) if self.recipe.path else None,
            "settings": settings,
            "out": str(folder.resolve()),
            "evaluate_test": evaluate_test,
            "stop_after_epoch": trial.stop_after_epoch,
            "resume": str(run.resolve()) if run else None,
            "device": self.device,
            "cwd": os.getcwd(),
        }

    def start(self, trial: Trial) -> None:
        """Submit a trial to the worker pool."""
        self.study.save()
        future = self.pool.submit(tuning_worker_pool.run, self.make_job(trial, evaluate_test=trial.kind == "winner"))  # type: ignore[union-attr]
        self.running[future] = (trial, time.monotonic())

    def poll(self) -> None:
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
        run = pruning.newest_run(self.study.trial_folder(trial))
        values = pruning.read_curve(run, self.monitor)
        trial.epochs = len(values)
        if trial.kind != "searched" or self.algorithm == "hyperband" or set(self.space) & pruning.LOSS_SETTINGS:
            return
        ended_trials = [past for past in self.study.search_trials() if past.state in ("done", "stopped")]
        other_curves = [self.monitored_values(past) for past in ended_trials]
        epochs = trial.settings.get("epochs", (self.study.default_settings or {}).get("epochs"))
        if isinstance(epochs, int) and run and pruning.should_prune(values, other_curves, self.mode, epochs):
            (run / STOP_FILE).touch()

    def monitored_values(self, trial: Trial) -> list[float]:
        """Monitored value of each epoch of a trial."""
        return pruning.read_curve(self.study.folder / trial.run if trial.run else None, self.monitor)

    def _finish_trial(self, trial: Trial, result: dict[str, Any]) -> None:
        """Record the result of a trial, report it to the oracle, and log it."""
        trial.state, trial.reason = result["state"], result.get("reason", "")
        trial.refused = result.get("refused", False)
        run = pruning.newest_run(self.study.trial_folder(trial))
        if run is not None:
            trial.run = str(run.relative_to(self.study.folder))
            trial.epochs = len(self.monitored_values(trial))
            if trial.state == "done" and not (run / "metrics.json").exists():
                trial.state = "paused"
            (run / STOP_FILE).unlink(missing_ok=True)
            self._set_score(trial, run)
        self.proposer.report(trial)
        self.delete_models_of_losers()
        self.display.log_trial(trial)

    def _set_score(self, trial: Trial, folder: Path) -> None:
        """Set the score: the objective of a finished trial, the best monitored value of an unfinished one."""
        if trial.state in ("stopped", "paused"):
            trial.score = pruning.best_value(self.monitored_values(trial), self.mode)
            return
        if trial.state != "done":
            return
        run = RunDir(folder)
        if self.study.objective is None:
            objective = self.study.request["objective"] or (self.monitor if self.algorithm == "hyperband" else None)
            self.study.objective = objective or pruning.default_objective(run.metrics, self.monitor)
        trial.score = pruning.read_score(folder, self.study.objective, self.monitor, self.mode)
        if trial.score is None:
            names = list(run.metrics.get("val", {}))
            trial.state, trial.refused = "failed", True
            trial.reason = (
                f"`objective` must be a validation score of the recipe: {', '.join(names)}."
                f"{did_you_mean(self.study.objective, names)} Received: objective={self.study.objective}"
            )
        if trial.kind == "default":
            self.study.default_settings = run.config

    def delete_models_of_losers(self, search_ended: bool = False) -> None:
        """Delete models except the best few; during the search also keep paused runs, which Hyperband may resume."""
        best = {trial.number for trial in self.study.ranked_trials(self.objective_mode)[:NUM_SAVED_MODELS]}
        paused = set() if search_ended else {trial.number for trial in self.study.trials if trial.state == "paused"}
        runs = {self.study.trials[number - 1].run for number in best | paused}
        self.study.delete_models(keep={trial.number for trial in self.study.trials if trial.run in runs})
