"""Hyperparameter search: train a recipe with many settings, retrain the finalists, and test the winner."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.catalog.load import load_recipe
from tfkit.config import Config, read_settings
from tfkit.console import console_logger
from tfkit.errors import Interrupted, UserError, did_you_mean
from tfkit.recipe import Recipe
from tfkit.run_dir import RunDir, versions

if TYPE_CHECKING:
    from tfkit.tuning.study import Study

__all__ = ["tune"]


def tune(
    recipe: str | Path | Recipe | None = None,
    *,
    trials: int = 20,
    time_limit_minutes: float | None = None,
    algorithm: str = "random",
    workers: int = 1,
    device: str = "auto",
    out: str | Path | None = None,
    search: Mapping[str, Any] | Sequence[str] = (),
    objective: str | None = None,
    finalists: int = 3,
    dask_address: str | None = None,
    overwrite: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **overrides: Any,
) -> RunDir:
    """Search the hyperparameters of a recipe, and train the winner as a normal run.

    Keras Tuner proposes the settings. Every trial is a run in a separate process, which sees only the training and
    validation rows; the first trial has the default settings. The best trials are retrained with new seeds, on the
    same rows, next to the default, and the one with the best mean score wins. Only the winner is scored on the test
    set. Calling `tune` again with the same arguments resumes an interrupted search; for a finished one it returns the
    winner.

    Args:
        recipe: Anything that `load` accepts.
        trials: Number of trials, including the default settings, at least 1.
        time_limit_minutes: No trial starts after this time, less the estimated time of the finalists; None: no limit.
        algorithm: Search algorithm of Keras Tuner: `random`, `bayesian`, `hyperband` (many short trainings; the
            best are resumed) or `grid` (a few points of each range).
        workers: Number of trials at a time. One trial uses all GPUs and cores; several share them.
        device: Device that each trial trains on, as in `train`.
        out: Directory of the search; `runs/tune-RECIPE` by default.
        search: Domains that replace or extend those of the recipe: `["units=64,128", "learning_rate=1e-4..1e-2"]`, or
            a dictionary of lists, tuples and `tfkit.log_uniform`.
        objective: Validation score that ranks the trials; by default the log loss for classification, and the primary
            metric of the task otherwise. Hyperband uses the value that the recipe monitors.
        finalists: Maximum number of trials better than the default that are retrained with three new seeds each; if
            none is better, the best one is. 0: the best trial wins.
        dask_address: Address of a Dask cluster whose workers train; they must see the same files (extra `cluster`).
        overwrite: Whether an existing search in `out` is deleted first.
        config: A JSON file or a mapping of fixed settings; `overrides` take precedence.
        quiet: Whether nothing is printed.
        overrides: Fixed settings.

    Returns:
        The winner, a finished `Run`. Its settings are in `best.json` in the directory of the search, which `train`
        accepts.

    Raises:
        UserError: If an argument is invalid, or no trial finished.

    Example:
        >>> import tfkit
        >>> run = tfkit.tune("tabular", trials=20, time_limit_minutes=30)  # doctest: +SKIP
    """
    from tfkit.tuning.data_digest import data_digests
    from tfkit.tuning.finalists import log_winner, rerun_finalists, train_winner
    from tfkit.tuning.keras_tuner_space import make_search_space
    from tfkit.tuning.search import Search
    from tfkit.tuning.study import Study, lock_folder

    _check_arguments(trials, time_limit_minutes, algorithm, workers, finalists)
    start = time.monotonic()
    loaded: Recipe = load_recipe(recipe if recipe is not None else "tabular")
    fixed_values = {**read_settings(config), **overrides}
    settings = loaded.Config.from_dict(fixed_values)
    fixed = {name: settings.to_dict()[name] for name in fixed_values}
    objective = objective or _default_objective(fixed, algorithm)
    _check_objective(objective, loaded, algorithm)
    space = make_search_space(loaded, search, fixed)
    folder = Path(out) if out is not None else Path("runs") / f"tune-{loaded.name or 'recipe'}"
    request = _request(loaded, settings, fixed, space, algorithm=algorithm, objective=objective)
    with console_logger(quiet) as log, lock_folder(folder):
        study = Study.open(folder, request, overwrite)
        if study.winner is not None and len(study.search_trials()) >= trials:
            log(f"Already finished: {folder}. {study.winner['verdict']}")
            log_winner(log, study)
            return RunDir(folder / study.winner["run"])
        options: dict[str, Any] = {"algorithm": algorithm, "workers": workers, "device": device}
        options |= {"dask_address": dask_address, "log": log, "quiet": quiet}
        running_search = Search(loaded, settings, fixed, space, study, **options)
        deadline = start + 60 * time_limit_minutes if time_limit_minutes is not None else None
        with running_search.worker_pool(), _interruption(study, folder):
            running_search.run_trials(trials, deadline, finalists)
            rerun_finalists(running_search, finalists, deadline)
            if data_digests(dict(settings)) != request["data_digests"]:
                raise UserError(
                    "The data files must not change during a search; start it again with --overwrite. "
                    f"Received: other content than at the start of the search in {folder}"
                )
            return train_winner(running_search)


@contextmanager
def _interruption(study: "Study", folder: Path) -> Iterator[None]:
    """Say how to resume an interrupted search; remove the folder of one that was refused before its first trial."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"search interrupted; run the same command again to resume it in {folder}", signal.SIGINT
        ) from None
    except UserError:
        study.remove_if_refused()
        raise


