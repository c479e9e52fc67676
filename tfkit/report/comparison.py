"""Several runs on one page: what differs in their settings, which is better on the same rows, their curves."""

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfkit import scores
from tfkit.errors import UserError
from tfkit.keeping import write_text
from tfkit.report.reading import Record
from tfkit.report.words import number, span, spoken
from tfkit.run_dir import RunDir

PAIRS = 15  # of runs that are held against each other
POINTS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")  # scores that are said in points of a hundred


@dataclass(frozen=True)
class Difference:
    """Two runs held against each other.

    Args:
        first, second: Their places among the runs.
        interval: 95%, of the first's score less the second's; None where it is not known.
        paired: Whether both were scored on the same rows.
        says: The same in a sentence.
    """

    first: int
    second: int
    interval: list[float] | None
    paired: bool
    says: str


def compare(*runs: Any, out: str | os.PathLike[str] = "compare.html") -> Path:
    """Write one page that compares runs: settings, scores, curves, and which is better by more than chance.

    Args:
        runs: Two runs or more, or their folders.
        out: Where the page goes.

    Returns:
        Its path.

    Raises:
        UserError: If there are fewer than two runs, one is not finished, or they are of other tasks or targets, or
            there is no folder for the page.
    """
    from tfkit.report.page import page
    from tfkit.report.sections.comparison import sections

    records = opened(runs)
    if not Path(out).resolve().parent.is_dir():
        raise UserError(f"The folder that the page goes to must be there. Received: {out}")
    found = differences(records)
    names = named(records)
    text = page(
        "Runs compared: " + ", ".join(names),
        sections(records, names, found),
        verdict=found[0].says,
        foot=f"{len(records)} runs of {records[0].target}.",
    )
    write_text(Path(out), text)
    return Path(out)


def opened(runs: Iterable[Any]) -> list[Record]:
    """The runs, read and found comparable."""
    records = [Record.of(run if isinstance(run, RunDir) else RunDir(run)) for run in runs]
    _check(records)
    return records


def _check(records: list[Record]) -> None:
    """Refuse what cannot be compared."""
    if len(records) < 2:
        raise UserError(f"Name two runs or more to compare. Received: {len(records)}")
    for what in ("task", "target"):
        each = list(dict.fromkeys(getattr(record, what) for record in records))
        if len(each) > 1:
            raise UserError(f"Runs to compare must have one {what}. Received: {', '.join(each)}")
    if len({tuple(record.classes) for record in records}) > 1:
        raise UserError(
            "Runs to compare must tell the same classes apart. Received: "
            + " and ".join(f"{len(record.classes)} classes" for record in records)
        )


def named(records: list[Record]) -> list[str]:
    """The names of their folders, or their paths where the names do not tell them apart."""
    paths = [record.run.folder.resolve() for record in records]
    names = [path.name for path in paths]
    if len(set(names)) < len(set(paths)):
        names = list(map(str, paths))
    seen: list[str] = []
    for name in names:  # the same run, named again
        seen.append(f"{name} ({seen.count(name) + 1})" if name in seen else name)
    return seen


def differences(records: list[Record]) -> list[Difference]:
    """Every pair of runs held against each other by the headline score, the best first."""
    name, mode = scores.headline(records[0].task)
    sign = 1 if mode == "max" else -1
    known = [place for place, record in enumerate(records) if name in (record.metrics.get("test") or {})]
    order = sorted(known, key=lambda place: -sign * records[place].metrics["test"][name])
    pairs = list(itertools.combinations(order, 2))[:PAIRS]
    names = named(records)
    if not pairs:
        return [Difference(0, 1, None, False, "Fewer than two of these runs were scored on test rows.")]
    return [_held(records, names, first, second, name, sign) for first, second in pairs]


def _held(records: list[Record], names: list[str], first: int, second: int, name: str, sign: int) -> Difference:
    """The better of two runs beside the other."""
    one, other = records[first], records[second]
    paired = same_rows(one, other)
    interval = (
        scores.difference(one.truth, one.answer, other.answer, one.info, name) if paired else _apart(one, other, name)
    )
    how = "paired, on the same test rows" if paired else "not paired: their test rows differ"
    if interval is None:
        return Difference(first, second, None, paired, f"{names[first]} and {names[second]}: too few rows to tell.")
    low, high = sorted(sign * end for end in interval)
    own = f"{spoken(name)} {number(one.metrics['test'][name])} against {number(other.metrics['test'][name])}"
    if low > 0:
        by = f"{100 * low:.1f} to {100 * high:.1f} points" if name in POINTS else span([low, high])
        says = f"{names[first]} is better than {names[second]} by {by}: {own} (95% interval, {how})."
    else:
        says = f"{names[first]} and {names[second]} are not distinguishable: {own}; 95% interval of the difference "
        says += f"{span(interval)} ({how})."
    return Difference(first, second, interval, paired, says)


def same_rows(one: Record, other: Record) -> bool:
    """Whether two runs were scored on the same rows, in the same order."""
    digests = [record.about.get("test_rows") for record in (one, other)]
    if one.truth is None or other.truth is None or None in digests or digests[0] != digests[1]:
        return False
    a, b = (record.truth["values"] if record.task == "forecast" else record.truth for record in (one, other))
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, equal_nan=True)


def _apart(one: Record, other: Record, name: str) -> list[float] | None:
    """The difference of two scores of other rows, from the interval of each."""
    spans = [record.metrics["intervals"].get(name) for record in (one, other)]
    if None in spans:
        return None
    gap = one.metrics["test"][name] - other.metrics["test"][name]
    half = float(np.hypot(*[(high - low) / 2 for low, high in spans]))
    return [gap - half, gap + half]
