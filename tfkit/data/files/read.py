"""Read and write table files: CSV, TSV, JSON lines and Parquet, compressed or not."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.data.files import compression as files_compression
from tfkit.data.files import csv, in_memory, json_file, json_lines, text_encoding
from tfkit.data.files.normalize import DEFAULT_NA_VALUES, mark_missing, normalize_frame
from tfkit.errors import UserError, did_you_mean, first_line

if TYPE_CHECKING:
    import pandas as pd

_FORMAT_BY_SUFFIX = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".json": "json",
}

_NON_TABLE_FORMATS = {  # first bytes of text that is not a table
    b"%pdf": "a PDF document",
    b"<html": "a web page (HTML)",
    b"<!doctype html": "a web page (HTML)",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
}


def read_frame(
    source: Any,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    na_values: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read a table from a file, a folder, a DataFrame or a dictionary.

    A table reads the same from any file format: white space around strings and column names is removed, and a cell is
    NaN if it is empty or a missing marker. In text (`.csv`, `.tsv`, `.txt`) every cell is a string; JSON lines
    (`.jsonl`, `.ndjson`), JSON, Parquet and DataFrames keep numbers, booleans and dates. Files may be compressed
    (`.gz .bz2 .xz .zst`, or a `.zip` with one file in it). A column without a name becomes `column_N`. A named index
    becomes a column, any other index is dropped.

    Args:
        source: path of a file, or of a folder to concatenate; a DataFrame (not changed), or another table in memory,
            see `tfkit.data.files.in_memory.to_frame`.
        delimiter: one ASCII character, or `"tab"`; None to detect it among `, ; tab |`. Only for delimited text.
        encoding: of text, one that Python supports; None for the byte-order mark, UTF-8, else cp1252 (Latin-1).
        na_values: markers of missing cells, instead of `DEFAULT_NA_VALUES`; an empty cell is always missing. A marker
            such as -99 matches the number and the string.

    Returns:
        A DataFrame with rows 0, 1, ... and unique column names. For a file, `frame.attrs["file"]` has the detected
        `path`, `kind` (csv, tsv, jsonl, json, parquet, folder), `delimiter` and `encoding`.

    Raises:
        UserError: the source is not a table; the message names the line, if there is one.

    Example:
        >>> frame = read_frame({"age": ["39", "?"], " income ": [50_000, 60_000]}, na_values=["?"])
        >>> list(frame), frame["age"].isna().tolist()
        (['age', 'income'], [False, True])
    """
    return read_with_missing_counts(source, delimiter=delimiter, encoding=encoding, na_values=na_values)[0]


