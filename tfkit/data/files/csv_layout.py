"""Layout of delimited text: comment lines, delimiter, header, lines that are not rows."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tfkit.data.files.normalize import DEFAULT_NA_VALUES
from tfkit.errors import UserError

ONE_COLUMN = "\x1f"  # delimiter for a table with one column: it does not occur in text, so no cell is split

WHITESPACE = " "  # delimiter of a table whose cells are separated by any number of blanks

_DELIMITERS = ",;\t|"

_SAMPLE_ROWS = 51  # the header and 50 rows

_MAX_CELL_BYTES = 2**31 - 1  # the default of `csv`, 128 KB, is too small for a cell of text

_COMMENT = re.compile(rb"\s*[#%]")

_LINE_END = re.compile(rb"\r\n|\r|\n")

_NUMBER = re.compile(r"[+-]?(\d[\d,.'\u00a0 ]*|[.,]\d+)([eE][+-]?\d+)?%?$")

_MAX_TITLES = 10  # lines above a header

_MIN_UNIT_COLUMNS = 2  # columns of numbers that a line of names or units has no number in

_MIN_ROWS = 3  # of the sample, to recognize a line that is no row, or a column that counts the rows


@dataclass(frozen=True)
class CsvLayout:
    """How the rows of delimited text are read."""

    delimiter: str
    header: list[str]
    body_offset: int  # bytes before the first row
    header_line: int  # number of the line of the header
    has_trailing_delimiter: bool = False  # each row ends with a delimiter, which the header does not
    messages: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The number of cells of each row of the text."""
        return len(self.header) + self.has_trailing_delimiter


def infer_layout(text: bytes, path: Path, *, kind: str, delimiter: str | None = None) -> CsvLayout:
    """Infer the layout from the start of the text, UTF-8.

    Raises:
        UserError: If the text is not a table; the message names the line.
    """
    offset, num_comments, header_comment = _skip_comments(text, kind, delimiter)
    messages = [f"{num_comments:,} comment lines above the table skipped"] if num_comments else []
    start = text[offset:] if offset else text
    title_offset, num_titles, title = (0, 0, "") if header_comment else _skip_titles(start, delimiter)
    if num_titles:
        offset, start = offset + title_offset, start[title_offset:]
        messages.append(f"{num_titles:,} line{'s' if num_titles > 1 else ''} above the header skipped ({title[:60]})")
    if not _first_line(start).strip():
        raise UserError(
            f"The first line must contain the column names. Received: {path}, line {num_comments + 1} is blank"
        )
    delimiter = _detect_delimiter(start, kind, path) if delimiter is None else parse_delimiter(delimiter)
    if header_comment:
        messages = [f"the last of {num_comments:,} comment lines is the header"]
        start = header_comment + b"\n" + start
    rows = list(itertools.islice(numbered_rows(io.BytesIO(collapse_blanks(start, delimiter)), delimiter), _SAMPLE_ROWS))
    first_line = num_comments + num_titles - bool(header_comment) + 1
    (_, header), body = rows[0], rows[1:]
    if delimiter == WHITESPACE:
        messages.append("cells are separated by blanks")
    header, has_trailing_delimiter, width_messages = _match_widths(header, [row for _, row in body])
    if not has_trailing_delimiter and body and _is_second_header([row for _, row in body]):
        units = ", ".join(body[0][1])
        messages.append(f"line {first_line - 1 + body[0][0]} skipped: names or units, not values ({units[:60]})")
        body = body[1:]
    if not body:
        raise UserError(f"A table needs rows below its header. Received: {path}, {len(header)} names and no rows")
    skipped_lines = body[0][0] - 1 - bool(header_comment)
    return CsvLayout(
        delimiter,
        header,
        offset + _line_offset(text[offset:] if offset else text, skipped_lines),
        first_line,
        has_trailing_delimiter,
        messages + width_messages,
    )


def collapse_blanks(text: bytes, delimiter: str) -> bytes:
    """Replace each run of blanks by one, if blanks are the delimiter."""
    if delimiter != WHITESPACE:
        return text
    return re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", text))


