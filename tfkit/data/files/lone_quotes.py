"""Quotes in delimited text that do not enclose a cell: the lines that they merge are rows."""

import csv
import io
import re
from typing import BinaryIO

from tfkit.data.files.csv_layout import large_cells

MIN_MERGED_LINES = 3  # by quotes that are closed, from which on lines that could all be rows are rows

_QUOTED_CELL = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')

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
    lines = [line for line in text.splitlines() if line.strip()]
    if num_rows >= len(lines):
        return False
    if are_broken(text, delimiter):
        return True
    num_delimiters, separator = width - 1, delimiter.encode()
    is_merged = delimiter == "\t" or len(lines) - num_rows >= MIN_MERGED_LINES
    return width > 1 and is_merged and all(line.count(separator) == num_delimiters for line in lines)


def are_broken(text: bytes, delimiter: str) -> bool:
    """Return whether a quote that opens a cell is not closed, or is closed inside of the cell."""
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
    """Return whether a stream has quotes as in `are_broken`."""
    reader = csv.reader(io.TextIOWrapper(text, "utf-8", newline=""), delimiter=delimiter, strict=True)
    try:
        with large_cells():
            for _ in reader:
                pass
    except csv.Error:
        return True
    return False


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
