"""Read and write delimited text: CSV, TSV and other delimiters."""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfkit.data.files import lone_quotes
from tfkit.data.files.csv_layout import (
    ONE_COLUMN,
    CsvLayout,
    collapse_blanks,
    infer_layout,
    numbered_rows,
)
from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

_CHUNK_ROWS = 65_536

_BLOCK_BYTES = 1 << 24  # bytes parsed at a time, 1, 4 and 16 MB were measured equally fast; a row has to fit in


def read(text: bytes, path: Path, *, kind: str, delimiter: str | None = None) -> tuple[pd.DataFrame, str | None]:
    """Parse delimited text into string columns.

    Args:
        text: The text, UTF-8.
        path: The path for messages.
        kind: "csv" or "tsv", the preferred delimiter if several are possible.
        delimiter: The delimiter; None to detect it.

    Returns:
        The rows, with the column names of the first line and messages in `attrs["messages"]`, and the delimiter, None
        if there is one column.

    Raises:
        UserError: If the text is not a table; the message names the line.
    """
    layout = infer_layout(text, path, kind=kind, delimiter=delimiter)
    body = collapse_blanks(text[layout.body_offset :], layout.delimiter)
    frame, messages = _parse(body, layout, text, path)
    frame, num_repeated = _finish(frame, layout, path)
    frame.attrs["messages"] = [*layout.messages, *messages, *_repeated_header_message(num_repeated)]
    return frame, None if layout.delimiter == ONE_COLUMN else layout.delimiter


def read_layout(open_text: Callable[[], BinaryIO], path: Path, *, kind: str, delimiter: str | None) -> CsvLayout:
    """Infer the layout of a text that is opened at its start."""
    with open_text() as text:
        start = text.read(_BLOCK_BYTES)
    is_complete = len(start) < _BLOCK_BYTES
    return infer_layout(
        start if is_complete else start[: start.rfind(b"\n") + 1] or start, path, kind=kind, delimiter=delimiter
    )


def read_chunks(
    open_text: Callable[[], BinaryIO], layout: CsvLayout, path: Path, *, has_quotes: bool, messages: list[str]
) -> Iterator[pd.DataFrame]:
    """Parse the same rows chunk by chunk; `open_text` opens the text at its start, `messages` get those of the end."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    num_repeated, body = 0, open_text()
    body.read(layout.body_offset)
    try:
        with arrow_csv.open_csv(pa.PythonFile(body, "r"), *_arrow_options(layout, has_quotes)) as reader:
            for batch in reader:
                for offset in range(0, len(batch), _CHUNK_ROWS):
                    frame, num_rows = _finish(batch.slice(offset, _CHUNK_ROWS).to_pandas(), layout, path)
                    num_repeated += num_rows
                    yield frame
    except pa.ArrowInvalid as error:
        raise _parse_error(open_text(), layout, path, error) from error
    messages += _repeated_header_message(num_repeated)


def as_bytes(frame: pd.DataFrame, delimiter: str = ",", *, header: bool = True) -> bytes:
    """Format rows as delimited text below a header line; a missing cell is empty, a list is JSON text."""
    lists = [name for name in frame if frame[name].dtype == object and frame[name].map(type).eq(list).any()]
    frame = frame.assign(**{name: frame[name].map(_list_as_text) for name in lists})
    # Python before 3.13 quotes a lone carriage return only if lines end with one.
    text: str = frame.to_csv(index=False, sep=delimiter, header=header, lineterminator="\n")
    if "\r" in text:
        text = frame.to_csv(index=False, sep=delimiter, header=header, lineterminator="\r\n")
    return text.encode()


def _list_as_text(cell: Any) -> Any:
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else cell


def _parse(body: bytes, layout: CsvLayout, text: bytes, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Parse the rows; also return a message about quotes that do not enclose cells."""
    import pyarrow as pa

    if b'"' not in body:
        try:
            return _read_arrow(body, layout, has_quotes=False).to_pandas(), []
        except pa.ArrowInvalid as error:
            raise _parse_error(io.BytesIO(text), layout, path, error) from error
    table: pa.Table | None = None
    arrow_error: Exception | None = None
    try:
        table = _read_arrow(body, layout, has_quotes=True)
    except pa.ArrowInvalid as error:
        arrow_error = error
    if table is not None and not lone_quotes.may_merge_lines(body, layout.delimiter, layout.width, table.num_rows):
        return table.to_pandas(), []
    if table is not None or lone_quotes.are_broken(body, layout.delimiter):
        recovered = lone_quotes.recover_rows(body, layout.delimiter, layout.width)
        if recovered is not None:
            rows, message = recovered
            columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            names = [str(index) for index in range(layout.width)]
            return pa.table(columns, names=names).to_pandas(), [message]
    _raise_if_quote_is_open(text, layout.delimiter, path)
    if table is None:
        raise _parse_error(io.BytesIO(text), layout, path, arrow_error) from arrow_error
    return table.to_pandas(), []


