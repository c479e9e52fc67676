"""Quotes in delimited text that do not enclose a cell: the lines that they merge are rows."""

import csv
import io
import re
from typing import BinaryIO

import numpy as np

from tfkit.data.files.csv_layout import large_cells

MIN_MERGED_LINES = 3  # by quotes that are closed, from which on lines that could all be rows are rows

_NOT_MARKS = bytes(set(range(256)) - set(b'"\n'))

_QUOTED_CELL = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')

_BLOCK_BYTES = 1 << 24  # of a stream, checked at once

MAX_CORRECTIONS = 1000  # of lone quotes that open a cell after all

MAX_CELL_LINES = 200  # of a cell in quotes, in text that has lone quotes, too


def may_merge_lines(text: bytes, delimiter: str, width: int, num_rows: int) -> bool:
    """Return whether quotes merge lines of the text that are rows.

    Args:
        text: The rows, without the header.
        delimiter: The delimiter.
        width: The number of cells of a row.
        num_rows: The number of rows, if quotes enclose cells.
    """
    if num_rows >= text.count(b"\n") + (not text.endswith(b"\n")):
        return False
    is_broken = are_broken(text, delimiter)
    lines = (line for line in io.BytesIO(text) if not line.isspace())
    if not is_broken and not all(line.count(delimiter.encode()) == width - 1 for line in lines):
        return False
    num_merged = sum(not line.isspace() for line in io.BytesIO(text)) - num_rows
    min_merged = 1 if is_broken or delimiter == "\t" else MIN_MERGED_LINES
    return num_merged >= min_merged and (is_broken or width > 1)


def are_broken(text: bytes, delimiter: str) -> bool:
    """Return whether a quote that opens a cell is not closed, or is closed inside of the cell."""
    return not _all_enclose_cells(text, delimiter) and _any_is_broken(text, delimiter)


def _all_enclose_cells(text: bytes, delimiter: str) -> bool:
    """Return whether the quotes are pairs around cells; false if this needs a closer look at each quote.

    Two quotes in a quoted cell, which are one character, close a pair and open another.
    """
    characters = np.frombuffer(text, "uint8")
    quotes = np.flatnonzero(characters == ord('"'))
    if len(quotes) % 2:
        return False
    opening, closing = quotes[0::2], quotes[1::2]
    ends = np.isin(np.arange(256), list(b"\r\n" + delimiter.encode()))
    before: np.ndarray = opening - 1
    after: np.ndarray = closing + 1
    starts_cell = (before < 0) | ends[characters[np.maximum(before, 0)]]
    ends_cell = (after >= len(text)) | ends[characters[np.minimum(after, len(text) - 1)]]
    is_escaped = opening[1:] == after[:-1]  # a quote right after a quote
    starts_cell[1:] |= is_escaped
    ends_cell[:-1] |= is_escaped
    return bool(starts_cell.all() and ends_cell.all())


def odd_at_line_end(text: bytes, is_odd: bool) -> bool:
    """Return whether a line of the text ends in a quoted cell.

    Args:
        text: Text of any length.
        is_odd: Whether an odd number of quotes is before the text.
    """
    marks = text.translate(None, _NOT_MARKS)  # quotes and line ends
    lines = marks[: marks.rfind(b"\n") + 1]
    return bool(lines) and b'"' in ((b'"' if is_odd else b"") + lines).replace(b'""', b"")


def _any_is_broken(text: bytes, delimiter: str) -> bool:
    """Look at each quote in turn: return whether one that opens a cell is not closed at its end."""
    ends = b"\r\n" + delimiter.encode()
    start = text.find(b'"')
    while start >= 0:
        end = start + 1
        if not start or text[start - 1] in ends:
            cell = _QUOTED_CELL.match(text, start)
            if cell is None or (cell.end() < len(text) and text[cell.end()] not in ends):
                return True
            end = cell.end()
        start = text.find(b'"', end)
    return False


def has_errors(text: BinaryIO, delimiter: str) -> bool:
    """Return whether a stream has quotes as in `are_broken`.

    Also true for some streams with quotes inside of cells and cells of several lines, which need a closer look.
    """
    rows = b""
    while block := text.read(_BLOCK_BYTES):
        rows += block
        end = _end_of_rows(rows)
        if are_broken(rows[:end], delimiter):
            return True
        rows = rows[end:]
    return are_broken(rows, delimiter)


def _end_of_rows(text: bytes) -> int:
    """Return the position after the last line that does not end in a quoted cell; 0 if there is none."""
    characters = np.frombuffer(text, "uint8")
    quotes, line_ends = (np.flatnonzero(characters == ord(character)) for character in '"\n')
    is_even = np.searchsorted(quotes, line_ends) % 2 == 0
    return int(line_ends[is_even][-1]) + 1 if is_even.any() else 0


def recover_rows(text: bytes, delimiter: str, width: int) -> tuple[list[list[str]], str] | None:
    """Read each line with the right number of cells as a row, whatever its quotes.

    Quotes that are closed in their line enclose cells. A quote that is not closed is a character, if the line has the
    right number of cells; else the cell continues in the next lines.

    Returns:
        The rows and a message; None if lines are left that are not rows.
    """
    with large_cells():
        return _recover_rows(list(io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="")), delimiter, width)


def _recover_rows(lines: list[str], delimiter: str, width: int) -> tuple[list[list[str]], str] | None:
    rows: list[list[str]] = []
    lone: list[tuple[int, int]] = []  # line and row of each lone quote
    number, num_corrections = 0, 0
    while number < len(lines):
        line = lines[number].rstrip("\r\n")
        if not line:
            number += 1
            continue
        cells = line.split(delimiter) if '"' not in line else _parse(line, delimiter)
        if cells is None or len(cells) != width:
            cells = line.split(delimiter)
            if len(cells) == width:
                lone.append((number, len(rows)))
            elif continued := _parse_continued(lines[number : number + MAX_CELL_LINES], delimiter, width):
                cells, num_lines = continued
                number += num_lines - 1
            elif (
                lone
                and num_corrections < MAX_CORRECTIONS
                and (continued := _parse_continued(lines[lone[-1][0] : lone[-1][0] + MAX_CELL_LINES], delimiter, width))
            ):
                num_corrections += 1
                number, num_rows = lone.pop()  # the quote opened a cell that ends below this line
                cells, num_lines = continued
                rows, number = rows[:num_rows], number + num_lines - 1
            else:
                return None
        rows.append(cells)
        number += 1
    if not lone:
        return None
    plural = "quotes are" if len(lone) > 1 else "quote is"
    return rows, f"{len(lone):,} lone {plural} read as a character, first in row {lone[0][1] + 1:,}"


def _parse(line: str, delimiter: str) -> list[str] | None:
    """Parse a line; None if a quote is not closed in it."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), None)
    except csv.Error:
        pass
    cells = next(csv.reader([line], delimiter=delimiter), None)
    is_open = cells is not None and '"' in line and line.count('"') % 2 == 1
    return None if is_open else cells


def _parse_continued(lines: list[str], delimiter: str, width: int) -> tuple[list[str], int] | None:
    """Parse a row whose last cell of the first line continues; return its cells and its number of lines."""
    for count in range(2, len(lines) + 1):
        if lines[count - 1].count('"') % 2:
            rows = list(csv.reader(lines[:count], delimiter=delimiter))
            if len(rows) == 1 and len(rows[0]) == width:
                return rows[0], count
    return None