def numbered_rows(text: BinaryIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that Python's `csv` reads, with the number of their first line."""
    reader = csv.reader(io.TextIOWrapper(text, "utf-8", newline=""), delimiter=delimiter)
    line_number = 1
    with large_cells():
        for row in reader:
            if row:
                yield line_number, row
            line_number = reader.line_num + 1


@contextmanager
def large_cells() -> Iterator[None]:
    """Let Python's `csv` read cells of any size."""
    default_limit = csv.field_size_limit(_MAX_CELL_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(default_limit)


def parse_delimiter(setting: str) -> str:
    """Return the character of a `delimiter` setting."""
    delimiter = {"tab": "\t", "\\t": "\t", "blanks": WHITESPACE}.get(setting, setting)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise UserError(f"`delimiter` must be one ASCII character, or the word tab. Received: {setting!r}")
    return delimiter


def is_number(cell: str) -> bool:
    """Return whether a cell looks like a number."""
    return bool(_NUMBER.match(cell.strip()))


def _skip_comments(text: bytes, kind: str, delimiter: str | None) -> tuple[int, int, bytes]:
    """Return the bytes and the number of the comment lines above a table, and the comment that is its header."""
    offset, count, comment = comment_lines(text)
    if not count or not text[offset:].strip():
        return 0, 0, b""
    names = comment.strip().lstrip(b"#%")
    first = _first_line(text[offset:])
    settings = [parse_delimiter(delimiter)] if delimiter else ["\t", ",", ";", "|", WHITESPACE]
    for separator in settings:
        cells, first_cells = _cells(names, separator), _cells(first, separator)
        if len(cells) == len(first_cells) > 1 and not any(map(is_number, cells)):
            is_header = any(map(is_number, first_cells)) or not names[:1].isspace()
            return offset, count, names.strip() if is_header else b""
    return offset, count, b""


def _skip_titles(text: bytes, delimiter: str | None) -> tuple[int, int, str]:
    """Return the bytes and the number of the lines above a header that have one cell, such as a title, and the first.

    The lines below the header must have its number of cells, and at least one column of numbers.
    """
    settings = [parse_delimiter(delimiter)] if delimiter else list(_DELIMITERS)
    for separator in (setting for setting in settings if setting != WHITESPACE):
        rows = list(itertools.islice(numbered_rows(io.BytesIO(text), separator), _SAMPLE_ROWS))
        count = next((i for i, (_, row) in enumerate(rows) if sum(bool(cell.strip()) for cell in row) > 1), 0)
        titles, table = rows[:count], [row for _, row in rows[count:]]
        width = len(table[0])
        if not 0 < count <= _MAX_TITLES or len(table) < _MIN_ROWS or width < 2:
            continue
        is_title = all(len(row) == 1 or (len(row) == width > 2 and row[0].strip()) for _, row in titles)
        if is_title and all(len(row) == width for row in table) and _has_header(table):
            lines = rows[count][0] - 1
            return _line_offset(text, lines), lines, titles[0][1][0].strip()
    return 0, 0, ""


def _has_header(table: Sequence[list[str]]) -> bool:
    """Return whether the first row has names, and a column below it has numbers."""
    header, *body = table
    columns = [[cell for cell in column if cell.strip()] for column in zip(*body, strict=True)]
    has_numbers = any(column and all(map(is_number, column)) for column in columns)
    return has_numbers and all(header) and not any(map(is_number, header)) and len({*header}) == len(header)


def comment_lines(text: bytes) -> tuple[int, int, bytes]:
    """Return the bytes and the number of the lines at the start that begin with # or %, and the last of them."""
    offset, count, comment = 0, 0, b""
    while _COMMENT.match(text, offset) and (end := _LINE_END.search(text, offset)):
        comment = text[offset : end.start()]
        offset, count = end.end(), count + 1
    return offset, count, comment


def _cells(line: bytes, delimiter: str) -> list[str]:
    text = line.decode("utf-8", "replace")
    if delimiter == WHITESPACE:
        text = " ".join(text.split())
    return next(csv.reader([text], delimiter=delimiter), [])


def _detect_delimiter(text: bytes, kind: str, path: Path) -> str:
    """Detect the delimiter: with it, most rows have as many cells as the header.

    The header must have more than one cell.
    """
    samples = {delimiter: _sample_rows(text, delimiter) for delimiter in _DELIMITERS}
    candidates = {delimiter: sample for delimiter, sample in samples.items() if len(sample[0]) > 1}
    if _is_separated_by_blanks(text, candidates.values()):
        return WHITESPACE
    if not candidates:
        _raise_if_title_above_header(samples.values(), path)
        return ONE_COLUMN
    if kind == "tsv" and "\t" in candidates:
        return "\t"

    def score(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in candidates[delimiter]]
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(candidates, key=score)


def _is_separated_by_blanks(text: bytes, candidates: Iterable[list[list[str]]]) -> bool:
    """Return whether blanks separate cells: with them alone, all rows have as many cells as the header, and numbers."""
    if any(len({len(row) for row in sample}) == 1 for sample in candidates):
        return False
    lines = _LINE_END.split(text[: _line_offset(text, _SAMPLE_ROWS)])
    lines = [line for line in lines if line.strip()]
    sample = [_cells(line, WHITESPACE) for line in lines]
    if len({len(row) for row in sample}) != 1 or len(sample) < 2 or len(sample[0]) < 2:
        return False
    columns = list(zip(*sample[1:], strict=True))
    return any(all(is_number(cell) or cell in DEFAULT_NA_VALUES for cell in column) for column in columns)


def _sample_rows(text: bytes, delimiter: str) -> list[list[str]]:
    return [row for _, row in itertools.islice(numbered_rows(io.BytesIO(text), delimiter), _SAMPLE_ROWS)]


def _raise_if_title_above_header(samples: Iterable[list[list[str]]], path: Path) -> None:
    for sample in samples:
        widths = {len(row) for row in sample[1:]}
        if len(sample) > 2 and len(widths) == 1 and min(widths) > 1:
            raise UserError(
                f"The first line must contain the column names; remove the lines above the header, or give "
                f"`delimiter`. Received: {path}, 1 cell in line 1, {min(widths)} in those below"
            )


def _match_widths(header: list[str], body: Sequence[list[str]]) -> tuple[list[str], bool, list[str]]:
    """Return the header for rows that have one cell more or less, and whether the last cell of each row is no cell."""
    widths = {len(row) for row in body}
    if len(body) and len(header) > 1:
        if widths == {len(header) + 1} and not any(row[-1].strip() for row in body):
            return header, True, ["each row ends with a delimiter, which is ignored"]
        if widths == {len(header) - 1} and not header[-1].strip():
            return header[:-1], False, ["the header ends with a delimiter, which is ignored"]
        if widths == {len(header) + 1} and len(body) >= _MIN_ROWS and _counts_rows([row[0] for row in body]):
            return ["", *header], False, ["the first column has no name in the header: numbers of rows, as R writes"]
    return header, False, []


def _counts_rows(cells: Sequence[str]) -> bool:
    return any(list(cells) == [str(number) for number in range(start, start + len(cells))] for start in (0, 1))


def _is_second_header(body: Sequence[list[str]]) -> bool:
    """Return whether the first row has names or units: text in all columns that have numbers in the other rows."""
    first, other_rows = body[0], body[1:]
    if len(other_rows) < _MIN_ROWS or any(len(row) != len(first) for row in other_rows):
        return False
    is_text = []
    for cell, column in zip(first, zip(*other_rows, strict=True), strict=True):
        present = [value for value in column if value.strip() not in DEFAULT_NA_VALUES]
        if present and all(map(is_number, present)):
            if is_number(cell):
                return False
            is_text.append(bool(cell.strip()) and cell.strip() not in DEFAULT_NA_VALUES)
    return sum(is_text) >= _MIN_UNIT_COLUMNS and 2 * sum(is_text) > len(is_text)


def _first_line(text: bytes) -> bytes:
    end = _LINE_END.search(text)
    return text if end is None else text[: end.start()]


def _line_offset(text: bytes, count: int) -> int:
    """Return the number of bytes of the first lines."""
    offset = 0
    for _ in range(count):
        end = _LINE_END.search(text, offset)
        if end is None:
            return len(text)
        offset = end.end()
    return offset
