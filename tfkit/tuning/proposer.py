"""Which trial comes next: the default settings, interrupted trials, then proposals of the oracle."""

from collections.abc import Callable

from tfkit.errors import UserError
from tfkit.tuning.keras_tuner_space import Space, to_grid
from tfkit.tuning.oracle import Oracle
from tfkit.tuning.study import Study, Trial


class TrialProposer:
    """Creates the trials of a search and reports their results to the oracle.

    Args:
        study: Saved state of the search.
        space: Domains of the searched settings.
        algorithm: random, bayesian, hyperband or grid.
        seed: Random seed of the proposals.
        monitor: The value that the recipe monitors.
        objective_mode: Returns "min" or "max", whichever is better for the objective; it is called when there is one.
    """

    def __init__(
        self,
        study: Study,
        space: Space,
        algorithm: str,
        *,
        seed: int,
        monitor: str,
        objective_mode: Callable[[], str],
    ):
        self.study, self.space, self.algorithm, self.seed = study, space, algorithm, seed
        self.monitor, self.objective_mode = monitor, objective_mode
        self.oracle: Oracle | None = None
        self.pending: list[Trial] = []  # trials that were running when the search was interrupted

    def restore(self) -> None:
        """Restore the oracle of an interrupted search; trials that were running start again first."""
        self.pending = [trial for trial in self.study.trials if trial.state == "running"]
        if self.study.events:
            self._make_oracle().replay(self.study.events)

    def next_trial(self, num_trials: int, time_is_up: bool) -> Trial | None:
        """Return the next trial; None if there is none, or none yet.

        Args:
            num_trials: Number of trials of the search.
            time_is_up: Whether no new trial may start.
        """
        study = self.study
        if self.pending:
            return self.pending.pop(0)
        if not study.trials:
            return study.add({}, kind="default")
        if time_is_up or len(study.search_trials()) >= num_trials:
            return None
        if self.oracle is None:
            if self.algorithm in ("hyperband", "grid") and study.default_settings is None:
                if study.trials[0].state == "running":
                    return None  # the default settings define the number of epochs, and the first point of a grid
                raise UserError(
                    f"The default settings of the recipe must train for a search by {self.algorithm}. "
                    f"Received: {study.trials[0].reason}"
                )
            self._make_oracle()
        return self._propose(num_trials)

    def _propose(self, num_trials: int) -> Trial | None:
        """Create the trial that the oracle proposes; equal settings take over the result of a finished trial."""
        study = self.study
        proposal = self.oracle.propose(f"trial-{len(study.trials) + 1:04d}")  # type: ignore[union-attr]
        if proposal.action != "run":
            return None
        resumed_number = int(proposal.resumed_trial.rpartition("-")[2]) if proposal.resumed_trial else None
        if resumed_number:  # the run folder is that of the first trial of the chain
            resumed_number = study.trials[resumed_number - 1].resumed_trial or resumed_number
        trial = study.add(proposal.settings, stop_after_epoch=proposal.stop_after_epoch, resumed_trial=resumed_number)
        for previous in study.search_trials()[:-1]:
            settings = previous.settings
            if previous.kind == "default":
                settings = {**(study.default_settings or {}), **settings}
            is_same = all(settings.get(name) == value for name, value in trial.settings.items())
            if previous.state == "done" and not trial.stop_after_epoch and is_same:
                trial.state, trial.reason = "done", f"same settings as trial {previous.number}"
                trial.score, trial.epochs, trial.run = previous.score, previous.epochs, previous.run
                self.report(trial)
                return self._propose(num_trials) if len(study.search_trials()) < num_trials else None
        return trial

    def _make_oracle(self) -> Oracle:
        default_settings, space = self.study.default_settings or {}, self.space
        space = to_grid(space, default_settings) if self.algorithm == "grid" else space
        self.oracle = Oracle(self.algorithm, space, "min", seed=self.seed, epochs=default_settings.get("epochs"))
        return self.oracle

    def report(self, trial: Trial) -> None:
        """Report the result of a trial to the oracle as a loss, and save the study."""
        study = self.study
        if trial.kind not in ("default", "searched"):
            study.save()
            return
        loss = None if trial.score is None else self._to_loss(trial.score)
        if trial.state == "stopped" and study.objective != self.monitor:
            loss = self._median_loss()  # its score is not the objective; it was worse than half of the trials
        if trial.kind == "default":
            if trial.state == "done" and study.default_settings:
                oracle = self.oracle or self._make_oracle()
                oracle.inject(trial.name, study.default_settings, loss)
        elif self.oracle is not None:
            self.oracle.report(trial.name, loss if trial.state != "failed" else None)
        if self.oracle is not None:
            study.events = self.oracle.events
        study.save()

    def _to_loss(self, score: float) -> float:
        return score if self.objective_mode() == "min" else -score

    def _median_loss(self) -> float | None:
        """Median loss of the finished trials, which is a lower bound for a pruned one."""
        ranked = self.study.ranked_trials(self.objective_mode())
        losses = sorted(self._to_loss(trial.score) for trial in ranked if trial.score is not None)
        return losses[len(losses) // 2] if losses else None
