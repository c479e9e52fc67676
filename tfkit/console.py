"""Terminal output on stderr: messages, a progress bar, and tables of columns and scores."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MAX_TABLE_ROWS = 40

_message_consoles: list["Console"] = []  # of `console_logger`, the innermost last

PLAIN_TABLE: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0)}


def columns_table(columns: Mapping[str, Mapping[str, Any]]) -> "Table":
    """Return a table of the columns, their types and their preprocessing."""
    from rich.table import Table

    table = Table("column", "type", "preprocessing", **PLAIN_TABLE)
    for name, column in list(columns.items())[:MAX_TABLE_ROWS]:
        table.add_row(name, column["kind"], column["treatment"])
    if len(columns) > MAX_TABLE_ROWS:
        table.add_row("...", "", f"and {len(columns) - MAX_TABLE_ROWS:,} more columns, all in metadata.json")
    return table


def scores_table(metrics: Mapping[str, Any]) -> "Table":
    """Return a table of model scores, confidence intervals and baseline scores."""
    from rich.table import Table

    baselines = metrics.get("baselines") or {}
    table = Table(**PLAIN_TABLE)
    split = "test" if metrics.get("test") else "validation"
    for header in (split, "model", "95% interval", *baselines):
        table.add_column(header, no_wrap=True, justify="left" if header in (split, "95% interval") else "right")
    for name, value in (metrics.get("test") or metrics.get("val") or {}).items():
        interval = " to ".join(map(format_number, metrics.get("intervals", {}).get(name, [])))
        baseline_values = [format_number(scores[name]) if name in scores else "" for scores in baselines.values()]
        table.add_row(name, format_number(value), interval, *baseline_values)
    return table


def classes_table(metrics: Mapping[str, Any]) -> "Table":
    """Return a table of precision, recall and F1 of each class."""
    from rich.table import Table

    classes = metrics["classes"]
    table = Table("class", *next(iter(classes.values())), **PLAIN_TABLE)
    for label, scores in list(classes.items())[:MAX_TABLE_ROWS]:
        table.add_row(label, *map(format_number, scores.values()))
    if len(classes) > MAX_TABLE_ROWS:
        table.add_row(f"... and {len(classes) - MAX_TABLE_ROWS:,} more, all in metrics.json")
    return table


def format_number(value: float) -> str:
    """Format a number with thousands separators, four decimals below 100 and one above.

    Example:
        >>> format_number(1234), format_number(0.5), format_number(1234.5)
        ('1,234', '0.5000', '1,234.5')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"


def program_name() -> str:
    """How the command `tfkit` is typed here: `make` sets the path of its own environment.

    Example:
        >>> program_name()
        'tfkit'
    """
    return os.environ.get("TFKIT_COMMAND") or "tfkit"


class ProgressBar:
    """Progress bar with the remaining time, shown only on a terminal and removed at the end.

    Args:
        title: What is in progress.

    Example:
        >>> with ProgressBar("Predicting") as bar:
        ...     bar.update(0.5)
        >>> bar.fraction, bar.is_shown
        (0.5, False)
    """

    def __init__(self, title: str):
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.fraction, self.is_shown = 0.0, False
        self._exit_stack = ExitStack()
        console = self._exit_stack.enter_context(live_console())
        if console.is_terminal and not console.quiet:
            text, details = TextColumn("{task.description}"), TextColumn("{task.fields[details]}")
            self._progress = Progress(
                text, BarColumn(), details, TimeRemainingColumn(), console=console, transient=True
            )
            self._task = self._progress.add_task(title, total=1.0, details="")
            self._progress.start()
            self.is_shown = True

    def update(self, fraction: float, details: str | None = None) -> None:
        """Show the fraction that is done, in [0, 1], and text next to it; None keeps the text."""
        self.fraction = fraction
        if self.is_shown:
            fields: dict[str, Any] = {} if details is None else {"details": details}
            self._progress.update(self._task, completed=fraction, **fields)

    def close(self) -> None:
        """Remove the bar; may be called twice."""
        if self.is_shown:
            self._progress.stop()
            self.is_shown = False
        self._exit_stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def stderr_console(**options: Any) -> "Console":
    """Return a new rich console that writes to stderr."""
    from rich.console import Console

    return Console(file=sys.stderr, **options)


@contextmanager
def live_console() -> Iterator["Console"]:
    """The console for a bar or a table that is redrawn: that of the messages, so that these are printed above it.

    Inside the block it has the width of the terminal, because a line that the terminal wraps cannot be redrawn.
    """
    console = _message_consoles[-1] if _message_consoles else stderr_console()
    width = console.width
    if console.is_terminal:
        console.width = min(width, shutil.get_terminal_size().columns)
    try:
        yield console
    finally:
        console.width = width


@contextmanager
def suppress_native_stderr(print_on_error: bool = True) -> Iterator[None]:
    """Suppress native output to stderr; after an error print it if `print_on_error`."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            yield
        except BaseException:
            output.seek(0)
            os.write(stderr, output.read() if print_on_error else b"")
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def console_logger(quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Yield a function that prints to stderr, and print tfkit's log messages there.

    With `quiet` nothing is printed.
    """
    console = stderr_console(quiet=quiet, markup=False, highlight=False, soft_wrap=True)
    console.width = max(console.width, 100)  # an overlong line is easier to read than a truncated table

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(record.getMessage())

    log, handler = logging.getLogger("tfkit"), Handler()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    _message_consoles.append(console)
    try:
        yield console.print
    finally:
        _message_consoles.remove(console)
        log.removeHandler(handler)
        log.setLevel(level)
