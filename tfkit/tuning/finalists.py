"""Finalists of a search: retrain the best trials with new seeds, compare them with the default, train the winner."""

import math
import shlex
import time
from statistics import mean, stdev
from typing import Any

from tfkit.atomic_files import write_json
from tfkit.console import program_name
from tfkit.errors import UserError
from tfkit.run_dir import RunDir
from tfkit.tuning.report import write
from tfkit.tuning.search import NUM_SEEDS, Search
from tfkit.tuning.study import BEST_SETTINGS_FILE, Trial

CONFIDENCE_LEVEL = 0.95


def rerun_finalists(search: Search, finalists: int, deadline: float | None) -> None:
    """Retrain the finalists, and the default, with seeds that played no part in their selection."""
    if not finalists:
        return
    study = search.study
    search.display.log_stage(f"Retraining the finalists, and the default, with {NUM_SEEDS} new seeds each")
    selected = {trial.number: trial for trial in select_finalists(search, finalists)}
    existing_runs = {(trial.retrained_trial, trial.seed) for trial in study.trials if trial.kind == "finalist"}
    pending = [trial for trial in study.trials if trial.kind == "finalist" and trial.state == "running"]
    # seed by seed, so that all finalists have the same seeds if the time limit ends the loop
    for seed in range(search.config.seed + 1, search.config.seed + 1 + NUM_SEEDS):
        for number, trial in selected.items():
            if (number, seed) not in existing_runs:
                pending.append(study.add(trial.settings, kind="finalist", seed=seed, retrained_trial=number))
    while pending or search.running:
        time_is_up = deadline is not None and time.monotonic() > deadline
        while pending and not time_is_up and len(search.running) < search.workers:
            search.start(pending.pop(0))
        if not search.running:
            break
        search.poll()
    if pending:
        search.log("Time limit reached: not every finalist was retrained.")
        study.trials = [trial for trial in study.trials if trial not in pending]
        study.save()


def select_finalists(search: Search, finalists: int) -> list[Trial]:
    """Select the best trials that beat the default, or the best one if none does; and the default itself."""
    ranked = search.study.ranked_trials(search.objective_mode)
    default_rank = next((i for i, trial in enumerate(ranked) if trial.kind == "default"), len(ranked))
    better, worse = (
        [trial for trial in trials if not trial.reason]  # a duplicate names the original in its reason
        for trials in (ranked[:default_rank], ranked[default_rank + 1 :])
    )
    return [*(better[:finalists] or worse[:1]), *ranked[default_rank : default_rank + 1]]


def rank_finalists(search: Search) -> list[dict[str, Any]]:
    """Rank the finalists by the mean score over their seeds, best first.

    Returns:
        A dictionary per finalist: `trial` (its number), `scores` (seed to score), `mean`, and `std`, the sample
        standard deviation, None for one seed.
    """
    ranks = []
    finals = [trial for trial in search.study.trials if trial.kind == "finalist" and trial.state == "done"]
    for number in dict.fromkeys(trial.retrained_trial for trial in finals):
        scores = {trial.seed: trial.score for trial in finals if trial.retrained_trial == number}
        values = list(scores.values())
        ranks.append(
            {
                "trial": number,
                "scores": scores,
                "mean": mean(values),  # type: ignore[type-var]
                "std": stdev(values) if len(values) > 1 else None,  # type: ignore[type-var]
            }
        )
    return sorted(ranks, key=lambda rank: rank["mean"] if search.objective_mode == "min" else -rank["mean"])


def paired_difference(
    scores: dict[int, float], reference_scores: dict[int, float]
) -> tuple[float, float, float] | None:
    """Mean difference between scores with the same seed, and its 95% interval by Student's t.

    Args:
        scores: Seed to score.
        reference_scores: Seed to score; it is subtracted.

    Returns:
        Mean, lower and upper end of the interval; None if fewer than two seeds are in both.

    Example:
        >>> [round(value, 3) for value in paired_difference({1: 3.0, 2: 4.0, 3: 5.0}, {1: 1.0, 2: 2.1, 3: 2.9})]
        [2.0, 1.752, 2.248]
    """
    from scipy.stats import t

    differences = [score - reference_scores[seed] for seed, score in scores.items() if seed in reference_scores]
    count = len(differences)
    if count < 2:
        return None
    half_width = float(t.ppf(0.5 + CONFIDENCE_LEVEL / 2, count - 1)) * stdev(differences) / math.sqrt(count)
    return mean(differences), mean(differences) - half_width, mean(differences) + half_width


def summarize_winner(search: Search, ranks: list[dict[str, Any]]) -> str:
    """Compare the winner with the default in one sentence; empty if they cannot be compared."""
    default = next((rank for rank in ranks if rank["trial"] == 1), None)
    if not ranks or default is None:
        return ""
    if ranks[0] is default:
        return "No trial is better than the default: the default wins."
    difference = paired_difference(ranks[0]["scores"], default["scores"])
    name = search.study.objective
    if difference is None:
        return ""
    mean_difference, low, high = difference
    if low <= 0 <= high:
        return (
            f"Trial {ranks[0]['trial']} has the best score, but no clear difference from the default: {name} "
            f"{mean_difference:+.4g}, 95% interval {low:+.4g} to {high:+.4g}."
        )
    return (
        f"Trial {ranks[0]['trial']} is better than the default: {name} {mean_difference:+.4g}, "
        f"95% interval {low:+.4g} to {high:+.4g}."
    )


def train_winner(search: Search) -> RunDir:
    """Train the winner as a normal run; it is the only trial that is scored on the test set."""
    study = search.study
    ranks = rank_finalists(search)
    ranked = study.ranked_trials(search.objective_mode)
    winner = next(trial for trial in study.trials if trial.number == ranks[0]["trial"]) if ranks else ranked[0]
    verdict = summarize_winner(search, ranks)
    pending = [trial for trial in study.trials if trial.kind == "winner" and trial.state == "running"]
    trial = pending[0] if pending else study.add(winner.settings, kind="winner", retrained_trial=winner.number)
    search.display.log_stage("Training the winner and scoring it on the test set")
    search.start(trial)
    while search.running:
        search.poll()
    if trial.state != "done" or trial.run is None:
        raise UserError(f"Training of the winner failed: {trial.reason}")
    study.winner = {"trial": winner.number, "run": trial.run, "verdict": verdict}
    study.save()
    run = RunDir(study.folder / trial.run)
    write_json(study.folder / BEST_SETTINGS_FILE, run.config)
    search.display.print_leaderboard(ranks, verdict)
    write.write(search, ranks, verdict)
    log_winner(search.log, study)
    return run


def log_winner(log: Any, study: Any) -> None:
    """Print where the results of a search are, and what to do with them."""
    run = study.folder / study.winner["run"]
    if verdict := RunDir(run).metrics.get("verdict"):
        log(f"Winner on the test set: {verdict}")
    log(f"Open {study.folder / write.REPORT_FILE}")
    log(f"Open {run / 'report.html'}") if (run / "report.html").is_file() else None
    log(f"Predict: {program_name()} predict {shlex.quote(str(run))} FILE")
