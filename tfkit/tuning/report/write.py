"""HTML report of a search."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfkit.atomic_files import write_text
from tfkit.reporting.formatting import display_name, format_number
from tfkit.reporting.html import render_html
from tfkit.tuning.report.importance import importance_section
from tfkit.tuning.report.leaderboard import finalists_section, trials_section
from tfkit.tuning.report.learning_curves import learning_curves_section
from tfkit.tuning.report.next_commands import next_commands_section
from tfkit.tuning.report.setting_plots import score_by_setting_section

REPORT_FILE = "search.html"


def write(search: Any, ranks: Sequence[dict[str, Any]], verdict: str) -> Path:
    """Write the report of a search into its directory.

    Args:
        search: The finished search.
        ranks: Scores of the finalists, best first.
        verdict: Comparison of the winner with the default, in one sentence.

    Returns:
        Path of the HTML file.
    """
    study = search.study
    # without duplicates, whose reason names the original trial
    trials = [trial for trial in study.ranked_trials(search.objective_mode) if not trial.reason]
    sections = [
        score_by_setting_section(search, trials),
        importance_section(search, trials),
        learning_curves_section(search, trials),
        trials_section(search),
        finalists_section(search, ranks),
        next_commands_section(search),
    ]
    tiles = [
        (f"best {display_name(study.objective)}, validation", format_number(trials[0].score)),
        ("trials", f"{len(study.search_trials())}"),
        ("seconds of training", f"{sum(trial.seconds for trial in study.trials):,.0f}"),
    ]
    title = f"Search: {search.recipe.name or 'recipe in memory'}"
    text = render_html(title, [section for section in sections if not section.empty], tiles=tiles, verdict=verdict)
    path = study.folder / REPORT_FILE
    write_text(path, text)
    return path