def _read_arrow(body: bytes, layout: CsvLayout, *, has_quotes: bool) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    return arrow_csv.read_csv(pa.BufferReader(body), *_arrow_options(layout, has_quotes))


def _arrow_options(
    layout: CsvLayout, has_quotes: bool
) -> tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions, arrow_csv.ConvertOptions]:
    """Return Arrow's options: string cells, columns named by their index."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    column_names = [str(index) for index in range(layout.width)]
    return (
        arrow_csv.ReadOptions(column_names=column_names, block_size=_BLOCK_BYTES),
        arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=has_quotes),
        arrow_csv.ConvertOptions(column_types=dict.fromkeys(column_names, pa.string()), check_utf8=False),
    )


def _finish(frame: pd.DataFrame, layout: CsvLayout, path: Path) -> tuple[pd.DataFrame, int]:
    """Name the columns, and drop rows that repeat the header; also return their number."""
    if layout.has_trailing_delimiter:
        extra = frame.iloc[:, -1]
        if (extra.fillna("").str.strip() != "").any():
            raise UserError(
                f"Each line must have as many cells as the header. Received: {path}, {layout.width} cells in some "
                f"lines, {len(layout.header)} in the header"
            )
        frame = frame.iloc[:, :-1]
    frame = frame.set_axis(layout.header, axis=1)
    if len(layout.header) > 1 and layout.header[0]:
        is_repeated = (frame.iloc[:, 0] == layout.header[0]).to_numpy(dtype=bool, na_value=False, copy=True)
        if is_repeated.any():
            is_repeated[is_repeated] = (frame[is_repeated] == layout.header).all(axis=1).to_numpy(dtype=bool)
            return frame[~is_repeated].reset_index(drop=True), int(is_repeated.sum())
    return frame, 0


def _raise_if_quote_is_open(text: bytes, delimiter: str, path: Path) -> None:
    """Raise UserError if a quote is not closed.

    A line is appended to the text: if it is not parsed as a row of its own, it is inside an open quote.
    """
    last_line = "\x1e"
    complete = text if text.endswith((b"\n", b"\r")) else text + b"\n"
    (line_number, row) = deque(numbered_rows(io.BytesIO(complete + last_line.encode()), delimiter), maxlen=1).pop()
    if row != [last_line]:
        raise UserError(f"A quote must be closed. Received: {path}, the quote opened in line {line_number} is not")


def _parse_error(text: BinaryIO, layout: CsvLayout, path: Path, error: Exception | None) -> UserError:
    received = _describe_ragged_row(text, layout) or (first_line(error) if error else "")
    return UserError(
        f"Each line must have as many cells as the header; fix the line, or quote cells that contain the delimiter "
        f"{layout.delimiter!r}. Received: {path}, {received}"
    )


def _describe_ragged_row(text: BinaryIO, layout: CsvLayout) -> str:
    """Describe the first row whose length differs from the header.

    The text is parsed again, slowly, because Arrow does not report the line.
    """
    for line_number, row in numbered_rows(text, layout.delimiter):
        if line_number > layout.header_line and len(row) != layout.width:
            hint = " (is a quote in it not closed?)" if any("\n" in cell for cell in row) else ""
            return f"{len(row)} cells in line {line_number}{hint}, {len(layout.header)} in the header"
    return ""


def _repeated_header_message(num_rows: int) -> list[str]:
    """Describe rows that repeat the header."""
    return [f"{num_rows:,} rows skipped: they repeat the header"] if num_rows else []
