"""Read and write delimited text: CSV, TSV and other delimiters."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tfkit.data.files.comments import count_comment_bytes
from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow import csv as arrow_csv

_DELIMITERS = ",;\t|"

_ONE_COLUMN = "\x1f"  # delimiter for a table with one column: it does not occur in text, so no cell is split

_CHUNK_ROWS = 65_536

_SAMPLE_ROWS = 51  # the header and 50 rows

_SAMPLE_BYTES = 4096

_BLOCK_BYTES = 1 << 24  # bytes parsed at a time, 1, 4 and 16 MB were measured equally fast; a row has to fit in

_FIELD_BYTES = 2**31 - 1  # the default of `csv`, 128 KB, is too small for a cell of text


def read(text: bytes, path: Path, *, kind: str, delimiter: str | None = None) -> tuple[pd.DataFrame, str | None]:
    """Parse delimited text into string columns.

    Args:
        text: The text, UTF-8.
        path: The path for messages.
        kind: "csv" or "tsv", the preferred delimiter if several are possible.
        delimiter: The delimiter; None to detect it.

    Returns:
        The rows, with the column names of the first line, and the delimiter, None if there is one column.

    Raises:
        UserError: If the text is not a table; the message names the line.
    """
    text = text[count_comment_bytes(text) :]
    if not re.split(rb"[\r\n]", text[:_SAMPLE_BYTES], maxsplit=1)[0].strip():
        raise UserError(f"The first line must contain the column names. Received: {path}, line 1 is blank")
    delimiter = _detect_delimiter(text, kind, path) if delimiter is None else _parse_delimiter(delimiter)
    sample = _sample_rows(text, delimiter)
    header = sample[0]
    if len(sample) == 1:
        raise UserError(f"A table needs rows below its header. Received: {path}, {len(header)} names and no rows")
    if text.count(b'"') % 2:  # the parser would read a quote that is not closed as a very long cell
        _raise_if_quote_is_open(text, delimiter, path)
    frame = _parse(text, delimiter, len(header), path)
    frame.columns = header
    return frame, None if delimiter == _ONE_COLUMN else delimiter


def read_chunks(
    open_text: Callable[[], BinaryIO], path: Path, *, kind: str, delimiter: str | None, has_quotes: bool
) -> Iterator[pd.DataFrame]:
    """Parse the same rows chunk by chunk; `open_text` opens the text at its start."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    start = open_text().read(_BLOCK_BYTES)
    num_comment_bytes = count_comment_bytes(start)
    start = start[num_comment_bytes:]
    delimiter = _detect_delimiter(start, kind, path) if delimiter is None else _parse_delimiter(delimiter)
    header = _sample_rows(start, delimiter)[0]
    options = _arrow_options(delimiter, len(header), has_quotes)
    try:
        text = open_text()
        text.read(num_comment_bytes)
        with arrow_csv.open_csv(pa.PythonFile(text, "r"), *options) as reader:
            for batch in reader:
                for offset in range(0, len(batch), _CHUNK_ROWS):
                    yield batch.slice(offset, _CHUNK_ROWS).to_pandas().set_axis(header, axis=1)
    except pa.ArrowInvalid as error:
        raise _parse_error(open_text(), delimiter, len(header), path, error) from error


def as_bytes(frame: pd.DataFrame, delimiter: str = ",", *, header: bool = True) -> bytes:
    """Format rows as delimited text below a header line; a missing cell is empty."""
    # Python before 3.13 quotes a lone carriage return only if lines end with one.
    text: str = frame.to_csv(index=False, sep=delimiter, header=header, lineterminator="\n")
    if "\r" in text:
        text = frame.to_csv(index=False, sep=delimiter, header=header, lineterminator="\r\n")
    return text.encode()


