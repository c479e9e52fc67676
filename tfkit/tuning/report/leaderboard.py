"""Report sections with a table of all trials and a table of the finalists."""

from collections.abc import Sequence
from typing import Any

from tfkit.reporting.document import Section
from tfkit.reporting.figures import Table
from tfkit.reporting.formatting import display_name, format_number
from tfkit.tuning.study import setting_values


def trials_section(search: Any) -> Section:
    """List every trial, best first."""
    study = search.study
    unfinished = [trial for trial in study.search_trials() if trial.state != "done"]
    rows = []
    for trial in [*study.ranked_trials(search.objective_mode), *unfinished]:
        values = setting_values(study, trial, search.space).values()
        score = (
            format_number(trial.score)
            if trial.state == "done"
            else trial.state + (trial.reason and f": {trial.reason}")
        )
        cells = [format_number(value) if isinstance(value, float) else value for value in values]
        rows.append([trial.number, score, trial.epochs, f"{trial.seconds:.0f}", *cells])
    head = ["trial", display_name(study.objective), "epochs", "seconds", *map(display_name, search.space)]
    note = "Trial 1 has the default settings."
    if num_stopped := sum(trial.state == "stopped" for trial in unfinished):
        note += f" Stopped early because they were worse than half of the trials: {num_stopped}."
    return Section("All trials", (), (), [Table("Trials, best first", head, rows, note)])


def finalists_section(search: Any, ranks: Sequence[dict[str, Any]]) -> Section:
    """List the finalists with their scores for each seed.

    Args:
        search: The search.
        ranks: Scores of the finalists, best first.
    """
    if not ranks:
        return Section("Finalists")
    rows = [
        [
            rank["trial"],
            format_number(rank["mean"]),
            format_number(rank["std"]) if rank["std"] is not None else "",
            ", ".join(format_number(score) for score in rank["scores"].values()),
        ]
        for rank in ranks
    ]
    head = ["trial", f"mean {display_name(search.study.objective)}", "standard deviation", "score of each seed"]
    paragraphs = [
        "The best trial of a search is partly luck. Therefore the best trials and the default were retrained on the "
        "same rows with new seeds. The best mean wins; only the winner was scored on the test set."
    ]
    return Section("Finalists", paragraphs, (), [Table("Finalists", head, rows)])
