"""The parts of a report; which ones a run has follows from what it has left."""

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
EVIDENCE = (rows.pictures, rows.texts, rows.series, rows.columns, rows.doubts)  # each speaks where it is


def sections(record: Record) -> list[Section]:
    """All parts of the report of a run, in order."""
    by_task = BY_TASK.get(record.task, lambda record: [])
    order = (
        overview.how_good,
        verdicts.verdicts,
        by_task,
        *EVIDENCE,
        training.curves,
        trials.more_rows,
        trials.rate,
        folder.data,
        folder.model,
        folder.settings,
        folder.again,
    )
    found = [section for make in order for section in make(record)]
    return [section for section in found if not section.empty]
