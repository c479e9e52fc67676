"""What a person sees of a search: a live table while it runs, and the leaderboard after."""

import math
import sys
import time
from typing import Any, Self

ROWS = 12  # of the live table
PLAIN: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0)}


class Shown:
    """A live table on a terminal; elsewhere a line for each trial that has ended; nothing where it is to be quiet."""

    def __init__(self, search: Any, quiet: bool):
        self.search, self.quiet = search, quiet
        self.live: Any = None
        self.title = ""
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(file=sys.stderr), auto_refresh=False, transient=True)
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def stage(self, title: str) -> None:
        """Say what begins now."""
        self.title = title
        self.search.say(title)

    def refresh(self) -> None:
        """Draw the table anew."""
        if self.live is not None:
            self.live.update(self.table(), refresh=True)

    def ended(self, trial: Any) -> None:
        """Say what came of a trial."""
        name = self.name() if trial.state == "done" else f"at epoch {trial.epochs}, {self.search.monitor}"
        score = f"{name} {trial.score:.5g}" if trial.score is not None else ""
        words = [_words(trial), trial.state, score, f"{trial.seconds:.0f} s", trial.reason]
        self.search.say(f"{trial.number:4}  " + "  ".join(filter(None, words)))

    def name(self) -> str:
        """What the scores are scores of."""
        return self.search.ledger.objective or self.search.monitor

    def table(self) -> Any:
        """The best few and those that run."""
        from rich.console import Group
        from rich.table import Table

        search, trials = self.search, self.search.ledger.trials
        table = Table("trial", "state", self.name(), "epochs", "seconds", "settings", **PLAIN)
        shown = search.ledger.best(search.better)[: ROWS // 2]
        for trial in shown:
            table.add_row(*_row(trial))
        for trial, start in search.running.values():
            table.add_row(*_row(trial, time.monotonic() - start))
        ended = sum(trial.state != "running" for trial in search.ledger.searched())
        left = self._left(trials)
        counts = f"{ended} of {search.count} trials" + (f", about {left} left" if left else "")
        return Group(table, f"{counts}, {time.monotonic() - self._begun:.0f} s so far. {self.title}")

    def _left(self, trials: list[Any]) -> str:
        done = [trial.seconds for trial in trials if trial.state in ("done", "stopped", "paused") and trial.seconds]
        if not done:
            return ""
        ended = sum(trial.state != "running" for trial in self.search.ledger.searched())
        seconds = max(0, self.search.count - ended) * sum(done) / len(done) / self.search.jobs
        return f"{math.ceil(seconds / 60)} min" if seconds > 90 else f"{seconds:.0f} s"

    def leaderboard(self, ranks: list[dict[str, Any]], verdict: str) -> None:
        """The trials from the best to the worst, what the repetitions said, and the answer."""
        from rich.table import Table

        search = self.search
        table = Table("trial", "state", self.name(), "epochs", "seconds", "settings", **PLAIN)
        rest = [trial for trial in search.ledger.searched() if trial.state != "done"]
        for trial in [*search.ledger.best(search.better), *rest]:
            table.add_row(*_row(trial))
        search.say(table)
        if ranks:
            means = Table("again", f"mean {self.name()}", "spread", "seeds", **PLAIN)
            for one in ranks:
                spread = "" if one["spread"] is None else f"{one['spread']:.2g}"
                means.add_row(str(one["trial"]), f"{one['mean']:.5g}", spread, str(len(one["scores"])))
            search.say(means)
        if verdict:
            search.say(verdict)


def _row(trial: Any, more: float = 0.0) -> tuple[str, ...]:
    score = "" if trial.score is None or trial.state != "done" else f"{trial.score:.5g}"
    state = trial.state if not trial.reason else f"{trial.state}: {trial.reason[:60]}"
    return str(trial.number), state, score, str(trial.epochs or ""), f"{trial.seconds + more:.0f}", _words(trial)


def _words(trial: Any) -> str:
    """Its settings, in words."""
    words = " ".join(f"{name}={value}" for name, value in trial.settings.items()) or "as written"
    return words + (f" seed={trial.seed}" if trial.seed is not None else "")
