"""Diagnostics of a run: each function returns a diagnosis or None."""

from collections.abc import Callable

from tfkit.reporting.diagnostics import curves, scores, weights
from tfkit.reporting.diagnostics.diagnosis import Judgement
from tfkit.reporting.run_results import Record

__all__ = ["JUDGEMENTS", "Judgement", "judge"]

JUDGEMENTS: tuple[Callable[[Record], Judgement | None], ...] = (
    curves.not_finite,
    curves.diverging,
    scores.baseline_wins,
    scores.under_fitting,
    curves.over_fitting,
    curves.stopped_too_early,
    curves.plateau,
    curves.rate_too_high,
    curves.rate_too_low,
    curves.loss_without_score,
    scores.says_one_class,
    scores.few_rows,
    weights.exploding,
    weights.vanishing,
    weights.dead_units,
)


def judge(record: Record) -> list[Judgement]:
    """Return the diagnoses of a run, the most important first."""
    return [diagnosis for diagnose in JUDGEMENTS if (diagnosis := diagnose(record)) is not None]
