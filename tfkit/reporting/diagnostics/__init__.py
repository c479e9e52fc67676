"""Diagnostics of a run: each function returns a diagnosis or None; one cause is reported."""

from collections.abc import Callable

from tfkit.reporting.diagnostics import curves, scores, settings, weights
from tfkit.reporting.diagnostics.diagnosis import Diagnosis
from tfkit.reporting.run_results import RunResults

__all__ = ["DIAGNOSTICS", "Diagnosis", "diagnose"]

Diagnostic = Callable[[RunResults], Diagnosis | None]

# Causes in order: settings, data, training. What follows the first is often its consequence, so only one is reported.
CAUSES: tuple[Diagnostic, ...] = (
    settings.far_settings,
    scores.too_few_rows,
    scores.no_better_than_guessing,
    curves.not_finite,
    curves.diverging,
    curves.overfitting,
    curves.generalization_gap,
    curves.learning_rate_too_high,
    curves.learning_rate_too_low,
    curves.still_improving,
    scores.predicts_one_class,
    scores.underfitting,
    curves.plateau,
    curves.metric_stalled,
    weights.exploding,
    weights.vanishing,
    weights.dead_units,
    scores.baseline_wins,
)

INDEPENDENT: tuple[Diagnostic, ...] = (scores.leakage, scores.rare_class)  # of the cause of a bad training

DIAGNOSTICS = (*CAUSES, *INDEPENDENT)


def diagnose(record: RunResults) -> list[Diagnosis]:
    """Return the first cause of a bad run, if there is one, and independent problems of the data."""
    causes = (diagnosis for diagnostic in CAUSES if (diagnosis := diagnostic(record)) is not None)
    first = next(causes, None)
    independent = (diagnosis for diagnostic in INDEPENDENT if (diagnosis := diagnostic(record)) is not None)
    return [*([first] if first else []), *independent]
