"""Writing of tables to CSV, JSON lines and Parquet."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.atomic_files import atomic_file
from tfkit.data.columns.names import unique_column_names
from tfkit.data.columns.numbers import has_decimal_comma
from tfkit.data.files import compression as files_compression
from tfkit.data.files import csv
from tfkit.data.files.formats import json_file, json_lines, parquet
from tfkit.data.files.formats.suffixes import WRITABLE_SUFFIXES, file_format
from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd


UTF_8 = {"utf-8", "utf8", "ascii"}

BOM_FREE = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # of the chunks after the first


def text_format(frame: pd.DataFrame) -> dict[str, str | None]:
    """Delimiter, encoding and decimal separator of the text file that a table was read from, for `write_frame`.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"a": [1]})
        >>> frame.attrs["file"] = {"path": "a.csv", "kind": "csv", "delimiter": ";", "encoding": "cp1252"}
        >>> text_format(frame)
        {'delimiter': ';', 'encoding': 'cp1252', 'decimal': '.'}
    """
    info = frame.attrs.get("file", {})
    has_comma = info.get("delimiter") not in (None, ",") and has_decimal_comma(frame)
    return {**{name: info.get(name) for name in ("delimiter", "encoding")}, "decimal": "," if has_comma else "."}


def write_frame(
    frame: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
) -> None:
    """Write a table atomically, in the format of the suffix.

    The rows go to a temporary file in the same folder, which replaces `path` when it is complete on disk: no reader
    sees half a table, and a full disk leaves the old file unchanged. The index is not written; missing cells are empty
    in text and null in JSON. The same rows give the same bytes.

    Args:
        frame: the rows.
        path: `.csv`, `.tsv`, `.txt`, `.json`, `.jsonl`, `.ndjson` or `.parquet`, then `.gz .bz2 .xz .zst .zip` to
            compress it.

        delimiter, encoding: of `.csv` and `.txt`; None for a comma and UTF-8.
        decimal: the decimal separator of numbers in `.csv` and `.txt`; None for a point.

    Raises:
        UserError: an unknown suffix, duplicate column names, a path that is not writable, a full disk.

    Example:
        >>> import tempfile
        >>> from tfkit.data.files.read import read_frame
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_frame(read_frame({"age": [39, 50]}), folder + "/ages.csv.gz")
        ...     read_frame(folder + "/ages.csv.gz")["age"].tolist()
        ['39', '50']
    """
    with open_table_writer(path, delimiter=delimiter, encoding=encoding, decimal=decimal) as write:
        write(frame)


@contextlib.contextmanager
def open_table_writer(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Open an atomic table writer, as in `write_frame`, for any number of frames."""
    path = Path(path).expanduser()
    kind, suffix = file_format(path.name)
    if kind not in _WRITERS:
        raise UserError(f"The suffix of a file to write must be one of {' '.join(WRITABLE_SUFFIXES)}. Received: {path}")
    is_text = kind == "csv" and (delimiter or encoding)
    try:
        with (
            atomic_file(path, "wb") as file,
            files_compression.open_compressor(file, suffix, path.with_suffix("").name) as out,
            _write_delimited(out, delimiter or ",", encoding or "utf-8", decimal or ".")
            if is_text
            else _WRITERS[kind](out) as write,
        ):
            yield lambda frame: write(_with_clean_names(frame, path))
    except OSError as error:
        raise UserError(
            f"The output folder must exist, be writable and have free space. "
            f"Received: {path}, {error.strerror or error}"
        ) from error


def _with_clean_names(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    frame = frame.copy(deep=False)
    frame.attrs = {}  # Parquet stores them, and with them the path of the source
    frame.columns = unique_column_names(frame.columns, str(path))
    return frame


@contextlib.contextmanager
def _write_delimited(
    out: Any, delimiter: str = ",", encoding: str = "utf-8", decimal: str = "."
) -> Iterator[Callable[[pd.DataFrame], Any]]:
    is_first = True

    def write(frame: pd.DataFrame) -> None:
        nonlocal is_first
        text = csv.as_bytes(frame if decimal == "." else _with_decimal(frame, decimal), delimiter, header=is_first)
        out.write(text if encoding.lower() in UTF_8 else _encode(text, encoding, is_first))
        is_first = False

    yield write


def _encode(text: bytes, encoding: str, is_first: bool) -> bytes:
    """Encode UTF-8 text; a byte-order mark is written once.

    Raises:
        UserError: If the encoding does not have a character.
    """
    name = encoding if is_first else BOM_FREE.get(encoding.lower(), encoding)
    try:
        return text.decode().encode(name)
    except (UnicodeEncodeError, LookupError) as error:
        raise UserError(
            f"Predictions are written in the encoding of the file, {encoding}, which does not have all of their "
            f"characters; write them to another format, such as --out predictions.jsonl. Received: {first_line(error)}"
        ) from error


@contextlib.contextmanager
def _write_json_lines(out: Any) -> Iterator[Callable[[pd.DataFrame], Any]]:
    yield lambda frame: out.write(json_lines.as_bytes(frame))


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "csv": _write_delimited,
    "tsv": lambda out: _write_delimited(out, "\t"),
    "jsonl": _write_json_lines,
    "json": json_file.open_writer,
    "parquet": parquet.open_writer,
}


def _with_decimal(frame: pd.DataFrame, decimal: str) -> pd.DataFrame:
    """Write numbers with another decimal separator, as text."""
    floats = {name: column for name, column in frame.items() if column.dtype.kind == "f"}
    texts = {name: column.astype("str").str.replace(".", decimal, regex=False) for name, column in floats.items()}
    return frame.assign(**{str(name): text.where(floats[name].notna(), None) for name, text in texts.items()})
