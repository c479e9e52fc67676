"""Read and write .json files: an array of rows, one row, or columns."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.data.files.formats import json_lines
from tfkit.data.files.in_memory import to_frame
from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd


def read(text: bytes, path: Path) -> pd.DataFrame:
    """Parse a JSON document into a DataFrame.

    These forms are read: an array of objects (rows); an object of values (one row), of arrays (columns) or of objects
    (columns, as pandas writes them); an object whose only list of objects has the rows; pandas' `split` form,
    `{"columns": [...], "data": [[...], ...]}`; and one object per line.

    Returns:
        The rows; `attrs["messages"]` names what was not used.

    Raises:
        UserError: If it is not JSON, or none of these forms.
    """
    try:
        content = json.loads(text)
        if b"\\ud" in text.lower():
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"Text must be valid Unicode. Received: {path}, half of a character (\\ud...)") from error
    except (ValueError, RecursionError) as error:
        if b"\n" in text.strip() and text.lstrip().startswith(b"{") and "Extra data" in str(error):
            return json_lines.read(text, path)  # one object per line
        raise UserError(
            f"A .json file must be complete and JSON. Received: {path}, which is not: {first_line(error)}"
        ) from error
    try:
        table, messages = _table(content)
        frame = to_frame(table)
        frame.attrs["messages"] = messages
        return frame
    except UserError as error:
        raise UserError(f"A .json file must be an array of flat objects. {error}, in {path}") from error


def _table(content: Any) -> tuple[Any, list[str]]:
    """Find the rows or columns in a JSON document; with a message if the rows are a part of it."""
    if isinstance(content, dict):
        data = content.get("data")
        if isinstance(content.get("columns"), list) and isinstance(data, list):
            import pandas as pd

            try:
                return pd.DataFrame(data, columns=content["columns"]), []
            except (ValueError, AssertionError) as error:
                raise UserError(f"Each row must have a value for each column. Received: {first_line(error)}") from error
        tables = [name for name, rows in content.items() if _are_rows(rows)]
        if len(tables) == 1:
            rest = [name for name in content if name != tables[0]]
            message = f"rows are those of {tables[0]!r}" + (f"; not used: {', '.join(rest)}" if rest else "")
            return content[tables[0]], [message]
    if isinstance(content, dict | list) and content:
        return content, []
    raise UserError(f"Received: {'an empty document' if content in ({}, []) else type(content).__name__}")


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


@contextlib.contextmanager
def open_writer(out: Any) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Open a writer of an array of objects, for any number of frames."""
    is_first = True
    out.write(b"[")

    def write(frame: pd.DataFrame) -> None:
        nonlocal is_first
        for line in json_lines.as_bytes(frame).splitlines():
            out.write((b"\n" if is_first else b",\n") + line)
            is_first = False

    yield write
    out.write(b"\n]\n")
