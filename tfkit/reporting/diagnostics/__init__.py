"""Diagnostics of a run: each function returns a diagnosis or None."""

from collections.abc import Callable

from tfkit.reporting.diagnostics import curves, scores, weights
from tfkit.reporting.diagnostics.diagnosis import Diagnosis
from tfkit.reporting.run_results import RunResults

__all__ = ["JUDGEMENTS", "Diagnosis", "judge"]

JUDGEMENTS: tuple[Callable[[RunResults], Diagnosis | None], ...] = (
    curves.not_finite,
    curves.diverging,
    scores.baseline_wins,
    scores.under_fitting,
    curves.overfitting,
    curves.still_improving,
    curves.plateau,
    curves.learning_rate_too_high,
    curves.learning_rate_too_low,
    curves.metric_stalled,
    scores.says_one_class,
    scores.few_rows,
    weights.exploding,
    weights.vanishing,
    weights.dead_units,
)


def diagnose(record: RunResults) -> list[Diagnosis]:
    """Return the diagnoses of a run, the most important first."""
    return [diagnosis for diagnose in JUDGEMENTS if (diagnosis := diagnose(record)) is not None]
