"""List the runs in a folder with their test scores."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from tfkit.errors import UserError, did_you_mean
from tfkit.metadata import Metadata, Target
from tfkit.reporting.formatting import display_name, format_number

COLUMNS = ("run", "recipe", "score", "date", "target", "rows", "seconds")


def list_runs(folder: str | os.PathLike[str] = "runs", *, sort: str = "date") -> list[dict[str, Any]]:
    """List the runs in a folder, sorted by date, score or another column.

    Args:
        folder: Folder that contains the run folders.
        sort: "date" for the newest first, "score" for the best first within each metric, "run", "recipe", "target",
            "rows" or "seconds".

    Returns:
        One dictionary per run: run (path), recipe, date, target, metric (name of the primary metric), mode ("max" or
        "min"), score (on the test set; None if the run is not finished or the test set was not evaluated), rows
        (training rows), seconds.

    Raises:
        UserError: If `sort` is not one of these columns.

    Example:
        >>> list_runs("nowhere")
        []
    """
    if sort not in COLUMNS:
        raise UserError(f"Runs are sorted by {', '.join(COLUMNS)}.{did_you_mean(sort, COLUMNS)} Received: sort={sort}")
    all_runs = []
    for path in Path(folder).glob("*/provenance.json"):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            all_runs.append(_summarize(path.parent))  # damaged run folders are skipped
    all_runs.sort(key=lambda run: run["date"], reverse=True)
    if sort == "score":
        all_runs.sort(key=lambda run: (run["score"] is None, run["metric"], _ascending_score(run)))
    elif sort != "date":
        all_runs.sort(
            key=lambda run: (run[sort] is None, run[sort] or 0 if sort in ("rows", "seconds") else str(run[sort]))
        )
    return all_runs


def _summarize(folder: Path) -> dict[str, Any]:
    """Read the summary of a run from its JSON files."""
    from tfkit.tasks.primary_metric import primary_metric

    provenance = _json(folder / "provenance.json")
    metadata, metrics = (
        _json(folder / name) if (folder / name).is_file() else {} for name in ("metadata.json", "metrics.json")
    )
    metric, mode = primary_metric(_task_metadata(metadata)) if metadata else ("", "")
    return {
        "run": folder,
        "recipe": provenance.get("recipe") or "",
        "date": provenance["started"],
        "target": (metadata.get("target") or {}).get("name", ""),
        "metric": metric,
        "mode": mode,
        "score": (metrics.get("test") or {}).get(metric),
        "rows": (provenance.get("rows") or [None])[0],
        "seconds": round(sum(metrics.get("seconds", {}).values())) if metrics else None,
    }


def _task_metadata(metadata: dict[str, Any]) -> Metadata:
    """The task and the metric of metadata.json; the rest is not read."""
    return Metadata(target=Target(task=metadata["target"]["task"]), metric=metadata.get("metric", ""))


def _ascending_score(run: dict[str, Any]) -> float:
    """Return a sort key that is lower for a better score."""
    return -(run["score"] or 0) if run["mode"] == "max" else (run["score"] or 0)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def format_table(all_runs: list[dict[str, Any]]) -> list[str]:
    """Format a list of runs as an aligned text table, one string per line."""
    rows = [("run", "score", "", "recipe", "target", "rows", "seconds", "started"), *map(_cells, all_runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    alignments = "<><<<>><"
    return [
        "  ".join(
            f"{cell:{alignment}{width}}" for cell, alignment, width in zip(row, alignments, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    """Format the cells of a row of the table."""
    has_score = run["score"] is not None
    score = format_number(run["score"]) if has_score else "" if run["seconds"] is not None else "not finished"
    metric, started = display_name(run["metric"]) if has_score else "", run["date"][:16].replace("T", " ")
    return (
        str(run["run"]),
        score,
        metric,
        run["recipe"],
        run["target"],
        format_number(run["rows"]),
        format_number(run["seconds"]),
        started,
    )