def _detect_delimiter(text: bytes, kind: str, path: Path) -> str:
    """Detect the delimiter: with it, most rows have as many cells as the header.

    The header must have more than one cell.
    """
    samples = {delimiter: _sample_rows(text, delimiter) for delimiter in _DELIMITERS}
    candidates = {delimiter: sample for delimiter, sample in samples.items() if len(sample[0]) > 1}
    if not candidates:
        _raise_if_title_above_header(samples.values(), path)
        return _ONE_COLUMN
    if kind == "tsv" and "\t" in candidates:
        return "\t"

    def score(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in candidates[delimiter]]
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(candidates, key=score)


def _raise_if_title_above_header(samples: Iterable[list[list[str]]], path: Path) -> None:
    for sample in samples:
        widths = {len(row) for row in sample[1:]}
        if len(sample) > 2 and len(widths) == 1 and min(widths) > 1:
            raise UserError(
                f"The first line must contain the column names; remove the lines above the header, or give "
                f"`delimiter`. Received: {path}, 1 cell in line 1, {min(widths)} in those below"
            )


def _parse_delimiter(setting: str) -> str:
    """Return the character of a `delimiter` setting."""
    delimiter = {"tab": "\t", "\\t": "\t"}.get(setting, setting)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise UserError(f"`delimiter` must be one ASCII character, or the word tab. Received: {setting!r}")
    return delimiter


def _numbered_rows(text: BinaryIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that Python's `csv` reads, with the number of their first line."""
    reader = csv.reader(io.TextIOWrapper(text, "utf-8", newline=""), delimiter=delimiter)
    default_limit, line_number = csv.field_size_limit(_FIELD_BYTES), 1
    try:
        for row in reader:
            if row:
                yield line_number, row
            line_number = reader.line_num + 1
    finally:
        csv.field_size_limit(default_limit)


def _sample_rows(text: bytes, delimiter: str) -> list[list[str]]:
    return [row for _, row in itertools.islice(_numbered_rows(io.BytesIO(text), delimiter), _SAMPLE_ROWS)]


def _raise_if_quote_is_open(text: bytes, delimiter: str, path: Path) -> None:
    """Raise UserError if a quote is not closed.

    A line is appended to the text: if it is not parsed as a row of its own, it is inside an open quote.
    """
    last_line = "\x1e"
    complete = text if text.endswith((b"\n", b"\r")) else text + b"\n"
    (line_number, row) = deque(_numbered_rows(io.BytesIO(complete + last_line.encode()), delimiter), maxlen=1).pop()
    if row != [last_line]:
        raise UserError(f"A quote must be closed. Received: {path}, the quote opened in line {line_number} is not")


def _parse(text: bytes, delimiter: str, width: int, path: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        table = arrow_csv.read_csv(pa.BufferReader(text), *_arrow_options(delimiter, width, b'"' in text))
    except pa.ArrowInvalid as error:
        raise _parse_error(io.BytesIO(text), delimiter, width, path, error) from error
    return table.to_pandas()


def _arrow_options(
    delimiter: str, width: int, has_quotes: bool
) -> tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions, arrow_csv.ConvertOptions]:
    """Return Arrow's options: string cells, columns named by their index."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    column_names = [str(index) for index in range(width)]
    return (
        arrow_csv.ReadOptions(column_names=column_names, skip_rows_after_names=1, block_size=_BLOCK_BYTES),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=has_quotes),
        arrow_csv.ConvertOptions(column_types=dict.fromkeys(column_names, pa.string()), check_utf8=False),
    )


def _parse_error(text: BinaryIO, delimiter: str, width: int, path: Path, error: Exception) -> UserError:
    return UserError(
        f"Each line must have as many cells as the header; fix the line, or quote cells that contain the delimiter "
        f"{delimiter!r}. Received: {path}, {_describe_ragged_row(text, delimiter, width) or first_line(error)}"
    )


def _describe_ragged_row(text: BinaryIO, delimiter: str, width: int) -> str:
    """Describe the first row whose length differs from the header.

    The text is parsed again, slowly, because Arrow does not report the line.
    """
    for line_number, row in _numbered_rows(text, delimiter):
        if len(row) != width:
            hint = " (is a quote in it not closed?)" if any("\n" in cell for cell in row) else ""
            return f"{len(row)} cells in line {line_number}{hint}, {width} in the header"
    return ""