def read_with_missing_counts(
    source: Any, *, delimiter: str | None = None, encoding: str | None = None, na_values: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """Read a table and count its missing markers: column -> marker -> count."""
    file_info: dict[str, Any] = {}
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        frame, file_info = (_read_folder if os.path.isdir(path) else _read_file)(path, delimiter, encoding)
    else:
        frame = in_memory.to_frame(source)
    frame = normalize_frame(frame, file_info.get("path", "a frame"))
    markers = (
        DEFAULT_NA_VALUES if na_values is None else ["", *([na_values] if isinstance(na_values, str) else na_values)]
    )
    frame, missing_counts = mark_missing(frame, markers)
    frame.attrs = {"file": file_info}
    return frame, missing_counts


def list_table_files(folder: Path) -> list[Path]:
    """Return the table files of a folder and its subfolders, sorted by path.

    Raises:
        UserError: If there are none.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    tables = [path for path in files if any(suffix.lower() in _FORMAT_BY_SUFFIX for suffix in path.suffixes)]
    tables = [path for path in tables if ".json" not in path.suffixes] or tables  # notes next to tables of rows
    if not tables:
        raise UserError(
            f"A table must be a file, or a folder with files of {' '.join(_FORMAT_BY_SUFFIX)} to concatenate. "
            f"Received: {folder}, a folder without table files"
        )
    return tables


def columns_differ_error(path: Path, first: Path) -> UserError:
    """Return the error for two files of a folder with different columns."""
    return UserError(f"All files in a folder must have the same columns. Received: {path}, other columns than {first}")


def _read_folder(folder: Path, delimiter: str | None, encoding: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read and concatenate all files of a folder."""
    import pandas as pd

    paths = list_table_files(folder)
    frames: list[pd.DataFrame] = []
    for path in paths:
        frame = normalize_frame(_read_file(path, delimiter, encoding)[0], str(path))
        if frames and set(frame) != set(frames[0]):
            raise columns_differ_error(path, paths[0])
        frames.append(frame)
    file_info = {"path": str(folder), "kind": "folder", "delimiter": delimiter, "encoding": encoding}
    return pd.concat(frames, ignore_index=True), file_info


def _read_file(path: Path, delimiter: str | None, encoding: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read one file; return its rows and its detected format."""
    raw, name = files_compression.decompress(read_bytes(path), path)
    if description := non_table_format(raw[:512]):
        raise UserError(f"A table must be CSV, TSV, JSON, JSON lines or Parquet. Received: {path}, {description}")
    kind = "parquet" if raw.startswith(b"PAR1") else decompressed_format(name, path)
    file_info = {"path": str(path), "kind": kind, "delimiter": None, "encoding": None}
    if kind == "parquet":
        return _read_parquet(raw, path), file_info
    text, file_info["encoding"] = text_encoding.to_utf8(raw, encoding, path)
    if not text or text.isspace():
        raise UserError(f"A table needs a header and rows; this file is empty. Received: {path}")
    if kind in ("json", "jsonl"):
        return (json_file if kind == "json" else json_lines).read(text, path), file_info
    frame, file_info["delimiter"] = csv.read(text, path, kind=kind, delimiter=delimiter)
    return frame, file_info


def non_table_format(head: bytes) -> str | None:
    """Describe a file that is not a table by its first bytes; None if it may be one."""
    head = head.lstrip().lower()
    return next((description for magic, description in _NON_TABLE_FORMATS.items() if head.startswith(magic)), None)


def decompressed_format(name: str, path: Path) -> str:
    """Return the format by the file name inside a .zip if known, else by the path."""
    return file_format(name if Path(name).suffix.lower() in _FORMAT_BY_SUFFIX else path.name)[0]


def read_bytes(path: Path) -> bytes:
    """Read a file; raise UserError if it is missing, unreadable or not a regular file."""
    if "\n" in str(path):
        raise UserError(f"A table is given by its path. Received: a text of {len(str(path)):,} characters, not a path")
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):  # reading may never end
        raise UserError(f"A table must be a regular file. Received: {path}, which is a device or a pipe")
    try:
        return path.read_bytes()
    except IsADirectoryError as error:
        raise UserError(f"A table must be a file. Received: {path}, which is a folder") from error
    except FileNotFoundError as error:
        if ":/" in str(path):  # Path replaces // by /
            raise UserError(f"A table must be a local file; download it first. Received: {path}") from error
        siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings)
        raise UserError(f"The file must exist.{hint} Received: {path}, no such file") from error
    except OSError as error:
        raise UserError(f"The file must be readable. Received: {path}, {error.strerror or error}") from error


def file_format(name: str) -> tuple[str, str]:
    """Return the format of a file name, and the suffix of its compression or `""`."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in files_compression.SUFFIXES else ""
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in _FORMAT_BY_SUFFIX:
        advice = " Save the sheet as CSV or Parquet." if suffix in (".xlsx", ".xls", ".xlsm", ".ods") else ""
        raise UserError(
            f"The suffix of a table file must be one of {' '.join(_FORMAT_BY_SUFFIX)}, followed by one of "
            f"{' '.join(files_compression.SUFFIXES)} if it is compressed.{advice} Received: {name}"
        )
    return _FORMAT_BY_SUFFIX[suffix], compression


def _read_parquet(raw: bytes, path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"A .parquet file must be complete and Parquet. Received: {path}, {first_line(error)}"
        ) from error
