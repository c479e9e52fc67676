"""Report section with the learning curves of all trials."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import MUTED, SERIES, draw, legend
from tfkit.reporting.formatting import display_name
from tfkit.tuning.study import Trial

NUM_HIGHLIGHTED = 3  # best trials, in color

UPPER_QUANTILE = 0.95  # of all values, at which the y axis is cut


def learning_curves_section(search: Any, trials: list[Trial]) -> Section:
    """Plot the monitored value of every trial by epoch.

    Args:
        search: The search.
        trials: Finished trials, best first.
    """
    curves = {trial.number: search.monitored_values(trial) for trial in search.study.search_trials() if trial.epochs}
    curves = {number: values for number, values in curves.items() if values}
    highlighted = [trial.number for trial in trials[:NUM_HIGHLIGHTED] if trial.number in curves]
    if not curves:
        return Section("Learning curves")

    def plot(axes: Any) -> None:
        for number, values in curves.items():
            if number not in highlighted:
                axes.plot(range(1, len(values) + 1), values, color=MUTED, lw=0.7, alpha=0.5)
        for number, color in zip(highlighted, SERIES, strict=False):
            axes.plot(range(1, len(curves[number]) + 1), curves[number], color=color, label=f"trial {number}")
        finite = np.array([value for values in curves.values() for value in values if np.isfinite(value)])
        low, high = finite.min(), np.quantile(finite, UPPER_QUANTILE)
        if high > low:
            axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        axes.xaxis.get_major_locator().set_params(integer=True)
        legend(axes, ncols=3)

    summary = f"{display_name(search.monitor)} of {len(curves)} trials; the best are in color"
    figure = draw(display_name(search.monitor), summary, plot, x="epoch", wide=True, height=3.2)
    return Section("Learning curves", (), [figure])
