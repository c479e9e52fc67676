"""Diagnostics section: problems of a run, with evidence and a command to try."""

from tfkit.reporting.diagnostics import diagnose
from tfkit.reporting.document import Section
from tfkit.reporting.run_results import RunResults


def diagnostics(record: RunResults) -> list[Section]:
    """Return the diagnoses of a run, or a sentence that there are none."""
    diagnoses = diagnose(record)
    paragraphs = (
        []
        if diagnoses
        else ["No problems found: no sign of overfitting, underfitting, a bad learning rate or too few epochs."]
    )
    for name, reason in (record.analysis.get("skipped") or {}).items():
        paragraphs.append(f"The analysis '{name}' was skipped: {reason}.")
    if not record.analysis:
        paragraphs.append(
            "This run was trained without a report, so analyses that need its model and data are not available."
        )
    return [Section("Diagnostics", paragraphs, diagnoses=diagnoses)]
