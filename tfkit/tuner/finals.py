"""An honest winner: the best few trained again with other seeds, beside the recipe as written."""

import math
import time
from statistics import mean, stdev
from typing import Any

from tfkit.errors import UserError
from tfkit.keeping import write_json
from tfkit.run_dir import RunDir
from tfkit.tuner import report
from tfkit.tuner.ledger import BEST, Trial
from tfkit.tuner.searching import SEEDS, Search

LEVEL = 0.95


def repeat(search: Search, finalists: int, deadline: float | None) -> None:
    """Train the best few, and the recipe as written, with seeds that none of them was chosen by."""
    if not finalists:
        return
    ledger = search.ledger
    search.shown.stage(f"The best again, with {SEEDS} other seeds each, beside the recipe as written")
    chosen = {trial.number: trial for trial in entrants(search, finalists)}
    done = {(trial.again, trial.seed) for trial in ledger.trials if trial.kind == "final"}
    left = [trial for trial in ledger.trials if trial.kind == "final" and trial.state == "running"]
    for seed in range(search.config.seed + 1, search.config.seed + 1 + SEEDS):  # whole rounds, should time run out
        for number, trial in chosen.items():
            if (number, seed) not in done:
                left.append(ledger.add(trial.settings, kind="final", seed=seed, again=number))
    while left or search.running:
        over = deadline is not None and time.monotonic() > deadline
        while left and not over and len(search.running) < search.jobs:
            search.start(left.pop(0))
        if not search.running:
            break
        search.look()
    if left:
        search.say("Time is up: not every finalist was trained again.")
        ledger.trials = [trial for trial in ledger.trials if trial not in left]
        ledger.save()


def entrants(search: Search, finalists: int) -> list[Trial]:
    """The best few of those ahead of the recipe as written, or the best alone where none is; and the recipe itself."""
    best = search.ledger.best(search.better)
    place = next((i for i, trial in enumerate(best) if trial.kind == "written"), len(best))
    ahead, behind = (
        [trial for trial in part if not trial.reason]  # that of a repetition says of which
        for part in (best[:place], best[place + 1 :])
    )
    return [*(ahead[:finalists] or behind[:1]), *best[place : place + 1]]


def standings(search: Search) -> list[dict[str, Any]]:
    """What the repetitions say: mean and spread of each over its seeds, the best first."""
    found = []
    repeats = [trial for trial in search.ledger.trials if trial.kind == "final" and trial.state == "done"]
    for number in dict.fromkeys(trial.again for trial in repeats):
        scores = {trial.seed: trial.score for trial in repeats if trial.again == number}
        values = list(scores.values())
        found.append(
            {
                "trial": number,
                "scores": scores,
                "mean": mean(values),  # type: ignore[type-var]
                "spread": stdev(values) if len(values) > 1 else None,  # type: ignore[type-var]
            }
        )
    return sorted(found, key=lambda one: one["mean"] if search.better == "min" else -one["mean"])


def difference(one: dict[int, float], other: dict[int, float]) -> tuple[float, float, float] | None:
    """How far the one is above the other, seed by seed, with the ends of its interval; None where there are no two.

    The mean of the differences and its interval of 95% by Student's t.

    Example:
        >>> [round(value, 3) for value in difference({1: 3.0, 2: 4.0, 3: 5.0}, {1: 1.0, 2: 2.1, 3: 2.9})]
        [2.0, 1.752, 2.248]
    """
    from scipy.stats import t

    both = [one[seed] - other[seed] for seed in one if seed in other]
    if len(both) < 2:
        return None
    half = float(t.ppf(0.5 + LEVEL / 2, len(both) - 1)) * stdev(both) / math.sqrt(len(both))
    return mean(both), mean(both) - half, mean(both) + half


def verdict(search: Search, ranks: list[dict[str, Any]]) -> str:
    """The winner against the recipe as written, in words."""
    written = next((one for one in ranks if one["trial"] == 1), None)
    if not ranks or written is None:
        return ""
    if ranks[0] is written:
        return "None of them is better than the recipe as written: it wins."
    found = difference(ranks[0]["scores"], written["scores"])
    name = search.ledger.objective
    if found is None:
        return ""
    middle, low, high = found
    if low <= 0 <= high:
        return (
            f"Trial {ranks[0]['trial']} wins, but is not distinguishable from the recipe as written: {name} "
            f"{middle:+.4g}, 95% interval {low:+.4g} to {high:+.4g}."
        )
    return (
        f"Trial {ranks[0]['trial']} is better than the recipe as written: {name} {middle:+.4g}, "
        f"95% interval {low:+.4g} to {high:+.4g}."
    )


def crown(search: Search) -> RunDir:
    """Train the winner as a run like any other, and score it, and it alone, on the test rows."""
    ledger = search.ledger
    ranks = standings(search)
    best = ledger.best(search.better)
    winner = next(trial for trial in ledger.trials if trial.number == ranks[0]["trial"]) if ranks else best[0]
    said = verdict(search, ranks)
    left = [trial for trial in ledger.trials if trial.kind == "winner" and trial.state == "running"]
    trial = left[0] if left else ledger.add(winner.settings, kind="winner", again=winner.number)
    search.shown.stage("The winner once more, to its test rows")
    search.start(trial)
    while search.running:
        search.look()
    if trial.state != "done" or trial.run is None:
        raise UserError(f"The winner could not be trained to its end: {trial.reason}")
    ledger.winner = {"trial": winner.number, "run": trial.run, "verdict": said}
    ledger.save()
    run = RunDir(ledger.folder / trial.run)
    write_json(ledger.folder / BEST, run.config)
    search.shown.leaderboard(ranks, said)
    search.say(f"All of it as a page: {report.write(search, ranks, said)}")
    return run
