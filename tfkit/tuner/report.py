"""What a search has found, as a page: which learning rate, which batch size, which optimizer, and what mattered."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.keeping import write_text
from tfkit.pages import pages
from tfkit.report.figures import MUTED, ONE, SERIES, TWO, Figure, Table, draw, in_powers, legend
from tfkit.report.page import page
from tfkit.report.section import Section
from tfkit.report.words import number, spoken
from tfkit.search import Choice
from tfkit.tuner.ledger import BEST, Trial
from tfkit.tuner.space import space

FILE = "search.html"
FIRST = ("learning_rate", "batch_size", "optimizer")  # what people ask for before all else
ENOUGH = 12  # trials, to say what mattered
TREES = 200
SEEN = 0.1  # of the spread that a forest must explain before its word counts


def write(search: Any, ranks: Sequence[dict[str, Any]], said: str) -> Path:
    """The page of a search, in its folder."""
    ledger = search.ledger
    done = [trial for trial in ledger.best(search.better) if not trial.reason]
    best = done[0]
    sections = [
        answers(search, done),
        mattered(search, done),
        curves(search, done),
        leaderboard(search),
        finals(search, ranks),
        again(search),
    ]
    tiles = [
        (f"best {spoken(ledger.objective)}, validation", number(best.score)),
        ("trials", f"{len(ledger.searched())}"),
        ("seconds of training", f"{sum(trial.seconds for trial in ledger.trials):,.0f}"),
    ]
    title = f"Search: {search.recipe.name or 'a recipe in memory'}"
    text = page(title, [section for section in sections if not section.empty], tiles=tiles, verdict=said)
    path = ledger.folder / FILE
    write_text(path, text)
    return path


def settled(search: Any, trial: Trial) -> dict[str, Any]:
    """The searched settings of a trial; those of the recipe as written are what they came to."""
    own = search.ledger.written or {} if trial.kind == "written" else {}
    return {name: trial.settings.get(name, own.get(name)) for name in search.space}


def answers(search: Any, done: list[Trial]) -> Section:
    """The score against each setting, the three first, each with the answer in words."""
    names = [name for name in FIRST if name in search.space] + [n for n in search.space if n not in FIRST]
    figures = [_answer(search, done, name) for name in names]
    words = [
        "Each point is a trial that came to its end. Other settings change too, so that a point alone says "
        "little; where the good ones gather says more."
    ]
    return Section("Which learning rate, which batch size?", words, figures)


def _answer(search: Any, done: list[Trial], name: str) -> Figure:
    where, objective = search.space[name], spoken(search.ledger.objective)
    pairs = [(settled(search, trial)[name], trial.score, trial) for trial in done]
    choice = isinstance(where, Choice)
    values = [str(value) for value in dict.fromkeys([*where.values, *(own for own, *_ in pairs)])] if choice else []

    def paint(axes: Any) -> None:
        for mine, colour, label in ((False, ONE, "searched"), (True, TWO, "as written")):
            these = [(value, score) for value, score, trial in pairs if (trial.kind == "written") is mine]
            if these:
                x = [values.index(str(value)) if choice else value for value, _ in these]
                axes.plot(
                    x,
                    [score for _, score in these],
                    "s" if mine else "o",
                    color=colour,
                    label=label,
                    ms=5,
                    ls="none",
                    alpha=0.85,
                )
        if choice:
            axes.set_xticks(range(len(values)), values, rotation=20 if max(map(len, values)) > 5 else 0)
            axes.set_xlim(-0.5, len(values) - 0.5)
            legend(axes)
            return
        room = (where.high / where.low) ** 0.05 if where.log else 0.05 * (where.high - where.low)
        axes.set_xlim(*((where.low / room, where.high * room) if where.log else (where.low - room, where.high + room)))
        if where.log:
            in_powers(axes.xaxis)
        elif where.integer:
            axes.xaxis.get_major_locator().set_params(integer=True)
        legend(axes)

    says = by_value(pairs, where, search.better) if choice else by_range(pairs, where)
    rows = [
        [trial.number, number(value) if isinstance(value, float) else value, number(score)]
        for value, score, trial in pairs
    ]
    numbers = Table(f"{spoken(name)} of every trial", ["trial", spoken(name), objective], rows)
    return draw(spoken(name), says, paint, numbers=numbers, x=spoken(name), y=objective)


def by_value(pairs: Sequence[Any], where: Choice, better: str) -> str:
    """Which value did best, in words.

    Example:
        >>> by_value([("adam", 0.2, None), ("lion", 0.4, None), ("adam", 0.3, None)], Choice(("adam", "lion")), "min")
        'adam did best: its best 0.2, its median 0.25 of 2 trials; then lion: its best 0.4, its median 0.4 of 1 trial'
    """
    groups = {value: [score for own, score, _ in pairs if own == value] for value in where.values}
    tried = {value: scores for value, scores in groups.items() if scores}
    order = sorted(tried, key=lambda value: min(tried[value]) if better == "min" else -max(tried[value]))
    if not order:
        return "None of the values was tried to its end"
    ends = min if better == "min" else max
    said = [
        f"{value}{' did best' if value == order[0] else ''}: its best {number(ends(tried[value]))}, its median "
        f"{number(float(np.median(tried[value])))} of {len(tried[value])} trial{'s' * (len(tried[value]) > 1)}"
        for value in order[:3]
    ]
    return "; then ".join(said)


def by_range(pairs: Sequence[Any], where: Any) -> str:
    """Where the best quarter of the trials lies, in words; the pairs come with the best first.

    Example:
        >>> from tfkit.search import Range
        >>> by_range([(x, 0, None) for x in (0.2, 0.3, 0.5, 0.9)], Range(0.0, 1.0))
        'The best trial has 0.2; the search went from 0 to 1'
    """
    few = [value for value, _, _ in pairs[: max(1, len(pairs) // 4)]]
    span = f"the search went from {number(where.low)} to {number(where.high)}"
    if len(few) == 1:
        said = f"The best trial has {number(few[0])}; {span}"
    else:
        said = (
            f"The best {len(few)} trials lie between {number(min(few))} and {number(max(few))}, the best of all at "
            f"{number(few[0])}; {span}"
        )
    place = _place(few[0], where)
    if place > 0.95 or place < 0.05:
        said += f". The best lies at the {'upper' if place > 0.5 else 'lower'} end: look further, with a wider --search"
    return said


def _place(value: float, where: Any) -> float:
    """Where in its range a value lies, 0 to 1."""
    low, high, at = np.log([where.low, where.high, value]) if where.log else (where.low, where.high, value)
    return float((at - low) / (high - low))


def importances(search: Any, done: list[Trial]) -> tuple[float, dict[str, float]] | None:
    """How much of the spread of the scores a forest explains, and how much worse it is without each setting.

    A random forest from settings to ranks of scores, judged on the trials that each tree has not seen; a setting's
    importance is what shuffling it there costs, as a share. None where there are too few trials.
    """
    if len(done) < ENOUGH:
        return None
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor

    rows = [settled(search, trial) for trial in done]
    columns = {name: _coded([row[name] for row in rows], where) for name, where in search.space.items()}
    x, y = np.column_stack(list(columns.values())), rankdata([trial.score for trial in done])
    forest = RandomForestRegressor(TREES, bootstrap=True, oob_score=True, random_state=0, min_samples_leaf=2).fit(x, y)
    random, cost = np.random.default_rng(0), dict.fromkeys(columns, 0.0)
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.setdiff1d(np.arange(len(y)), drawn)
        before = np.mean((tree.predict(x[unseen]) - y[unseen]) ** 2)
        for i, name in enumerate(columns):
            shuffled = x[unseen].copy()
            shuffled[:, i] = random.permutation(shuffled[:, i])
            cost[name] += float(np.mean((tree.predict(shuffled) - y[unseen]) ** 2) - before)
    total = sum(max(0.0, value) for value in cost.values())
    return float(forest.oob_score_), {n: max(0.0, v) / total if total else 0.0 for n, v in cost.items()}


def _coded(values: list[Any], where: Any) -> list[float]:
    """Values as numbers: in powers where the range is, choices of words by their place."""
    if not isinstance(where, Choice):
        return [float(np.log(v)) if where.log else float(v) for v in values]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in where.values):
        return [float(v) for v in values]
    return [float(where.values.index(v)) if v in where.values else -1.0 for v in values]


def mattered(search: Any, done: list[Trial]) -> Section:
    """Which settings made the difference."""
    found = importances(search, done)
    title = "Which settings mattered"
    if found is None:
        return Section(title, [f"At least {ENOUGH} trials must come to their end to say; {len(done)} did."])
    explained, shares = found
    if explained < SEEN:
        return Section(
            title,
            [
                f"These trials do not tell: a forest that is shown all but one explains "
                f"{max(0.0, explained):.0%} of how the trials rank. More trials would."
            ],
        )
    order = sorted(shares, key=lambda name: -shares[name])

    def paint(axes: Any) -> None:
        axes.barh([spoken(name) for name in order[::-1]], [shares[name] for name in order[::-1]], color=ONE)
        axes.grid(False, axis="y")

    rows = [[spoken(name), f"{shares[name]:.0%}"] for name in order]
    says = f"{spoken(order[0])} mattered most, {shares[order[0]]:.0%} of what could be told apart"
    words = [
        f"From the settings a random forest foretells {explained:.0%} of how the trials rank (of trials that its "
        "trees have not seen). Shown is what it loses without each setting, as a share."
    ]
    return Section(
        title,
        words,
        [
            draw(
                "Share of the difference",
                says,
                paint,
                height=0.5 + 0.32 * len(order),
                numbers=Table("Settings", ["setting", "share"], rows),
            )
        ],
    )


def curves(search: Any, done: list[Trial]) -> Section:
    """The monitored value of every trial, epoch by epoch."""
    named = {trial.number: search.values(trial) for trial in search.ledger.searched() if trial.epochs}
    named = {number: values for number, values in named.items() if values}
    best = [trial.number for trial in done[:3] if trial.number in named]
    if not named:
        return Section("Curves")

    def paint(axes: Any) -> None:
        for trial, values in named.items():
            if trial not in best:
                axes.plot(range(1, len(values) + 1), values, color=MUTED, lw=0.7, alpha=0.5)
        for trial, colour in zip(best, SERIES, strict=False):
            axes.plot(range(1, len(named[trial]) + 1), named[trial], color=colour, label=f"trial {trial}")
        finite = np.array([v for values in named.values() for v in values if np.isfinite(v)])
        low, high = finite.min(), np.quantile(finite, 0.95)
        if high > low:
            axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        axes.xaxis.get_major_locator().set_params(integer=True)
        legend(axes, ncols=3)

    says = f"{spoken(search.monitor)} of {len(named)} trials, the best of which are in colour"
    return Section("Curves", (), [draw(spoken(search.monitor), says, paint, x="epoch", wide=True, height=3.2)])


def leaderboard(search: Any) -> Section:
    """Every trial, the best first."""
    ledger = search.ledger
    rest = [trial for trial in ledger.searched() if trial.state != "done"]
    names = list(search.space)
    rows = []
    for trial in [*ledger.best(search.better), *rest]:
        values = settled(search, trial)
        score = number(trial.score) if trial.state == "done" else trial.state + (trial.reason and f": {trial.reason}")
        rows.append(
            [
                trial.number,
                score,
                trial.epochs,
                f"{trial.seconds:.0f}",
                *(number(v) if isinstance(v, float) else v for v in values.values()),
            ]
        )
    head = ["trial", spoken(ledger.objective), "epochs", "seconds", *map(spoken, names)]
    note = "Trial 1 is the recipe as written."
    if stopped := sum(trial.state == "stopped" for trial in rest):
        note += f" {stopped} were stopped early, because they were worse than half of the others."
    return Section("Every trial", (), (), [Table("Trials, the best first", head, rows, note)])


def finals(search: Any, ranks: Sequence[dict[str, Any]]) -> Section:
    """The best few again, with other seeds."""
    if not ranks:
        return Section("The best again")
    rows = [
        [
            one["trial"],
            number(one["mean"]),
            number(one["spread"]) if one["spread"] is not None else "",
            ", ".join(number(score) for score in one["scores"].values()),
        ]
        for one in ranks
    ]
    head = ["trial", f"mean {spoken(search.ledger.objective)}", "standard deviation", "with each seed"]
    words = [
        "A search picks the lucky too. So the best were trained again, on the same rows, with seeds that nobody "
        "has chosen by; the best mean wins, and it alone was scored on the test rows."
    ]
    return Section("The best again, with other seeds", words, (), [Table("Finalists", head, rows)])


def again(search: Any) -> Section:
    """How to go on."""
    winner, folder = search.ledger.winner, search.ledger.folder
    name = str(search.recipe.name if search.recipe.name in pages() else search.recipe.page or "RECIPE")
    more = [name, *command(search), "--trials", str(2 * len(search.ledger.searched())), "--out", str(folder)]
    return Section(
        "How to go on",
        code=[
            (
                "Train with the winner's settings",
                shlex.join(["tfkit", "train", name, "--settings", f"{folder}/{BEST}"]),
            ),
            ("Look at the winner", shlex.join(["tfkit", "report", f"{folder}/{winner['run']}" if winner else "RUN"])),
            ("Try more", shlex.join(["tfkit", "tune", *more])),
        ],
    )


def command(search: Any) -> list[str]:
    """What makes a command look where this search has looked: fixed settings, method, objective, other domains."""
    asked, usual = search.ledger.asked, space(search.recipe, (), search.fixed)
    words = [f"{key}={_word(value)}" for key, value in asked["settings"].items()]
    words += ["--method", asked["method"]] if asked["method"] != "random" else []
    words += ["--objective", asked["objective"]] if asked["objective"] else []
    for key, where in search.space.items():
        if usual.get(key) != where:
            ends = where.values if isinstance(where, Choice) else (where.low, where.high)
            words += ["--search", f"{key}={(',' if isinstance(where, Choice) else '..').join(map(_word, ends))}"]
    return words


def _word(value: Any) -> str:
    """A setting as it is typed."""
    if isinstance(value, list | tuple):
        return ",".join(map(_word, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
