"""JSON lines: one flat object a line; Arrow reads the plain ones fast, Python the others and says what is wrong."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_BLOCK = 1 << 22  # bytes parsed at a time
_PIECE = 1 << 24  # bytes read at a time, where the text is not read whole


def read(text: bytes, path: Path) -> pd.DataFrame:
    """A column for each name, in the order they first appear; numbers, strings and booleans as they are."""
    import pandas as pd

    frame = _read_fast(text)
    if frame is not None:
        return frame
    lines = enumerate(io.BytesIO(text), 1)
    return pd.DataFrame([_record(line, number, path) for number, line in lines if not line.isspace()])


def schema(opened: Callable[[], BinaryIO]) -> pa.Schema | None:
    """The types that the whole text has, or None where Arrow alone does not read it as Python would."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    rows, counts = 0, Counter[str]()
    for text in _pieces(opened()):
        table = _read_table(text)
        if table is None:
            return None
        rows += len(table)
        for field, column in zip(table.schema, table.columns, strict=True):
            counts[field.name] += len(column) - column.null_count
            both = {types.get(field.name, pa.null()), field.type} - {pa.null()}
            if len(both) > 1 and both != {pa.int64(), pa.float64()}:
                return None
            types[field.name] = pa.float64() if len(both) > 1 else both.pop() if both else pa.null()
    gaps = {name for name in types if counts[name] < rows}
    if any(pa.types.is_boolean(types[name]) or pa.types.is_null(types[name]) for name in gaps):
        return None  # columns of objects
    whole = {name for name in gaps if pa.types.is_integer(types[name])}
    return pa.schema([(name, pa.float64() if name in whole else kind) for name, kind in types.items()])


def blocks(opened: Callable[[], BinaryIO], types: pa.Schema, path: Path) -> Iterator[pd.DataFrame]:
    """The same rows a block at a time, in the types that `schema` found."""
    import pyarrow as pa

    for text in _pieces(opened()):
        table = _read_table(text)
        if table is None:  # the file has changed
            raise UserError(f"A file must stay as it is while it is read. Received: {path}")
        columns = [
            table[field.name].cast(field.type, safe=False)
            if field.name in table.column_names
            else pa.nulls(len(table), field.type)
            for field in types
        ]
        yield pa.table(columns, schema=types).to_pandas()


def _pieces(text: BinaryIO) -> Iterator[bytes]:
    """Whole lines, many at a time."""
    with text:
        rest = b""
        while chunk := text.read(_PIECE):
            end = chunk.rfind(b"\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest += chunk
        if rest:
            yield rest


def as_bytes(frame: pd.DataFrame) -> bytes:
    """The rows as objects, null where a cell is missing."""
    columns = [column.astype(object).where(column.notna(), None).tolist() for _, column in frame.items()]
    encoder = json.JSONEncoder(ensure_ascii=False, default=_plain)
    lines = (encoder.encode(dict(zip(frame.columns, row, strict=True))) for row in zip(*columns, strict=True))
    return "".join(f"{line}\n" for line in lines).encode()


def _read_fast(text: bytes) -> pd.DataFrame | None:
    table = _read_table(text)
    return None if table is None else table.to_pandas()


def _read_table(text: bytes) -> pa.Table | None:
    """What Arrow reads where Python would read the same, else None: a million rows of 15 cells in 5 s instead of 13."""
    import pyarrow as pa

    if not _plain_lines(text):
        return None
    try:
        head = _parsed(text[: text.find(b"\n", 1 << 16) + 1] or text, [])
        dates = [field.name for field in head.schema if pa.types.is_timestamp(field.type)]
        table = _parsed(text, dates)
    except pa.ArrowInvalid:
        return None
    if not all(map(_as_written, table.columns)):
        return None
    return table.select(list(dict.fromkeys(head.column_names + table.column_names)))


def _plain_lines(text: bytes) -> bool:
    """Whether each line begins and ends with a brace, there is no other, and no list.

    Arrow crashes on a null that stands alone, and takes several objects in a line or one over several lines.
    """
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    bounds = text.startswith(b"{") and text.endswith((b"}", b"}\n")) and text.count(b"}\n{") == lines - 1
    return bounds and text.count(b"{") == text.count(b"}") == lines and b'":[' not in text and b'": [' not in text


def _parsed(text: bytes, strings: Sequence[str]) -> pa.Table:
    """The table; Arrow takes strings such as 2020-01-02 for dates, but for the columns named here."""
    import pyarrow as pa
    from pyarrow import json as arrow

    schema = pa.schema([(name, pa.string()) for name in strings])
    # One thread: as fast on two cores, and the order of the columns is always the same.
    options = arrow.ReadOptions(use_threads=False, block_size=_BLOCK)
    return arrow.read_json(pa.BufferReader(text), options, arrow.ParseOptions(explicit_schema=schema))


def _as_written(column: pa.ChunkedArray) -> bool:
    """Whether no string became a date, and no whole number a real one for being too large."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_floating(column.type):
        most = compute.max(compute.abs(column)).as_py()
        return most is None or most < 2**63
    return not pa.types.is_timestamp(column.type) and not pa.types.is_nested(column.type)


def _record(line: bytes, number: int, path: Path) -> dict[str, Any]:
    """The object of a line, or what is wrong with it."""
    try:
        record = json.loads(line)
        if b"\\ud" in line.lower():
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"Text must be whole characters. Received: {path}, half of a character (\\ud...) in line {number}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"Each line must be one JSON object. Received: {path}, line {number} is not: {first_line(error)}"
        ) from error
    if not isinstance(record, dict):
        raise UserError(
            f'Each line must be one JSON object, such as {{"age": 39}}. Received: {path}, '
            f"line {number} is a {type(record).__name__}"
        )
    for name, value in record.items():
        if isinstance(value, list | dict):
            raise UserError(
                f"A cell must be a number, a string, a boolean or null; take nested values apart first. "
                f"Received: {path}, a {type(value).__name__} under {name!r} in line {number}"
            )
    return record


def _plain(value: Any) -> Any:
    """What JSON has no word for: NumPy's numbers, dates, decimals."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
