"""Write the HTML report of a finished run."""

import logging
from pathlib import Path
from typing import Any

from tfkit.analysis.fitted_model import FittedModel
from tfkit.atomic_files import write_json, write_text
from tfkit.errors import first_line
from tfkit.run_dir import RunDir

log = logging.getLogger("tfkit")

FILE = "report.html"


def report(run: RunDir, *, false_negative_cost: float | None = None) -> Path:
    """Write `report.html` of a finished run from the files in its directory.

    Neither data, recipe, Keras nor network is needed.

    Args:
        run: The run.
        false_negative_cost: Cost of a false negative in false positives, above 0; None means 1. The section on the
            decision threshold uses it.

    Returns:
        The path of the report.

    Raises:
        UserError: If the run is not finished, or the cost is not above 0.
    """
    from tfkit.data import load_metadata
    from tfkit.inference.decision import store_decision
    from tfkit.reporting.html import render_html
    from tfkit.reporting.run_results import RunResults
    from tfkit.reporting.sections import run_cards, sections

    if false_negative_cost is not None:
        store_decision(run, load_metadata(run.metadata), false_negative_cost)
    results = RunResults.from_run(run, false_negative_cost=false_negative_cost)
    text = render_html(
        run_cards.page_title(results),
        sections(results),
        tiles=run_cards.key_figures(results),
        verdict=results.metrics.get("verdict", ""),
        warnings=results.provenance.get("warnings") or (),
        footer=_footer(results.provenance),
    )
    path = run.path(FILE)
    write_text(path, text)
    return path


def log_diagnoses(run: RunDir) -> None:
    """Log what went wrong in a training, and a command to try."""
    from tfkit.reporting.diagnostics import diagnose
    from tfkit.reporting.run_results import RunResults

    for diagnosis in diagnose(RunResults.from_run(run)):
        log.warning("Diagnosis: %s. %s", diagnosis.finding, diagnosis.evidence)
        if diagnosis.command:
            log.warning("Try: %s", diagnosis.command)


def analyze_and_report(fitted: FittedModel) -> Path | None:
    """Write `analysis.json` and `report.html` after training; a failure is logged, and the run stays finished."""
    from tfkit.analysis import run_analyses

    try:
        write_json(fitted.run.path("analysis.json"), run_analyses(fitted))
        log_diagnoses(fitted.run)
        return report(fitted.run)
    except Exception as error:
        log.warning("The run is finished, but has no report: %s: %s", type(error).__name__, first_line(error))
        return None


def _footer(provenance: dict[str, Any]) -> str:
    version, started = provenance["versions"].get("tfkit", ""), provenance["started"][:16].replace("T", " ")
    return f"Written by tfkit {version}; the run was started {started}."
