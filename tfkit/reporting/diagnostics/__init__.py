"""Diagnostics of a run: each function returns a diagnosis or None."""

from collections.abc import Callable

from tfkit.reporting.diagnostics import curves, scores, weights
from tfkit.reporting.diagnostics.diagnosis import Diagnosis
from tfkit.reporting.run_results import RunResults

__all__ = ["DIAGNOSTICS", "Diagnosis", "diagnose"]

DIAGNOSTICS: tuple[Callable[[RunResults], Diagnosis | None], ...] = (
    curves.not_finite,
    curves.diverging,
    scores.baseline_wins,
    scores.underfitting,
    curves.overfitting,
    curves.still_improving,
    curves.plateau,
    curves.learning_rate_too_high,
    curves.learning_rate_too_low,
    curves.metric_stalled,
    scores.predicts_one_class,
    scores.rare_class,
    weights.exploding,
    weights.vanishing,
    weights.dead_units,
)


def diagnose(record: RunResults) -> list[Diagnosis]:
    """Return the diagnoses of a run, the most important first."""
    return [diagnosis for diagnostic in DIAGNOSTICS if (diagnosis := diagnostic(record)) is not None]
