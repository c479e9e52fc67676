"""The runs of a folder with what they scored: the folder is the registry."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from tfkit.errors import UserError, nearest
from tfkit.report.words import number, spoken

COLUMNS = ("run", "recipe", "score", "date", "target", "rows", "seconds")


def runs(folder: str | os.PathLike[str] = "runs", *, sort: str = "date") -> list[dict[str, Any]]:
    """List the runs of a folder, the newest or the best first.

    Args:
        folder: Where they lie.
        sort: "date" for the newest first, "score" for the best first within each score, "run", "recipe", "target",
            "rows" or "seconds".

    Returns:
        For each run a dictionary: run (its path), recipe, date, target, measure (the name of the score), better (where
        it is best, "max" or "min"), score (None where it is not finished or the test was left alone), rows to train,
        seconds.

    Raises:
        UserError: If there is nothing to sort by under that name.

    Example:
        >>> runs("nowhere")
        []
    """
    if sort not in COLUMNS:
        raise UserError(f"Runs are sorted by {', '.join(COLUMNS)}.{nearest(sort, COLUMNS)} Received: sort={sort}")
    found = []
    for path in Path(folder).glob("*/about.json"):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found.append(_run(path.parent))  # a damaged one is no run
    found.sort(key=lambda one: one["date"], reverse=True)
    if sort == "score":
        found.sort(key=lambda one: (one["score"] is None, one["measure"], _worse(one)))
    elif sort != "date":
        found.sort(
            key=lambda one: (one[sort] is None, one[sort] or 0 if sort in ("rows", "seconds") else str(one[sort]))
        )
    return found


def _run(folder: Path) -> dict[str, Any]:
    """What one run is, from its JSON files alone."""
    from tfkit.scores import headline

    about = _json(folder / "about.json")
    info, metrics = (
        _json(folder / name) if (folder / name).is_file() else {} for name in ("info.json", "metrics.json")
    )
    measure, better = headline(info["task"]) if info else ("", "")
    return {
        "run": folder,
        "recipe": about.get("recipe") or "",
        "date": about["begun"],
        "target": (info.get("target") or {}).get("name", ""),
        "measure": measure,
        "better": better,
        "score": (metrics.get("test") or {}).get(measure),
        "rows": (about.get("rows") or [None])[0],
        "seconds": round(sum(metrics.get("seconds", {}).values())) if metrics else None,
    }


def _worse(one: dict[str, Any]) -> float:
    """What is smaller for a better score."""
    return -(one["score"] or 0) if one["better"] == "max" else (one["score"] or 0)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def lines(found: list[dict[str, Any]]) -> list[str]:
    """The list as it is printed."""
    rows = [("run", "score", "", "recipe", "target", "rows", "seconds", "begun"), *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = "<><<<>><"
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    """What is printed of a run."""
    scored = one["score"] is not None
    score = number(one["score"]) if scored else "" if one["seconds"] is not None else "not finished"
    measure, begun = spoken(one["measure"]) if scored else "", one["date"][:16].replace("T", " ")
    return (
        str(one["run"]),
        score,
        measure,
        one["recipe"],
        one["target"],
        number(one["rows"]),
        number(one["seconds"]),
        begun,
    )
