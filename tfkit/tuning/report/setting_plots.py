"""Report section with the score of every trial against each searched setting."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import BLUE, ORANGE, Figure, Table, draw, legend, log_axis
from tfkit.reporting.formatting import display_name, format_number
from tfkit.search_space import Choice, Range
from tfkit.tuning.study import Trial, setting_values

FIRST_SETTINGS = ("learning_rate", "batch_size", "optimizer")  # shown before the others

MIN_TRIALS = 8  # finished trials; fewer points in a plot show no pattern

MAX_SUMMARY_VALUES = 3  # of a choice, in the sentence under a figure

EDGE_FRACTION = 0.05  # of a range; a best value closer to an end suggests a wider range

LONG_LABEL_CHARACTERS = 5  # longer labels of a choice are rotated

Point = tuple[Any, Any, Trial | None]  # value of a setting, score, trial


def score_by_setting_section(search: Any, trials: list[Trial]) -> Section:
    """Plot the score against each setting.

    Args:
        search: The search.
        trials: Finished trials, best first.
    """
    if len(trials) < MIN_TRIALS:
        text = f"{len(trials)} finished trials say little about single settings; they are plotted from {MIN_TRIALS} on."
        return Section("Score by setting", [text])
    names = [name for name in FIRST_SETTINGS if name in search.space]
    names += [name for name in search.space if name not in FIRST_SETTINGS]
    figures = [_plot_setting(search, trials, name) for name in names]
    paragraphs = [
        "Each point is a finished trial. The other settings vary too, so a single point says little; look for values "
        "where good scores cluster."
    ]
    return Section("Score by setting", paragraphs, figures)


def _plot_setting(search: Any, trials: list[Trial], name: str) -> Figure:
    """Plot the score against one setting, with a summary sentence."""
    domain, objective = search.space[name], display_name(search.study.objective)
    points = [(setting_values(search.study, trial, [name])[name], trial.score, trial) for trial in trials]
    is_choice = isinstance(domain, Choice)
    labels = []
    if is_choice:
        labels = [str(value) for value in dict.fromkeys([*domain.values, *(value for value, *_ in points)])]

    def plot(axes: Any) -> None:
        for is_default, color, label in ((False, BLUE, "searched"), (True, ORANGE, "default")):
            group = [(value, score) for value, score, trial in points if (trial.kind == "default") is is_default]
            if group:
                x = [labels.index(str(value)) if is_choice else value for value, _ in group]
                axes.plot(
                    x,
                    [score for _, score in group],
                    "s" if is_default else "o",
                    color=color,
                    label=label,
                    ms=5,
                    ls="none",
                    alpha=0.85,
                )
        if is_choice:
            _set_choice_axis(axes, labels)
        else:
            _set_range_axis(axes, domain)
        legend(axes)

    summary = summarize_choice(points, domain, search.objective_mode) if is_choice else summarize_range(points, domain)
    rows = [
        [trial.number, format_number(value) if isinstance(value, float) else value, format_number(score)]
        for value, score, trial in points
    ]
    table = Table(f"{display_name(name)} of every trial", ["trial", display_name(name), objective], rows)
    return draw(display_name(name), summary, plot, data=table, x=display_name(name), y=objective)


def _set_choice_axis(axes: Any, labels: list[str]) -> None:
    """Show the values of a choice on the axis."""
    has_long_labels = max(map(len, labels)) > LONG_LABEL_CHARACTERS
    axes.set_xticks(range(len(labels)), labels, rotation=20 if has_long_labels else 0)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def _set_range_axis(axes: Any, domain: Any) -> None:
    """Show the complete range of a setting on the axis, with a margin."""
    low, high = domain.low, domain.high
    if domain.log:
        margin = (high / low) ** 0.05
        axes.set_xlim(low / margin, high * margin)
        log_axis(axes.xaxis)
        return
    margin = 0.05 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    if domain.integer:
        axes.xaxis.get_major_locator().set_params(integer=True)


def summarize_choice(points: Sequence[Point], choice: Choice, mode: str) -> str:
    """Name the best values of a choice, with their scores.

    Args:
        points: Value, score and trial.
        choice: Domain of the setting.
        mode: "min" or "max", whichever score is better.

    Example:
        >>> points = [("adam", 0.2, None), ("lion", 0.4, None), ("adam", 0.3, None)]
        >>> summarize_choice(points, Choice(("adam", "lion")), "min")
        'Best value: adam (best 0.2, median 0.25, 2 trials); then lion (best 0.4, median 0.4, 1 trial)'
    """
    scores = {value: [score for tried, score, _ in points if tried == value] for value in choice.values}
    scores = {value: value_scores for value, value_scores in scores.items() if value_scores}
    if not scores:
        return "No trial with one of these values finished"
    best = min if mode == "min" else max
    ranked = sorted(scores, key=lambda value: min(scores[value]) if mode == "min" else -max(scores[value]))
    summaries = [
        f"{value} (best {format_number(best(scores[value]))}, median {format_number(np.median(scores[value]))}, "
        f"{len(scores[value])} trial{'s' * (len(scores[value]) > 1)})"
        for value in ranked[:MAX_SUMMARY_VALUES]
    ]
    return f"Best value: {'; then '.join(summaries)}"


def summarize_range(points: Sequence[Point], bounds: Range) -> str:
    """Give the interval of the best quarter of the trials.

    Args:
        points: Value, score and trial, best first.
        bounds: Domain of the setting.

    Example:
        >>> from tfkit.search_space import Range
        >>> summarize_range([(x, 0, None) for x in (0.2, 0.3, 0.5, 0.9)], Range(0.0, 1.0))
        'Best value: 0.2; searched range: 0 to 1'
    """
    best_quarter = [value for value, _, _ in points[: max(1, len(points) // 4)]]
    best = best_quarter[0]
    searched_range = f"searched range: {format_number(bounds.low)} to {format_number(bounds.high)}"
    if len(best_quarter) == 1:
        summary = f"Best value: {format_number(best)}; {searched_range}"
    else:
        summary = (
            f"Best value: {format_number(best)}; best {len(best_quarter)} trials: {format_number(min(best_quarter))} "
            f"to {format_number(max(best_quarter))}; {searched_range}"
        )
    position = _relative_position(best, bounds)
    if position > 1 - EDGE_FRACTION or position < EDGE_FRACTION:
        end = "upper" if position > 0.5 else "lower"
        summary += f". The best value is at the {end} end of the range: widen it with --search"
    return summary


def _relative_position(value: float, bounds: Range) -> float:
    """Position of a value in its range, 0 to 1; on a log scale for a log range."""
    low, high, position = (bounds.low, bounds.high, value)
    if bounds.log:
        low, high, position = np.log([low, high, position])
    return float((position - low) / (high - low))
