"""The rows of validation and test whose label the model doubts most: wrong labels are found among them."""

import csv
import io
from typing import Any

import numpy as np

from tfkit.keeping import write_text
from tfkit.report.evidence.trained import Trained, row_loss

MOST = 200  # rows of the file
SHOWN = 10  # of the report
COLUMNS = 12  # beside a row of the report
SPLITS = {"val": "validation", "test": "test"}
LONGEST = 200  # characters of a cell in the report


def doubts(trained: Trained) -> dict[str, Any]:
    """Write `doubted.csv`, what the model found least likely first, and give the first rows for the report."""
    classes = trained.info["target"]["classes"]
    found = []
    for split, (truth, answer) in trained.said.items():
        loss = row_loss(truth, answer, trained.info)
        worst = np.argsort(-loss, kind="stable")[:MOST]
        if classes:  # what is right is in no doubt
            worst = worst[answer[worst].argmax(1) != np.asarray(truth).reshape(-1)[worst]]
        raw = getattr(trained.data, split).raw(worst)
        names = getattr(getattr(trained.data, split), "names", None)
        for place, row in enumerate(worst):
            told = _told(truth[row], answer[row], classes) | {"loss": float(loss[row])}
            own = {} if names is None else {"row": _plain(names[row])}
            found.append({"split": SPLITS[split], **own, **told, "cells": _cells(trained.info, raw, place)})
    found.sort(key=lambda one: -one["loss"])
    found = found[:MOST]
    _write(trained, found)
    short = [
        {**one, "cells": {n: str(v)[:LONGEST] for n, v in list(one["cells"].items())[:COLUMNS]}}
        for one in found[:SHOWN]
    ]
    return {"count": len(found), "of": sum(len(truth) for truth, _ in trained.said.values()), "first": short}


def _told(truth: Any, answer: Any, classes: Any) -> dict[str, Any]:
    """What is written beside what the model says."""
    if not classes:
        return {"label": float(truth), "predicted": float(np.reshape(answer, -1)[0])}
    code = int(truth)
    return {
        "label": str(classes[code]),
        "predicted": str(classes[int(answer.argmax())]),
        "probability_of_label": round(float(answer[code]), 4),
    }


def _cells(info: dict[str, Any], raw: dict[str, Any], row: int) -> dict[str, Any]:
    """The cells of a raw row, by the user's names; pictures and series are no cells."""
    cells = {}
    for name, values in raw.items():
        if np.ndim(values[row]) > 1 or np.size(values[row]) != 1:
            continue
        rule = info["inputs"].get(name, {})
        column, part = rule.get("column", name), rule.get("part", "")
        cells[f"{column} {part}".strip()] = _plain(np.reshape(values[row], -1)[0])
    return cells


def _plain(value: Any) -> Any:
    """A cell as plain JSON; missing numbers are empty."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        if not np.isfinite(value):
            return ""
        return int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.7g}")
    return value if isinstance(value, int) else str(value)


def _write(trained: Trained, found: list[dict[str, Any]]) -> None:
    """The file, one row each, with the row's own cells."""
    buffer = io.StringIO(newline="")
    names = dict.fromkeys(name for one in found for name in one if name not in ("cells", "loss"))
    columns = dict.fromkeys(name for one in found for name in one["cells"])
    table = csv.writer(buffer)
    table.writerow([*names, *columns])
    for one in found:
        table.writerow([one.get(name, "") for name in names] + [one["cells"].get(name, "") for name in columns])
    write_text(trained.run.path("doubted.csv"), buffer.getvalue())
