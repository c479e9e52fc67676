"""Oracle of Keras Tuner that proposes trials, driven directly, and resumable after a kill.

The search loop of Keras Tuner is not used, because it can lose a search and let a failed trial win. Proposals and
results are recorded as a list of events; a new oracle that replays them continues exactly as the old one would have
(the state that Keras Tuner saves lacks what Hyperband and the order of the grid need).
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfkit.errors import UserError
from tfkit.tuning.keras_tuner_space import Space, in_space, to_keras_tuner_space, to_keras_tuner_values, to_settings

ALGORITHMS = ("random", "bayesian", "hyperband", "grid")

NUM_INITIAL_POINTS = 8  # random trials before the model of a Bayesian search is used

UNLIMITED_TRIALS = 10**6


class Proposal(NamedTuple):
    """What to do next: `run` these settings, `wait` for a running trial, or the search is `over`.

    For Hyperband also the epoch to stop after, and the name of the trial to resume.
    """

    action: str
    settings: dict[str, Any] = {}
    stop_after_epoch: int | None = None
    resumed_trial: str | None = None


class Oracle:
    """Oracle of Keras Tuner that uses the trial names of the search and can be replayed.

    Args:
        algorithm: random, bayesian, hyperband or grid.
        space: The search space.
        mode: "min" or "max", whichever score is better.
        seed: Random seed of the proposals.
        epochs: Number of epochs of a complete training; the rungs of Hyperband are fractions of it.
    """

    def __init__(self, algorithm: str, space: Space, mode: str, *, seed: int = 0, epochs: int | None = None):
        self.space, self.algorithm = space, algorithm
        self.events: list[list[Any]] = []
        self._keras_tuner_ids: dict[str, str] = {}  # trial name -> trial id of Keras Tuner
        with _IgnoreWarnings():
            self.inner = _make_inner_oracle(algorithm, to_keras_tuner_space(space), mode, seed, epochs)
            self.inner.verbose = 0
            # the study saves the events; Keras Tuner writes no files
            self.inner.save = self.inner._save_trial = lambda *_: None

    def propose(self, trial: str) -> Proposal:
        """Propose the settings of the next trial; for a trial that has not ended, the same proposal as before."""
        with _IgnoreWarnings():
            inner_trial = self.inner.create_trial(trial)
        if inner_trial.status in ("IDLE", "STOPPED"):
            return Proposal("wait" if inner_trial.status == "IDLE" else "over")
        values = inner_trial.hyperparameters.values
        if trial not in self._keras_tuner_ids:
            self._keras_tuner_ids[trial] = inner_trial.trial_id
            self.events.append(["propose", trial, dict(values), self.inner._seed_state])
        names = {inner_id: name for name, inner_id in self._keras_tuner_ids.items()}
        return Proposal(
            "run", to_settings(self.space, values), values.get("tuner/epochs"), names.get(values.get("tuner/trial_id"))
        )

    def report(self, trial: str, score: float | None) -> None:
        """Report the score of a proposed trial; None if it failed."""
        self.events.append(["report", trial, score])
        inner_trial = self.inner.get_trial(self._keras_tuner_ids[trial])
        is_valid = score is not None and math.isfinite(score)
        with _IgnoreWarnings():
            if is_valid:
                self.inner.update_trial(inner_trial.trial_id, {"score": score})
            inner_trial.status = "COMPLETED" if is_valid else "FAILED"
            self.inner.end_trial(inner_trial)

    def inject(self, trial: str, settings: Mapping[str, Any], score: float | None) -> bool:
        """Report a trial that the oracle did not propose; return False if it is outside the space."""
        if self.algorithm == "grid" or not in_space(self.space, settings):
            return False
        self._force_proposal(trial, to_keras_tuner_values(self.space, settings))
        self.report(trial, score)
        return True

    def replay(self, events: list[list[Any]]) -> None:
        """Restore the state that these events led to.

        Raises:
            UserError: If the oracle proposes other settings than the events contain.
        """
        for action, trial, *arguments in events:
            if action == "report":
                self.report(trial, arguments[0])
            elif (
                action == "inject" or self.algorithm == "bayesian"
            ):  # proposing again gives the same, but takes seconds
                self._force_proposal(trial, *arguments)
                self.events[-1][0] = action
            elif self.propose(trial).action != "run" or self.events[-1][2] != arguments[0]:
                raise UserError(
                    "A search can be resumed only with the Keras Tuner version and the search space that it was "
                    "started with; use --overwrite to start over. Received: different proposals for the same search"
                )

    def _force_proposal(self, trial: str, values: dict[str, Any], seed_state: int | None = None) -> None:
        """Make the inner oracle propose the given values."""
        populate_space = self.inner.populate_space
        self.inner.populate_space = lambda _: {"status": "RUNNING", "values": dict(values)}
        try:
            with _IgnoreWarnings():
                self._keras_tuner_ids[trial] = self.inner.create_trial(trial).trial_id
        finally:
            self.inner.populate_space = populate_space
        if seed_state is not None:
            self.inner._seed_state = seed_state
        self.events.append(["inject", trial, dict(values), self.inner._seed_state])


def _make_inner_oracle(algorithm: str, space: Any, mode: str, seed: int, epochs: int | None) -> Any:
    """Create the oracle of Keras Tuner for a search algorithm."""
    import keras_tuner
    from keras_tuner import oracles

    options = {
        "objective": keras_tuner.Objective("score", mode),
        "hyperparameters": space,
        "seed": seed + 1,
        "max_consecutive_failed_trials": UNLIMITED_TRIALS,
    }
    if algorithm == "bayesian":
        return oracles.BayesianOptimizationOracle(
            max_trials=UNLIMITED_TRIALS, num_initial_points=NUM_INITIAL_POINTS, **options
        )
    if algorithm == "hyperband":
        return oracles.HyperbandOracle(max_epochs=epochs, hyperband_iterations=UNLIMITED_TRIALS, **options)
    if algorithm == "grid":
        return oracles.GridSearchOracle(**options)
    return oracles.RandomSearchOracle(max_trials=UNLIMITED_TRIALS, **options)


class _IgnoreWarnings(warnings.catch_warnings):
    """Ignore deprecation warnings of Keras Tuner, and convergence warnings of the Gaussian process."""

    def __enter__(self) -> Any:
        warning_list = super().__enter__()
        warnings.simplefilter("ignore")
        return warning_list
