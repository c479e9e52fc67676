"""Find possible label errors: rows whose label is least likely."""

import csv
import io
from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel
from tfkit.atomic_files import write_text
from tfkit.metadata import Metadata

MAX_DAYS = 3_000_000  # of a date that is shown: until the year 9999

MAX_FILE_ROWS = 200

MAX_REPORT_ROWS = 10

MAX_REPORT_COLUMNS = 12

SPLITS = {"val": "validation", "test": "test"}

MAX_CELL_CHARACTERS = 200  # characters of a cell in the report


def label_issues(fitted: FittedModel) -> dict[str, Any]:
    """Write `label_issues.csv`, least likely labels first; return its first rows."""
    issues = []
    for split, (y_true, y_pred) in fitted.predictions.items():
        loss = fitted.row_losses(y_true, y_pred)
        worst = np.argsort(-loss, kind="stable")[:MAX_FILE_ROWS]
        errors = fitted.task.row_errors(np.asarray(y_true)[worst], y_pred[worst], fitted.metadata)
        worst = worst[errors > 0]  # a row that is predicted right is no issue
        raw = getattr(fitted.data, split).raw_inputs(worst)
        row_ids = getattr(getattr(fitted.data, split), "row_ids", None)
        for position, row in enumerate(worst):
            label = _label_and_prediction(fitted, y_true[row], y_pred[row]) | {"loss": float(loss[row])}
            row_id = {} if row_ids is None else {"row": _to_json(row_ids[row])}
            issues.append({"split": SPLITS[split], **row_id, **label, "cells": _cells(fitted.metadata, raw, position)})
    issues.sort(key=lambda issue: -issue["loss"])
    issues = issues[:MAX_FILE_ROWS]
    _write(fitted, issues)
    first = [
        {
            **issue,
            "cells": {
                name: str(value)[:MAX_CELL_CHARACTERS]
                for name, value in list(issue["cells"].items())[:MAX_REPORT_COLUMNS]
            },
        }
        for issue in issues[:MAX_REPORT_ROWS]
    ]
    num_rows = sum(len(y_true) for y_true, _ in fitted.predictions.values())
    return {"num_issues": len(issues), "num_rows": num_rows, "first": first}


def _label_and_prediction(fitted: FittedModel, y_true: Any, y_pred: Any) -> dict[str, Any]:
    """Return label, prediction, and the probability of the label if there is one."""
    values = fitted.label_and_prediction(y_true, y_pred)
    names = ("label", "predicted", "probability_of_label")
    return {name: round(values[name], 4) if name == names[2] else values[name] for name in names if name in values}


def _cells(metadata: Metadata, raw: dict[str, Any], row: int) -> dict[str, Any]:
    """Return the cells of a raw row by column name, without images and series."""
    cells: dict[str, Any] = {}
    dates = {rule["column"] for rule in metadata.inputs.values() if rule.get("part") == "days"}
    for name, values in raw.items():
        if np.ndim(values[row]) > 1 or np.size(values[row]) != 1:
            continue
        rule = metadata.inputs.get(name, {})
        column, part = rule.get("column", name), rule.get("part", "")
        cell: Any = np.reshape(values[row], -1)[0]
        if part == "days":  # since 1970; the other parts of the date follow from it
            cells[column] = _to_day(cell)
        elif column not in dates:
            cells[f"{column} {part}".strip()] = _to_json(cell)
    return cells


def _to_day(days: Any) -> str:
    """Convert days since 1970 to a date; an empty string if missing."""
    is_valid = np.isfinite(days) and abs(days) < MAX_DAYS
    return str(np.datetime64("1970-01-01") + np.timedelta64(int(days), "D")) if is_valid else ""


def _to_json(value: Any) -> Any:
    """Convert a cell to a JSON value; missing numbers become empty strings."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        if not np.isfinite(value):
            return ""
        return int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.7g}")
    return value if isinstance(value, int) else str(value)


def _write(fitted: FittedModel, issues: list[dict[str, Any]]) -> None:
    """Write the CSV file, one line per row, with the cells of the row."""
    buffer = io.StringIO(newline="")
    names = dict.fromkeys(name for issue in issues for name in issue if name not in ("cells", "loss"))
    columns = dict.fromkeys(name for issue in issues for name in issue["cells"])
    writer = csv.writer(buffer)
    writer.writerow([*names, *columns])
    for issue in issues:
        writer.writerow([issue.get(name, "") for name in names] + [issue["cells"].get(name, "") for name in columns])
    write_text(fitted.run.path("label_issues.csv"), buffer.getvalue())
