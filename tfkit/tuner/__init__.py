"""Tune a recipe: `train`, many times, and an honest winner."""

import signal
import time
from pathlib import Path
from typing import Any

from tfkit.config import read_settings
from tfkit.display import voice
from tfkit.errors import Interrupted, UserError
from tfkit.recipe import Recipe, load
from tfkit.run_dir import RunDir, versions

__all__ = ["tune"]


def tune(
    recipe: Any = None,
    *,
    trials: int = 20,
    minutes: float | None = None,
    method: str = "random",
    jobs: int = 1,
    device: str = "auto",
    out: str | Path | None = None,
    search: Any = (),
    objective: str | None = None,
    finalists: int = 3,
    scheduler: str | None = None,
    fresh: bool = False,
    settings: Any = None,
    quiet: bool = False,
    **words: Any,
) -> RunDir:
    """Search the settings of a recipe, and train the best of them as a run like any other.

    Keras Tuner decides what to try. Every trial is a run of its own in a process of its own, which sees the training
    and validation rows alone; the first is the recipe as written. The best few are trained again with other seeds, on
    the same rows, beside the recipe as written, and the one whose mean is best wins. It alone is scored on the test
    rows. The same call goes on with a search that was interrupted; one that is finished gives its winner again.

    Args:
        recipe: Whatever `load` takes.
        trials: How many settings are tried, the recipe as written among them, at least 1.
        minutes: No trial begins after so many, less what the finalists are expected to take; None: no limit.
        method: What Keras Tuner goes by: `random`, `bayesian`, `hyperband` (many short trainings, the best of which go
            on) or `grid` (a few points of each range).
        jobs: Trials at a time. One has every GPU and core; several have their share of them.
        device: What each trial trains on, as in `train`.
        out: The folder of the search; `runs/tune-RECIPE` by default.
        search: Domains that replace or add to those of the page: `["units=64,128", "learning_rate=1e-4..1e-2"]`, or a
            dictionary of lists, tuples and `tfkit.log`.
        objective: The score of the validation rows that trials are compared by; by default the log loss of classes,
            and what a task is judged by of others. Hyperband goes by what the recipe monitors.
        finalists: How many at most of those that did better than the recipe as written are trained again, with three
            other seeds each; the best is in any case. 0: the best trial wins.
        scheduler: The address of a Dask cluster whose workers train, and see the same files (extra `cluster`).
        fresh: Whether a search that lies in `out` is thrown away first.
        settings: A JSON file or a mapping of settings that are fixed; `words` go before it.
        quiet: Whether nothing is printed.
        words: Settings that are fixed.

    Returns:
        The winner, a finished `Run`. Its settings are `best.json` in the folder of the search, which `train` takes.

    Raises:
        UserError: If something is wrong that the user can mend, or no trial has come to its end.

    Example:
        >>> import tfkit
        >>> run = tfkit.tune("tabular", trials=20, minutes=30)  # doctest: +SKIP
    """
    from tfkit.tuner.finals import crown, repeat
    from tfkit.tuner.ledger import Ledger, digest, locked
    from tfkit.tuner.searching import Search
    from tfkit.tuner.space import space

    _check(trials, minutes, method, jobs, finalists)
    begun = time.monotonic()
    loaded: Recipe = load(recipe if recipe is not None else "tabular")
    given = {**read_settings(settings), **words}
    config = loaded.Config.of(given)
    fixed = {name: config.words()[name] for name in given}
    where = space(loaded, search, fixed)
    folder = Path(out) if out is not None else Path("runs") / f"tune-{loaded.name or 'recipe'}"
    asked = {
        "recipe": loaded.name,
        "page": digest(loaded.page),
        "settings": fixed,
        "space": {name: domain.words() for name, domain in where.items()},
        "method": method,
        "objective": objective,
        "versions": versions(),
    }
    with voice(quiet) as say, locked(folder):
        ledger = Ledger.open(folder, asked, fresh)
        if ledger.winner is not None and len(ledger.searched()) >= trials:
            say(f"Already finished: {folder}")
            return RunDir(folder / ledger.winner["run"])
        state = Search(loaded, config, fixed, where, ledger, method, jobs, device, scheduler, say, quiet)
        deadline = begun + 60 * minutes if minutes is not None else None
        try:
            with state.working():
                state.explore(trials, deadline, finalists)
                repeat(state, finalists, deadline)
                return crown(state)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; the same command goes on with {folder}", signal.SIGINT) from None


def _check(trials: int, minutes: float | None, method: str, jobs: int, finalists: int) -> None:
    """Refuse what no search can be made with."""
    from tfkit.tuner.oracle import METHODS

    if trials < 1 or jobs < 1 or finalists < 0 or (minutes is not None and not minutes > 0):
        raise UserError(
            "`trials` and `jobs` must be at least 1, `minutes` above 0 and `finalists` at least 0. "
            f"Received: {trials=}, {jobs=}, {minutes=}, {finalists=}"
        )
    if method not in METHODS:
        raise UserError(f"`method` must be {', '.join(METHODS[:-1])} or {METHODS[-1]}. Received: method={method}")
