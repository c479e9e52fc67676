"""A run becomes one page that people look at; several runs become one page that compares them."""

import logging
from pathlib import Path
from typing import Any

from tfkit.atomic_files import write_json, write_text
from tfkit.errors import first_line
from tfkit.run_dir import RunDir

log = logging.getLogger("tfkit")

FILE = "report.html"


def report(run: RunDir, *, cost: float | None = None) -> Path:
    """Write `report.html` of a finished run from its folder alone: no data, no page of code, no network.

    Args:
        run: The run.
        cost: How many false alarms a missed row of the positive class is worth, above 0; 1 where it is left out.

    Returns:
        The path of the page.

    Raises:
        UserError: If the run is not finished, or the cost is not above 0.
    """
    from tfkit.reporting.html import render_html
    from tfkit.reporting.run_results import RunResults
    from tfkit.reporting.sections import run_cards, sections

    if cost is not None and not cost > 0:
        from tfkit.errors import UserError

        raise UserError(f"`cost` says how many false alarms a miss is worth, and must be above 0. Received: {cost}")
    record = RunResults.from_run(run, cost=cost)
    found = sections(record)
    text = render_html(
        run_cards.scored(record),
        found,
        tiles=run_cards.title_score(record),
        verdict=record.metrics.get("verdict", ""),
        foot=_foot(record.provenance),
    )
    path = run.path(FILE)
    write_text(path, text)
    return path


def analyze_and_report(trained: Any) -> Path | None:
    """What needs model and data is kept, and the page is written; a failure is said and costs the run nothing."""
    from tfkit.analysis import run_analyses

    try:
        write_json(trained.run.path("analysis.json"), run_analyses(trained))
        return report(trained.run)
    except Exception as error:
        log.warning(
            "No report was made, and the run is finished all the same: %s: %s", type(error).__name__, first_line(error)
        )
        return None


def _foot(about: dict[str, Any]) -> str:
    return f"Made by tfkit {about['versions'].get('tfkit', '')} of a run begun {about['begun'][:16].replace('T', ' ')}."
