"""Sections of a report in order, for the task and contents of a run."""

from collections.abc import Callable

from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.sections import (
    classification,
    folder,
    forecast,
    overview,
    regression,
    rows,
    training,
    trials,
    verdicts,
)

BY_TASK: dict[str, Callable[[Record], list[Section]]] = {
    "binary": classification.classification,
    "multiclass": classification.classification,
    "regression": regression.regression,
    "forecast": forecast.forecast,
}
EVIDENCE = (rows.images, rows.texts, rows.series, rows.features_and_slices, rows.label_issues)  # empty if not analyzed


def sections(record: Record) -> list[Section]:
    """Return all non-empty sections of the report of a run, in order."""
    by_task = BY_TASK.get(record.task, lambda record: [])
    order = (
        overview.test_scores,
        verdicts.diagnostics,
        by_task,
        *EVIDENCE,
        training.curves,
        trials.learning_curve,
        trials.lr_range_test,
        folder.data,
        folder.model,
        folder.settings,
        folder.reproduce,
    )
    all_sections = [section for make_sections in order for section in make_sections(record)]
    return [section for section in all_sections if not section.empty]
