"""Read and write JSON lines: one flat JSON object per line."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd

_CHUNK_BYTES = 1 << 24  # bytes of text in a chunk


def read(text: bytes, path: Path) -> pd.DataFrame:
    """Parse JSON lines into a DataFrame.

    Each line is parsed by `json.loads`, which keeps every digit of a long integer: 13 s for a million rows of 15 cells.

    Returns:
        A column for each name, in order of first appearance; numbers, strings and booleans keep their types.

    Raises:
        UserError: If a line is not a flat JSON object; the message names the line.
    """
    import pandas as pd

    return pd.DataFrame([record for record, _ in _records(io.BytesIO(text), path)])


def infer_dtypes(open_text: Callable[[], BinaryIO], path: Path) -> dict[str, str] | None:
    """Parse all lines and infer the dtype that `read` gives each column.

    Args:
        open_text: Opens the text at its start.
        path: The path for messages.

    Returns:
        Column name -> dtype, in order of first appearance. None if a chunk cannot have the dtype of the whole column: a
        line is invalid, or a column is empty, mixes types, has integers beyond int64, or booleans with gaps.
    """
    types: dict[str, set[type]] = {}
    num_rows, num_present = 0, Counter[str]()
    try:
        with open_text() as text:
            for record, _ in _records(text, path):
                num_rows += 1
                for name, value in record.items():
                    column_types = types.setdefault(name, set())
                    if value is not None:
                        num_present[name] += 1
                        column_types.add(_cell_type(value))
    except UserError:
        return None
    dtypes = {name: _dtype(types[name], has_gaps=num_present[name] < num_rows) for name in types}
    return {name: dtype for name, dtype in dtypes.items() if dtype} if dtypes and all(dtypes.values()) else None


def read_chunks(open_text: Callable[[], BinaryIO], dtypes: dict[str, str], path: Path) -> Iterator[pd.DataFrame]:
    """Parse the same rows chunk by chunk, with the dtypes of `infer_dtypes`.

    Raises:
        UserError: If the file has changed since then.
    """
    import pandas as pd

    records: list[dict[str, Any]] = []
    num_bytes = 0
    try:
        with open_text() as text:
            for record, line_bytes in _records(text, path):
                if not record.keys() <= dtypes.keys():
                    raise ValueError("a new column")
                records.append(record)
                num_bytes += line_bytes
                if num_bytes >= _CHUNK_BYTES:
                    yield pd.DataFrame(records, columns=list(dtypes)).astype(dtypes)
                    records, num_bytes = [], 0
            if records:
                yield pd.DataFrame(records, columns=list(dtypes)).astype(dtypes)
    except (ValueError, TypeError, OverflowError) as error:  # a UserError is a ValueError
        raise UserError(f"A file must not change while it is read. Received: {path}") from error


def as_bytes(frame: pd.DataFrame) -> bytes:
    """Format rows as JSON lines; a missing cell is null."""
    columns = [column.astype(object).where(column.notna(), None).tolist() for _, column in frame.items()]
    encoder = json.JSONEncoder(ensure_ascii=False, default=_to_json)
    lines = (encoder.encode(dict(zip(frame.columns, row, strict=True))) for row in zip(*columns, strict=True))
    return "".join(f"{line}\n" for line in lines).encode()


def _records(text: BinaryIO, path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the object and the number of bytes of each line that is not blank."""
    for line_number, line in enumerate(text, 1):
        if not line.isspace():
            yield _parse_line(line, line_number, path), len(line)


def _parse_line(line: bytes, line_number: int, path: Path) -> dict[str, Any]:
    """Parse one line; raise UserError if it is not a flat JSON object."""
    try:
        record = json.loads(line)
        if b"\\ud" in line.lower():
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"Text must be valid Unicode. Received: {path}, half of a character (\\ud...) in line {line_number}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"Each line must be one JSON object. Received: {path}, line {line_number} is not: {first_line(error)}"
        ) from error
    if not isinstance(record, dict):
        raise UserError(
            f'Each line must be one JSON object, such as {{"age": 39}}. Received: {path}, '
            f"line {line_number} is a {type(record).__name__}"
        )
    for name, value in record.items():
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, list | dict) for v in value)):
            raise UserError(
                f"A cell must be a number, a string, a boolean or null; flatten nested values first. "
                f"Received: {path}, a {type(value).__name__} under {name!r} in line {line_number}"
            )
    return record


def _cell_type(value: bool | int | float | str) -> type:
    """Return the type of a cell; `object` for an integer beyond int64."""
    return object if type(value) is int and not -(2**63) <= value < 2**63 else type(value)


def _dtype(types: set[type], *, has_gaps: bool) -> str | None:
    """Return the pandas dtype of a column with cells of these types.

    None if only object fits.
    """
    if types == {bool}:
        return None if has_gaps else "bool"
    if types == {int}:
        return "float64" if has_gaps else "int64"
    if types in ({float}, {int, float}):
        return "float64"
    return "str" if types == {str} else None


def _to_json(value: Any) -> Any:
    """Convert a value that JSON has no type for: NumPy numbers, dates, decimals."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
