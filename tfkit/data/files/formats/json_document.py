"""Read a JSON document: an array of objects, an object of columns, or one object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.data.files import json_lines
from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd


def read(text: bytes, path: Path) -> pd.DataFrame:
    """Read a JSON document, or JSON lines, as rows.

    An array has an object for each row. An object has a list, or an object by row, for each column; or it is one row;
    or its only list of objects has the rows.

    Returns:
        The rows, with messages in `attrs["messages"]`.

    Raises:
        UserError: If the document is not a table.
    """
    import pandas as pd

    try:
        document = json.loads(text)
    except RecursionError as error:
        raise UserError(f"A JSON document must be a table. Received: {path}, nested too deeply") from error
    except ValueError as error:
        if "Extra data" not in str(error):
            raise UserError(
                f"A .json file must be a JSON document or JSON lines. Received: {path}, {first_line(error)}"
            ) from error
        return json_lines.read(text, path)
    records, messages = _records(document, path)
    for number, record in enumerate(records, 1):
        nested = next((name for name, value in record.items() if isinstance(value, list | dict)), None)
        if nested is not None:
            raise UserError(
                f"A cell must be a number, a string, a boolean or null; flatten nested values first. "
                f"Received: {path}, a {type(record[nested]).__name__} under {nested!r} in row {number}"
            )
    frame = pd.DataFrame(records)
    frame.attrs["messages"] = messages
    return frame


def _records(document: Any, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of a document, and a message if they are a part of it."""
    if isinstance(document, list):
        wrong = next((value for value in document if not isinstance(value, dict)), None)
        if not document or wrong is not None:
            received = "an empty array" if not document else f"an element that is a {type(wrong).__name__}"
            raise UserError(f"A JSON array must have an object for each row. Received: {path}, {received}")
        return document, []
    if not isinstance(document, dict) or not document:
        raise UserError(
            f"A JSON document must be an array of objects or an object. Received: {path}, {type(document).__name__}"
        )
    values = list(document.values())
    tables = [name for name, value in document.items() if _is_table(value)]
    if len(tables) == 1:
        rest = [name for name in document if name != tables[0]]
        message = f"rows are those of {tables[0]!r}" + (f"; not used: {', '.join(rest)}" if rest else "")
        return document[tables[0]], [message]
    if all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)], []
    if all(isinstance(value, dict) for value in values):
        keys = list(dict.fromkeys(key for value in values for key in value))
        return [{name: value.get(key) for name, value in document.items()} for key in keys], []
    return [document], []


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
