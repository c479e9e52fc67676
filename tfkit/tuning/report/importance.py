"""Report section with the importance of each searched setting for the score."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, Table, draw
from tfkit.reporting.formatting import display_name
from tfkit.search_space import Choice, Range
from tfkit.tuning.study import Trial, setting_values

MIN_TRIALS = 12

NUM_TREES = 200

MIN_R2 = 0.1  # out-of-bag R2 of the forest below which no importance is reported


def permutation_importances(search: Any, trials: list[Trial]) -> tuple[float, dict[str, float]] | None:
    """Permutation importance of each setting in a random forest that predicts the rank of the score.

    Each tree is evaluated on the trials that are out of its bag. The importance of a setting is the increase of the
    squared error when its values are shuffled there, as a share of the sum over all settings.

    Args:
        search: The search.
        trials: Finished trials.

    Returns:
        The out-of-bag R2 of the forest, and the share of each setting; None for fewer than `MIN_TRIALS` trials.
    """
    if len(trials) < MIN_TRIALS:
        return None
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor

    settings = [setting_values(search.study, trial, search.space) for trial in trials]
    columns = {name: _encode([row[name] for row in settings], domain) for name, domain in search.space.items()}
    x, y = np.column_stack(list(columns.values())), rankdata([trial.score for trial in trials])
    forest = RandomForestRegressor(NUM_TREES, bootstrap=True, oob_score=True, random_state=0, min_samples_leaf=2)
    forest.fit(x, y)
    random, error_increase = np.random.default_rng(0), dict.fromkeys(columns, 0.0)
    for tree, in_bag in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out_of_bag = np.setdiff1d(np.arange(len(y)), in_bag)
        error = np.mean((tree.predict(x[out_of_bag]) - y[out_of_bag]) ** 2)
        for i, name in enumerate(columns):
            shuffled = x[out_of_bag].copy()
            shuffled[:, i] = random.permutation(shuffled[:, i])
            error_increase[name] += float(np.mean((tree.predict(shuffled) - y[out_of_bag]) ** 2) - error)
    total = sum(max(0.0, increase) for increase in error_increase.values())
    shares = {name: max(0.0, increase) / total if total else 0.0 for name, increase in error_increase.items()}
    return float(forest.oob_score_), shares


def _encode(values: list[Any], domain: Choice | Range) -> list[float]:
    """Encode values as numbers: logarithms for a log range, positions in the list for a categorical choice."""
    if not isinstance(domain, Choice):
        return [float(np.log(value)) if domain.log else float(value) for value in values]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in domain.values):
        return [float(value) for value in values]
    return [float(domain.values.index(value)) if value in domain.values else -1.0 for value in values]


def importance_section(search: Any, trials: list[Trial]) -> Section:
    """Plot the importance of each setting.

    Args:
        search: The search.
        trials: Finished trials.
    """
    title = "Hyperparameter importance"
    importances = permutation_importances(search, trials)
    if importances is None:
        return Section(title, [f"At least {MIN_TRIALS} finished trials are needed; there are {len(trials)}."])
    r2, shares = importances
    if r2 < MIN_R2:
        return Section(
            title,
            [
                "The importance cannot be estimated from these trials: a random forest explains only "
                f"{max(0.0, r2):.0%} of the variance of their ranks (out of bag). More trials may help."
            ],
        )
    names = sorted(shares, key=lambda name: -shares[name])

    def plot(axes: Any) -> None:
        axes.barh([display_name(name) for name in names[::-1]], [shares[name] for name in names[::-1]], color=BLUE)
        axes.grid(False, axis="y")

    rows = [[display_name(name), f"{shares[name]:.0%}"] for name in names]
    summary = f"The most important setting is {display_name(names[0])}, {shares[names[0]]:.0%} of the total importance"
    paragraphs = [
        f"A random forest predicts the rank of a trial from its settings and explains {r2:.0%} of the variance (out of "
        "bag). The importance of a setting is the increase of the error when its values are shuffled, as a share."
    ]
    figure = draw(
        "Share of the total importance",
        summary,
        plot,
        height=0.5 + 0.32 * len(names),
        data=Table("Settings", ["setting", "share"], rows),
    )
    return Section(title, paragraphs, [figure])
