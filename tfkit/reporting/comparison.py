"""Compare runs: paired differences of test scores, and an HTML page."""

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.atomic_files import write_text
from tfkit.errors import UserError
from tfkit.evaluation import bootstrap
from tfkit.reporting.formatting import display_name, format_interval, format_number
from tfkit.reporting.run_results import RunResults
from tfkit.run_dir import RunDir
from tfkit.tasks.primary_metric import primary_metric
from tfkit.tasks.registry import get_task

MAX_NAMED_SETTINGS, MAX_NAME_CHARACTERS = 3, 80  # in the name of a run

MAX_PAIRS = 15  # pairs of runs that are compared

PERCENT_METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")  # reported in percentage points


@dataclass(frozen=True)
class RunComparison:
    """Comparison of two runs by the primary metric.

    Args:
        first, second: Positions of the two runs in the list of runs.
        interval: 95% interval of the score of the first run minus that of the second; None if unknown.
        paired: Whether both were scored on the same rows.
        summary: The conclusion in one sentence.
    """

    first: int
    second: int
    interval: list[float] | None
    paired: bool
    summary: str


def compare(*runs: Any, out: str | os.PathLike[str] = "compare.html") -> Path:
    """Write an HTML page that compares settings, scores and curves of runs.

    Args:
        runs: At least two runs or run folders.
        out: Path of the page.

    Returns:
        The path of the page.

    Raises:
        UserError: If there are fewer than two runs, a run is not finished, tasks or targets differ, or the folder of
            `out` does not exist.
    """
    from tfkit.reporting.html import render_html
    from tfkit.reporting.sections.comparison import sections

    records = load_comparable_runs(runs)
    if not Path(out).resolve().parent.is_dir():
        raise UserError(f"The folder of `out` must exist. Received: {out}")
    comparisons = compare_pairs(records)
    names = distinct_run_names(records)
    text = render_html(
        "Comparison of runs: " + ", ".join(names),
        sections(records, names, comparisons),
        verdict=comparisons[0].summary,
        footer=f"{len(records)} runs with the target {records[0].target}.",
    )
    write_text(Path(out), text)
    return Path(out)


def load_comparable_runs(runs: Iterable[Any]) -> list[RunResults]:
    """Read the results of runs and check that they are comparable."""
    records = [RunResults.from_run(run if isinstance(run, RunDir) else RunDir(run)) for run in runs]
    _check(records)
    return records


def _check(records: list[RunResults]) -> None:
    """Raise an error if the runs cannot be compared."""
    if len(records) < 2:
        raise UserError(f"A comparison needs at least two runs. Received: {len(records)}")
    for attribute in ("task", "target"):
        values = list(dict.fromkeys(getattr(record, attribute) for record in records))
        if len(values) > 1:
            raise UserError(f"Runs to compare must have the same {attribute}. Received: {', '.join(values)}")
    if len({tuple(record.classes) for record in records}) > 1:
        raise UserError(
            "Runs to compare must have the same classes. Received: "
            + " and ".join(f"{len(record.classes)} classes" for record in records)
        )


def distinct_run_names(records: list[RunResults]) -> list[str]:
    """Return distinct names of runs: what differs, such as `recipe, units=64`; else folder names, or paths."""
    keys = dict.fromkeys(key for record in records for key in record.config)
    differing = [key for key in keys if len({str(record.config.get(key)) for record in records}) > 1]
    recipes = {record.provenance["recipe"] for record in records}
    names = []
    for record in records:
        parts = [Path(record.provenance["recipe"]).name] if len(recipes) > 1 else []
        parts += [f"{key}={record.config[key]}" for key in differing if key in record.config]
        more = [f"{len(parts) - MAX_NAMED_SETTINGS} more"] if len(parts) > MAX_NAMED_SETTINGS else []
        names.append(", ".join(parts[:MAX_NAMED_SETTINGS] + more))
    paths = [record.run.folder.resolve() for record in records]
    if "" in names or len(set(names)) < len(set(paths)) or max(map(len, names)) > MAX_NAME_CHARACTERS:
        names = [path.name for path in paths]
    if len(set(names)) < len(set(paths)):
        names = list(map(str, paths))
    distinct: list[str] = []
    for name in names:  # the same run may be passed more than once
        distinct.append(f"{name} ({distinct.count(name) + 1})" if name in distinct else name)
    return distinct


def compare_pairs(records: list[RunResults]) -> list[RunComparison]:
    """Compare all pairs of runs by the primary metric, the best runs first."""
    name, mode = primary_metric(records[0].metadata)
    sign = 1 if mode == "max" else -1
    scored = [i for i, record in enumerate(records) if name in (record.metrics.get("test") or {})]
    order = sorted(scored, key=lambda i: -sign * records[i].metrics["test"][name])
    pairs = list(itertools.combinations(order, 2))[:MAX_PAIRS]
    names = distinct_run_names(records)
    if not pairs:
        return [RunComparison(0, 1, None, False, "Fewer than two of these runs have test scores.")]
    return [_compare_pair(records, names, first, second, name, sign) for first, second in pairs]


def _compare_pair(
    records: list[RunResults], names: list[str], first: int, second: int, name: str, sign: int
) -> RunComparison:
    """Compare a run with another run of equal or lower score."""
    a, b = records[first], records[second]
    paired = same_rows(a, b)
    interval = (
        bootstrap.paired_difference_interval(a.y_true, a.y_pred, b.y_pred, a.metadata, name)
        if paired
        else _unpaired(a, b, name)
    )
    method = "paired, same test rows" if paired else "not paired: the test rows differ"
    if interval is None:
        conclusion = f"{names[first]} and {names[second]}: too few rows for a comparison."
        return RunComparison(first, second, None, paired, conclusion)
    low, high = sorted(sign * end for end in interval)
    values = (
        f"{display_name(name)} {format_number(a.metrics['test'][name])} vs {format_number(b.metrics['test'][name])}"
    )
    if low > 0:
        gap = (
            f"{100 * low:.1f} to {100 * high:.1f} percentage points"
            if name in PERCENT_METRICS
            else format_interval([low, high])
        )
        conclusion = f"{names[first]} is better than {names[second]} by {gap}: {values} (95% interval, {method})."
    else:
        conclusion = f"No clear difference between {names[first]} and {names[second]}: {values} "
        conclusion += f"(95% interval of the difference: {format_interval(interval)}, {method})."
    return RunComparison(first, second, interval, paired, conclusion)


def same_rows(a: RunResults, b: RunResults) -> bool:
    """Return whether two runs were scored on the same rows, in the same order."""
    digests = [record.provenance.get("test_rows") for record in (a, b)]
    if a.y_true is None or b.y_true is None or None in digests or digests[0] != digests[1]:
        return False
    y_a, y_b = (get_task(record.task).comparable_targets(record.y_true) for record in (a, b))
    return y_a.shape == y_b.shape and np.allclose(y_a, y_b, rtol=1e-4, equal_nan=True)


def _unpaired(a: RunResults, b: RunResults, name: str) -> list[float] | None:
    """Return the interval of a difference of scores on different rows."""
    intervals = [record.metrics["intervals"].get(name) for record in (a, b)]
    if None in intervals:
        return None
    gap = a.metrics["test"][name] - b.metrics["test"][name]
    half = float(np.hypot(*[(high - low) / 2 for low, high in intervals]))
    return [gap - half, gap + half]
