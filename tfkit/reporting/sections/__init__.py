"""Sections of a report in order, for the task and contents of a run."""

from collections.abc import Callable

from tfkit.reporting.document import Section
from tfkit.reporting.run_results import RunResults
from tfkit.reporting.sections import (
    classification,
    diagnostics,
    examples,
    experiments,
    forecast,
    overview,
    regression,
    run_cards,
    training,
)

BY_TASK: dict[str, Callable[[RunResults], list[Section]]] = {
    "binary": classification.classification,
    "multiclass": classification.classification,
    "regression": regression.regression,
    "forecast": forecast.forecast,
}

EVIDENCE = (
    examples.images,
    examples.texts,
    examples.series,
    examples.features_and_slices,
    examples.label_issues,
)  # empty if not analyzed


def sections(record: RunResults) -> list[Section]:
    """Return all non-empty sections of the report of a run, in order."""
    by_task = BY_TASK.get(record.task, lambda record: [])
    order = (
        overview.test_scores,
        diagnostics.diagnostics,
        by_task,
        *EVIDENCE,
        training.curves,
        experiments.learning_curve,
        experiments.lr_range_test,
        run_cards.data,
        run_cards.model,
        run_cards.settings,
        run_cards.reproduce,
    )
    all_sections = [section for make_sections in order for section in make_sections(record)]
    return [section for section in all_sections if not section.empty]
