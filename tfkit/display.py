"""What a person sees while a run is made and after: words on stderr, columns and scores as tables."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

COLUMNS_SHOWN = 40
PLAIN: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0)}


def columns_table(columns: Mapping[str, Mapping[str, Any]]) -> Any:
    """What was done to which column."""
    from rich.table import Table

    table = Table("column", "kind", "what was done", **PLAIN)
    for name, rule in list(columns.items())[:COLUMNS_SHOWN]:
        table.add_row(name, rule["kind"], rule["treatment"])
    if len(columns) > COLUMNS_SHOWN:
        table.add_row("...", "", f"and {len(columns) - COLUMNS_SHOWN:,} more columns, all in info.json")
    return table


def scores_table(metrics: Mapping[str, Any]) -> Any:
    """The scores of the model with their intervals, and those of the baselines beside them."""
    from rich.table import Table

    baselines = metrics.get("baselines") or {}
    table = Table(**PLAIN)
    split = "test" if metrics.get("test") else "validation"
    for head in (split, "model", "95% interval", *baselines):
        table.add_column(head, no_wrap=True, justify="left" if head in (split, "95% interval") else "right")
    for name, value in (metrics.get("test") or metrics.get("val") or {}).items():
        interval = " to ".join(map(_number, metrics.get("intervals", {}).get(name, [])))
        others = [_number(scores[name]) if name in scores else "" for scores in baselines.values()]
        table.add_row(name, _number(value), interval, *others)
    return table


def classes_table(metrics: Mapping[str, Any]) -> Any:
    """Precision, recall and F1 of each class."""
    from rich.table import Table

    classes = metrics["classes"]
    table = Table("class", *next(iter(classes.values())), **PLAIN)
    for label, scores in list(classes.items())[:COLUMNS_SHOWN]:
        table.add_row(label, *map(_number, scores.values()))
    if len(classes) > COLUMNS_SHOWN:
        table.add_row(f"... and {len(classes) - COLUMNS_SHOWN:,} more, all in metrics.json")
    return table


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"


@contextmanager
def held_back(aloud: bool = True) -> Iterator[None]:
    """Hold back what libraries write to stderr past Python; an error lets it out where it is to be `aloud`."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read() if aloud else b"")
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def voice(quiet: bool = False) -> Iterator[Any]:
    """Something that prints to stderr unless it is to be quiet; what readers have to say comes the same way."""
    from rich.console import Console

    console = Console(file=sys.stderr, quiet=quiet, markup=False, highlight=False, soft_wrap=True)
    console.width = max(console.width, 100)  # a table that runs over is easier to read than one that is cut

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(record.getMessage())

    log, handler = logging.getLogger("tfkit"), Handler()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield console.print
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
