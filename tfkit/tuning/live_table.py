"""Terminal output of a search: a live table while it runs, and the leaderboard at the end."""

import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from tfkit.console import PLAIN_TABLE, live_console
from tfkit.tuning.study import Trial

if TYPE_CHECKING:
    from tfkit.tuning.search import Search

MAX_ROWS = 12  # of the live table

MAX_REASON_CHARACTERS = 60


class LiveTable:
    """Live table on a terminal; elsewhere one line per ended trial; nothing if `quiet`.

    Args:
        search: The search to show.
        quiet: Whether no live table is shown.
    """

    def __init__(self, search: "Search", quiet: bool):
        self.search, self.quiet = search, quiet
        self.live: Any = None
        self.title = ""
        self._start = time.monotonic()
        self._exit_stack = ExitStack()

    def __enter__(self) -> Self:
        console = self._exit_stack.enter_context(live_console())
        if not self.quiet and console.is_terminal:
            from rich.live import Live

            self.live = Live(console=console, auto_refresh=False, transient=True)
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Remove the live table; may be called twice."""
        if self.live is not None:
            self.live.stop()
            self.live = None
        self._exit_stack.close()

    def log_stage(self, title: str) -> None:
        """Log the stage of the search that starts now."""
        self.title = title
        self.search.log(title)

    def refresh(self) -> None:
        """Redraw the live table."""
        if self.live is not None:
            self.live.update(self.table(), refresh=True)

    def log_trial(self, trial: Trial) -> None:
        """Log the result of a trial in one line."""
        name = self.score_name() if trial.state == "done" else f"at epoch {trial.epochs}, {self.search.monitor}"
        score = f"{name} {trial.score:.5g}" if trial.score is not None else ""
        columns = [_format_settings(trial), trial.state, score, f"{trial.seconds:.0f} s", trial.reason]
        self.search.log(f"{trial.number:4}  " + "  ".join(filter(None, columns)))

    def score_name(self) -> str:
        """Name of the objective, or of the monitored value if the objective is not known yet."""
        return self.search.study.objective or self.search.monitor

    def table(self) -> Any:
        """Table of the best and the running trials, with a progress line."""
        from rich.console import Group
        from rich.table import Table

        search, trials = self.search, self.search.study.trials
        table = Table("trial", "state", self.score_name(), "epochs", "seconds", "settings", **PLAIN_TABLE)
        for trial in search.study.ranked_trials(search.objective_mode)[: MAX_ROWS // 2]:
            table.add_row(*_row(trial))
        for trial, start in search.running.values():
            table.add_row(*_row(trial, time.monotonic() - start))
        ended = sum(trial.state != "running" for trial in search.study.search_trials())
        remaining = self._remaining_time(trials)
        counts = f"{ended} of {search.num_trials} trials" + (f", at most {remaining} remaining" if remaining else "")
        return Group(table, f"{counts}, {time.monotonic() - self._start:.0f} s elapsed. {self.title}")

    def _remaining_time(self, trials: list[Trial]) -> str:
        """Estimate the remaining time of all stages from the mean time of ended trials; empty if there are none."""
        seconds = [trial.seconds for trial in trials if trial.state in ("done", "stopped", "paused") and trial.seconds]
        if not seconds:
            return ""
        ended = sum(trial.state != "running" for trial in trials)
        num_remaining = max(0, self.search.max_trainings - ended)
        remaining_seconds = num_remaining * sum(seconds) / len(seconds) / self.search.workers
        return f"{math.ceil(remaining_seconds / 60)} min" if remaining_seconds > 90 else f"{remaining_seconds:.0f} s"

    def print_leaderboard(self, ranks: list[dict[str, Any]], verdict: str) -> None:
        """Print all trials, best first, the scores of the finalists, and the comparison with the default."""
        from rich.table import Table

        self.close()
        search = self.search
        table = Table("trial", "state", self.score_name(), "epochs", "seconds", "settings", **PLAIN_TABLE)
        unfinished = [trial for trial in search.study.search_trials() if trial.state != "done"]
        for trial in [*search.study.ranked_trials(search.objective_mode), *unfinished]:
            table.add_row(*_row(trial))
        search.log(table)
        if ranks:
            means = Table("finalist", f"mean {self.score_name()}", "std", "seeds", **PLAIN_TABLE)
            for rank in ranks:
                std = "" if rank["std"] is None else f"{rank['std']:.2g}"
                means.add_row(str(rank["trial"]), f"{rank['mean']:.5g}", std, str(len(rank["scores"])))
            search.log(means)
        if verdict:
            search.log(verdict)


def _row(trial: Trial, extra_seconds: float = 0.0) -> tuple[str, ...]:
    """Cells of a trial in a table."""
    score = "" if trial.score is None or trial.state != "done" else f"{trial.score:.5g}"
    state = trial.state if not trial.reason else f"{trial.state}: {trial.reason[:MAX_REASON_CHARACTERS]}"
    seconds = f"{trial.seconds + extra_seconds:.0f}"
    return str(trial.number), state, score, str(trial.epochs or ""), seconds, _format_settings(trial)


def _format_settings(trial: Trial) -> str:
    """Settings of a trial as `name=value`, or "default"."""
    text = " ".join(f"{name}={value}" for name, value in trial.settings.items()) or "default"
    return text + (f" seed={trial.seed}" if trial.seed is not None else "")
