"""Sections of a report in order, for the task and contents of a run."""

from collections.abc import Callable
from importlib import import_module

from tfkit.reporting.document import Section
from tfkit.reporting.run_results import RunResults
from tfkit.reporting.sections import (
    diagnostics,
    examples,
    experiments,
    overview,
    run_cards,
    training,
)
from tfkit.tasks.registry import get_task

ANALYSES = (
    examples.images,
    examples.texts,
    examples.series,
    examples.features_and_slices,
    examples.label_issues,
)  # empty if not analyzed


def _task_sections(record: RunResults) -> list[Callable[[RunResults], list[Section]]]:
    """The sections that the task of a run names: a function in the module of the same name."""
    names = get_task(record.task).REPORT_SECTIONS
    return [getattr(import_module(f"tfkit.reporting.sections.{name}"), name) for name in names]


def sections(record: RunResults) -> list[Section]:
    """Return all non-empty sections of the report of a run, in order."""
    order = (
        overview.test_scores,
        diagnostics.diagnostics,
        *_task_sections(record),
        *ANALYSES,
        training.curves,
        experiments.learning_curve,
        experiments.lr_range_test,
        run_cards.data,
        run_cards.model,
        run_cards.settings,
        run_cards.use,
        run_cards.reproduce,
        overview.terms,
    )
    all_sections = [section for make_sections in order for section in make_sections(record)]
    return [section for section in all_sections if not section.empty]
