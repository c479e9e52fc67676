"""What to try next: an oracle of Keras Tuner, driven directly, that can be taken up again after a kill.

Keras Tuner decides; its own loop, which loses searches and lets failures win, is not used. What it decided and was told
is kept as a list of events, and a new oracle that is told them again goes on as the old one would have (its own state
leaves out what Hyperband's and the grid's order need).
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfkit.errors import UserError
from tfkit.tuner.space import Space, hyperparameters, settings, told, values

METHODS = ("random", "bayesian", "hyperband", "grid")
RANDOM_FIRST = 8  # trials of a Bayesian search before it has something to go by
NEVER = 10**6


class Proposal(NamedTuple):
    """What an oracle answers: `run` these settings, `wait` for a trial that runs, or the search is `over`.

    Of Hyperband also `until` which epoch, and the trial that it `goes_on` with.
    """

    what: str
    settings: dict[str, Any] = {}
    until: int | None = None
    goes_on: str | None = None


class Oracle:
    """An oracle of Keras Tuner that takes our numbers of trials and forgets nothing.

    Args:
        method: random, bayesian, hyperband or grid.
        space: Where to look.
        mode: "min" or "max": where the score is best.
        seed: Of its choices.
        epochs: Of a whole training; Hyperband's rungs are shares of it.
    """

    def __init__(self, method: str, space: Space, mode: str, *, seed: int = 0, epochs: int | None = None):
        self.space, self.method = space, method
        self.events: list[list[Any]] = []
        self._ids: dict[str, str] = {}  # ours -> Keras Tuner's
        with _quiet():
            self.inner = _made(method, hyperparameters(space), mode, seed, epochs)
            self.inner.verbose = 0
            # everything is kept by whoever drives the oracle
            self.inner.save = self.inner._save_trial = lambda *_: None

    def propose(self, trial: str) -> Proposal:
        """What the next trial should be; asked again of a trial that has not ended, the same."""
        with _quiet():
            found = self.inner.create_trial(trial)
        if found.status in ("IDLE", "STOPPED"):
            return Proposal("wait" if found.status == "IDLE" else "over")
        if trial not in self._ids:
            self._ids[trial] = found.trial_id
            self.events.append(["propose", trial, dict(found.hyperparameters.values), self.inner._seed_state])
        chosen = found.hyperparameters.values
        ours = {theirs: own for own, theirs in self._ids.items()}
        return Proposal(
            "run", settings(self.space, chosen), chosen.get("tuner/epochs"), ours.get(chosen.get("tuner/trial_id"))
        )

    def tell(self, trial: str, score: float | None) -> None:
        """How good a proposed trial was; None where it has failed."""
        self.events.append(["tell", trial, score])
        found = self.inner.get_trial(self._ids[trial])
        good = score is not None and math.isfinite(score)
        with _quiet():
            if good:
                self.inner.update_trial(found.trial_id, {"score": score})
            found.status = "COMPLETED" if good else "FAILED"
            self.inner.end_trial(found)

    def learn(self, trial: str, written: Mapping[str, Any], score: float | None) -> bool:
        """Tell of a trial that it has not proposed; False where that lies outside the space."""
        if self.method == "grid" or not told(self.space, written):
            return False
        self._give(trial, values(self.space, written))
        self.tell(trial, score)
        return True

    def replay(self, events: list[list[Any]]) -> None:
        """Become what an oracle was that these events happened to."""
        for what, trial, *rest in events:
            if what == "tell":
                self.tell(trial, rest[0])
            elif what == "give" or self.method == "bayesian":  # which would take seconds, and come to the same
                self._give(trial, *rest)
                self.events[-1][0] = what
            elif self.propose(trial).what != "run" or self.events[-1][2] != rest[0]:
                raise UserError(
                    "A search goes on only with the Keras Tuner and the space that it began with; "
                    "--fresh begins anew. Received: other proposals for the same search"
                )

    def _give(self, trial: str, chosen: dict[str, Any], seed_state: int | None = None) -> None:
        """Make it propose what we say."""
        own = self.inner.populate_space
        self.inner.populate_space = lambda _: {"status": "RUNNING", "values": dict(chosen)}
        try:
            with _quiet():
                self._ids[trial] = self.inner.create_trial(trial).trial_id
        finally:
            self.inner.populate_space = own
        if seed_state is not None:
            self.inner._seed_state = seed_state
        self.events.append(["give", trial, dict(chosen), self.inner._seed_state])


def _made(method: str, space: Any, mode: str, seed: int, epochs: int | None) -> Any:
    import keras_tuner
    from keras_tuner import oracles

    alike = {
        "objective": keras_tuner.Objective("score", mode),
        "hyperparameters": space,
        "seed": seed + 1,
        "max_consecutive_failed_trials": NEVER,
    }
    if method == "bayesian":
        return oracles.BayesianOptimizationOracle(max_trials=NEVER, num_initial_points=RANDOM_FIRST, **alike)
    if method == "hyperband":
        return oracles.HyperbandOracle(max_epochs=epochs, hyperband_iterations=NEVER, **alike)
    if method == "grid":
        return oracles.GridSearchOracle(**alike)
    return oracles.RandomSearchOracle(max_trials=NEVER, **alike)


class _quiet(warnings.catch_warnings):
    """Without Keras Tuner's own deprecation warnings, and those of a Gaussian process that is unsure."""

    def __enter__(self) -> Any:
        found = super().__enter__()
        warnings.simplefilter("ignore")
        return found