def _default_objective(settings: Mapping[str, Any], algorithm: str) -> str | None:
    """The setting `metric` if the user gives one; None for the default of the task, or of Hyperband."""
    from tfkit.tasks.primary_metric import ALIASES

    metric = str(settings.get("metric", "auto"))
    return None if metric == "auto" or algorithm == "hyperband" else ALIASES.get(metric, metric)


def _check_objective(objective: str | None, recipe: Recipe, algorithm: str) -> None:
    """Raise if the objective has no known direction, or does not fit the algorithm."""
    from tfkit.metrics import DIRECTIONS
    from tfkit.tuning.pruning import mode_of

    if objective is not None and mode_of(objective, recipe.monitor, recipe.mode) is None:
        raise UserError(
            "`objective` must be a score whose direction is known, such as accuracy or log_loss."
            f"{did_you_mean(objective, [*DIRECTIONS, recipe.monitor])} Received: objective={objective}"
        )
    if algorithm == "hyperband" and objective not in (None, recipe.monitor):
        raise UserError(
            f"Hyperband compares unfinished trainings, so `objective` must be the monitored {recipe.monitor}. "
            f"Received: objective={objective}"
        )


def _request(
    recipe: Recipe,
    settings: Config,
    fixed: Mapping[str, Any],
    space: Mapping[str, Any],
    *,
    algorithm: str,
    objective: str | None,
) -> dict[str, Any]:
    """Describe a search; a search is resumed only with the same description."""
    from tfkit.tuning.data_digest import data_digests
    from tfkit.tuning.study import file_digest

    return {
        "recipe": recipe.name,
        "recipe_digest": file_digest(recipe.path),
        "settings": fixed,
        "data_digests": data_digests(dict(settings)),
        "space": {name: domain.describe() for name, domain in space.items()},
        "algorithm": algorithm,
        "objective": objective,
        "versions": versions(),
    }


def _check_arguments(
    trials: int, time_limit_minutes: float | None, algorithm: str, workers: int, finalists: int
) -> None:
    """Raise if an argument is out of range."""
    from tfkit.tuning.oracle import ALGORITHMS

    if trials < 1 or workers < 1 or finalists < 0 or (time_limit_minutes is not None and not time_limit_minutes > 0):
        raise UserError(
            "`trials` and `workers` must be at least 1, `time_limit_minutes` above 0 and `finalists` at least 0. "
            f"Received: {trials=}, {workers=}, {time_limit_minutes=}, {finalists=}"
        )
    if algorithm not in ALGORITHMS:
        raise UserError(
            f"`algorithm` must be {', '.join(ALGORITHMS[:-1])} or {ALGORITHMS[-1]}. Received: algorithm={algorithm}"
        )
