"""Delimited text: the delimiter is found, quotes are kept to, and a line that does not fit is named by its number."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = ",;\t|"
_ONE_COLUMN = "\x1f"  # delimits a table of one column: in no text, so no cell is cut
ROWS = 65_536  # of a block
_BLOCK = 1 << 24  # bytes parsed at a time, 1, 4 and 16 MB were measured equally fast; a row has to fit in


def read(text: bytes, path: Path, *, kind: str, delimiter: str | None = None) -> tuple[pd.DataFrame, str | None]:
    """Every cell as a string, under the names of the first line, and the delimiter, None where there is one column."""
    if not re.split(rb"[\r\n]", text[:4096], maxsplit=1)[0].strip():
        raise UserError(f"The first line must hold the names of the columns. Received: {path}, line 1 is blank")
    sign = _find(text, kind, path) if delimiter is None else _given(delimiter)
    rows = _sample(text, sign)
    if len(rows) == 1:
        raise UserError(f"A table needs rows below its header. Received: {path}, {len(rows[0])} names and no rows")
    if text.count(b'"') % 2:  # the reader would take a quote that is never closed for a very long cell
        _refuse_open_quote(text, sign, path)
    frame = _parsed(text, sign, len(rows[0]), path)
    frame.columns = rows[0]
    return frame, None if sign == _ONE_COLUMN else sign


def blocks(
    opened: Callable[[], BinaryIO], path: Path, *, kind: str, delimiter: str | None, quoted: bool
) -> Iterator[pd.DataFrame]:
    """The same rows a block at a time; `opened` gives the text from its start, `quoted` says if quotes are in it."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    head = opened().read(_BLOCK)
    sign = _find(head, kind, path) if delimiter is None else _given(delimiter)
    names = _sample(head, sign)[0]
    options = _options(sign, len(names), quoted)
    try:
        with arrow.open_csv(pa.PythonFile(opened(), "r"), *options) as reader:
            for batch in reader:
                for start in range(0, len(batch), ROWS):
                    yield batch.slice(start, ROWS).to_pandas().set_axis(names, axis=1)
    except pa.ArrowInvalid as error:
        raise _refusal(opened(), sign, len(names), path, error) from error


def as_bytes(frame: pd.DataFrame, delimiter: str = ",", *, header: bool = True) -> bytes:
    """The rows, below a line of names; a missing cell is empty."""
    # Python before 3.13 quotes a lone carriage return only where lines end in one.
    text: str = frame.to_csv(index=False, sep=delimiter, header=header, lineterminator="\n")
    if "\r" in text:
        text = frame.to_csv(index=False, sep=delimiter, header=header, lineterminator="\r\n")
    return text.encode()


def _find(text: bytes, kind: str, path: Path) -> str:
    """The delimiter that gives most lines as many cells as the header, and more than one."""
    samples = {sign: _sample(text, sign) for sign in _DELIMITERS}
    several = {sign: rows for sign, rows in samples.items() if len(rows[0]) > 1}
    if not several:
        _refuse_title(samples.values(), path)
        return _ONE_COLUMN
    if kind == "tsv" and "\t" in several:
        return "\t"

    def agreement(sign: str) -> tuple[float, int]:
        widths = [len(row) for row in several[sign]]
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(several, key=agreement)


def _refuse_title(samples: Iterable[list[list[str]]], path: Path) -> None:
    for rows in samples:
        widths = {len(row) for row in rows[1:]}
        if len(rows) > 2 and len(widths) == 1 and min(widths) > 1:
            raise UserError(
                f"The first line must hold the names of the columns; remove what stands above it, or give "
                f"`delimiter`. Received: {path}, 1 cell in line 1, {min(widths)} in those below"
            )


def _given(delimiter: str) -> str:
    sign = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(sign) != 1 or not sign.isascii() or sign in '"\r\n\0':
        raise UserError(f"`delimiter` must be one ASCII character, or the word tab. Received: {delimiter!r}")
    return sign


def _rows(text: BinaryIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows as Python's own reader sees them, each with the number of the line it begins in."""
    reader = csv.reader(io.TextIOWrapper(text, "utf-8", newline=""), delimiter=delimiter)
    limit, begin = csv.field_size_limit(2**31 - 1), 1  # 128 KB is not enough for a cell of text
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _sample(text: bytes, delimiter: str) -> list[list[str]]:
    return [row for _, row in itertools.islice(_rows(io.BytesIO(text), delimiter), 51)]


def _refuse_open_quote(text: bytes, delimiter: str, path: Path) -> None:
    """A line is added at the end: if it does not come back as a row of its own, a quote has swallowed it."""
    end = "\x1e"
    closed = text if text.endswith((b"\n", b"\r")) else text + b"\n"
    (line, row) = deque(_rows(io.BytesIO(closed + end.encode()), delimiter), maxlen=1).pop()
    if row != [end]:
        raise UserError(f"A quote must be closed. Received: {path}, one opened in line {line} is not")


def _parsed(text: bytes, delimiter: str, width: int, path: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import csv as arrow

    try:
        table = arrow.read_csv(pa.BufferReader(text), *_options(delimiter, width, b'"' in text))
    except pa.ArrowInvalid as error:
        raise _refusal(io.BytesIO(text), delimiter, width, path, error) from error
    return table.to_pandas()


def _options(delimiter: str, width: int, quoted: bool) -> tuple[Any, Any, Any]:
    """What Arrow is told: every cell is a string, under its number."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    numbers = [str(number) for number in range(width)]
    return (
        arrow.ReadOptions(column_names=numbers, skip_rows_after_names=1, block_size=_BLOCK),
        arrow.ParseOptions(delimiter=delimiter, newlines_in_values=quoted),
        arrow.ConvertOptions(column_types=dict.fromkeys(numbers, pa.string()), check_utf8=False),
    )


def _refusal(text: BinaryIO, delimiter: str, width: int, path: Path, error: Exception) -> UserError:
    return UserError(
        f"Each line must have as many cells as the header; mend it, or quote cells that hold the delimiter "
        f"{delimiter!r}. Received: {path}, {_ragged(text, delimiter, width) or first_line(error)}"
    )


def _ragged(text: BinaryIO, delimiter: str, width: int) -> str:
    """Where the first row of another length is: read again, slowly, because something has to be said."""
    for line, row in _rows(text, delimiter):
        if len(row) != width:
            long = " (is a quote in it never closed?)" if any("\n" in cell for cell in row) else ""
            return f"{len(row)} cells in line {line}{long}, {width} in the header"
    return ""
