"""Read and write table files: CSV, TSV, JSON lines and Parquet, compressed or not."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.data.files import archives, csv, in_memory, text_encoding
from tfkit.data.files import compression as files_compression
from tfkit.data.files.folders import list_files
from tfkit.data.files.formats import arff, arrow, excel, json_file, json_lines, numpy_arrays, sqlite, tsf
from tfkit.data.files.formats.suffixes import (
    FORMAT_BY_SUFFIX,
    ROW_FORMATS,
    decompressed_format,
    non_table_format,
    suffix_formats,
)
from tfkit.data.files.normalize import DEFAULT_NA_VALUES, lists_to_text, mark_missing, normalize_frame
from tfkit.data.files.partitions import partition_messages, partition_values
from tfkit.errors import UserError, did_you_mean, first_line

if TYPE_CHECKING:
    import pandas as pd

_BINARY_READERS: dict[str, Callable[[bytes, Path], Any]] = {
    "arrow": arrow.read,
    "orc": arrow.read_orc,
    "numpy": numpy_arrays.read,
}

_TEXT_READERS: dict[str, Callable[[bytes, Path], Any]] = {
    "jsonl": lambda text, path: (json_file if text.lstrip().startswith(b"[") else json_lines).read(text, path),
    "json": json_file.read,
    "arff": lambda text, path: arff.read(text.decode(), path),
    "tsf": lambda text, path: tsf.read(text.decode(), path),
}

_MAGIC_BYTES = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\x93NUMPY": "numpy", b"SQLite format 3\0": "sqlite"}


def read_frame(
    source: Any,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    na_values: Sequence[str] | None = None,
    list_columns: Collection[str] = (),
) -> pd.DataFrame:
    """Read a table from a file, a folder, a DataFrame or a dictionary.

    A table reads the same from any file format: white space around strings and column names is removed, and a cell is
    NaN if it is empty or a missing marker. In text (`.csv`, `.tsv`, `.txt`) every cell is a string; JSON lines
    (`.jsonl`, `.ndjson`), JSON, Parquet and DataFrames keep numbers, booleans and dates. Files may be compressed
    (`.gz .bz2 .xz .zst`, or a `.zip` with one file in it). `book.xlsx?sheet` is a sheet of a spreadsheet, and
    `files.zip?name.csv` a file of an archive. Other formats are in `tfkit.data.files.formats`. A column
    without a name becomes `column_N`. A named index
    becomes a column, any other index is dropped.

    Args:
        source: path of a file, or of a folder to concatenate; a DataFrame (not changed), or another table in memory,
            see `tfkit.data.files.in_memory.to_frame`.
        delimiter: one ASCII character, or `"tab"`; None to detect it among `, ; tab |`. Only for delimited text.
        encoding: of text, one that Python supports; None for the byte-order mark, UTF-8, else by the letters.
        na_values: markers of missing cells, instead of `DEFAULT_NA_VALUES`; an empty cell is always missing. A marker
            such as -99 matches the number and the string.
        list_columns: Columns whose cells may be lists of strings or numbers; they are read as JSON text.

    Returns:
        A DataFrame with rows 0, 1, ... and unique column names. For a file, `frame.attrs["file"]` has the detected
        `path`, `kind` (csv, tsv, jsonl, parquet, folder, ...), `delimiter` and `encoding`;
        `frame.attrs["messages"]` has what was assumed, if anything.

    Raises:
        UserError: the source is not a table; the message names the line, if there is one.

    Example:
        >>> frame = read_frame({"age": ["39", "?"], " income ": [50_000, 60_000]}, na_values=["?"])
        >>> list(frame), frame["age"].isna().tolist()
        (['age', 'income'], [False, True])
    """
    options: dict[str, Any] = {"na_values": na_values, "list_columns": list_columns}
    return read_with_missing_counts(source, delimiter=delimiter, encoding=encoding, **options)[0]


def read_with_missing_counts(
    source: Any,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    na_values: Sequence[str] | None = None,
    list_columns: Collection[str] = (),
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """Read a table and count its missing markers: column -> marker -> count."""
    file_info: dict[str, Any] = {}
    messages: list[str] = []
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if os.path.isdir(path):
            frame, file_info = _read_folder(path, delimiter, encoding)
        else:
            frame, file_info = _read_file(path, delimiter, encoding)
            frame = _add_partition_columns(frame, path)
        messages = read_messages(frame)
    else:
        frame = in_memory.to_frame(source)
    frame = lists_to_text(normalize_frame(frame, file_info.get("path", "a frame")), list_columns)
    markers = (
        DEFAULT_NA_VALUES if na_values is None else ["", *([na_values] if isinstance(na_values, str) else na_values)]
    )
    frame, missing_counts = mark_missing(frame, markers)
    frame.attrs = {"file": file_info} | ({"messages": messages} if messages else {})
    return frame, missing_counts


def read_messages(frame: Any) -> list[str]:
    """Return the messages about what was assumed when a table was read from files."""
    return list(frame.attrs.get("messages", []))


def list_table_files(folder: Path) -> list[Path]:
    """Return the table files of a folder and its subfolders, sorted by path.

    Files and folders whose names start with `.` or `_` are not used, but for partitions such as `_year=2024`.

    Raises:
        UserError: If there are none, or the folder is a table of another system.
    """
    names = [name for name in list_files(folder)[0] if not _is_internal(name)]
    if (folder / "_delta_log").is_dir():
        raise UserError(
            f"A Delta Lake table must be exported first: its folder has files of earlier versions, too. "
            f"Received: {folder}"
        )
    formats = {name: suffix_formats(name) for name in names}
    tables = [name for name in names if formats[name] & set(ROW_FORMATS)] or [name for name in names if formats[name]]
    if not tables:
        raise UserError(
            f"A table must be a file, or a folder with files of {' '.join(FORMAT_BY_SUFFIX)} to concatenate. "
            f"Received: {folder}, a folder without table files"
        )
    return [folder / name for name in tables]


def _is_internal(name: str) -> bool:
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in Path(name).parts)


def columns_differ_error(path: Path, first: Path) -> UserError:
    """Return the error for two files of a folder with different columns."""
    return UserError(f"All files in a folder must have the same columns. Received: {path}, other columns than {first}")


def _read_folder(folder: Path, delimiter: str | None, encoding: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read and concatenate all files of a folder."""
    import pandas as pd

    paths = list_table_files(folder)
    values = [partition_values(path, folder) for path in paths]
    frames: list[pd.DataFrame] = []
    stored: list[str] = []
    messages = Counter[str]()
    for path, file_values in zip(paths, values, strict=True):
        raw_frame = _read_file(path, delimiter, encoding)[0]
        messages.update(read_messages(raw_frame))
        frame = normalize_frame(raw_frame, str(path))
        stored = stored or list(frame)
        frame = frame.assign(**{name: value for name, value in file_values.items() if name not in frame})
        if frames and set(frame) != set(frames[0]):
            raise columns_differ_error(path, paths[0])
        frames.append(frame)
    result = pd.concat(frames, ignore_index=True)
    result.attrs = {"messages": [f"{message} ({count:,} files)" for message, count in messages.items()]}
    result.attrs["messages"] += partition_messages(values, stored)
    return result, {"path": str(folder), "kind": "folder", "delimiter": delimiter, "encoding": encoding}


def _add_partition_columns(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Add the columns in the names of the folders of a single file."""
    values = partition_values(path, path.parent)
    absent = {name: value for name, value in values.items() if name not in frame}
    messages = read_messages(frame) + partition_messages([absent], frame)
    frame = frame.assign(**absent) if absent else frame
    frame.attrs["messages"] = messages
    return frame


def _read_file(path: Path, delimiter: str | None, encoding: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read one file; return its rows, with messages in `attrs["messages"]`, and its detected format."""
    if str(path).startswith(sqlite.SCHEME):
        return sqlite.read(str(path)), {"path": str(path), "kind": "sqlite", "delimiter": None, "encoding": None}
    path, part = archives.split_part(path)
    if part and (archives.is_tar(path) or path.suffix.lower() == ".zip"):
        return _read_file(archives.find_in_archive(path, part), delimiter, encoding)
    if archives.is_tar(path):
        return _read_folder(archives.unpack(path), delimiter, encoding)
    raw, name = read_bytes(path), path.name
    is_container = path.suffix.lower() == ".npz" or suffix_formats(path.suffix and f"a{path.suffix}") == {"excel"}
    if not is_container:
        raw, name = files_compression.decompress(raw, path)
    if description := non_table_format(raw[:512]):
        raise UserError(f"A table must be CSV, TSV, JSON, JSON lines or Parquet. Received: {path}, {description}")
    kind = next((kind for magic, kind in _MAGIC_BYTES.items() if raw.startswith(magic)), "")
    kind = kind or decompressed_format(name, path)
    file_info = {"path": str(path), "kind": kind, "delimiter": None, "encoding": None}
    if part and kind != "excel":
        raise UserError(
            f"A part of a file is a sheet of a spreadsheet, or a file of an archive. Received: {path}?{part}, {kind}"
        )
    if kind == "parquet":
        return _read_parquet(raw, path), file_info
    if kind == "sqlite":
        return sqlite.read(str(path)), file_info
    if kind == "excel":
        return excel.read(raw, path, part), file_info
    if kind in _BINARY_READERS:
        return _BINARY_READERS[kind](raw, path), file_info
    text, detected = text_encoding.to_utf8(raw, encoding, path)
    file_info["encoding"] = detected
    if not text or text.isspace():
        raise UserError(f"A table needs a header and rows; this file is empty. Received: {path}")
    if kind in _TEXT_READERS:
        frame = _TEXT_READERS[kind](text, path)
    else:
        frame, file_info["delimiter"] = csv.read(text, path, kind=kind, delimiter=delimiter)
    frame.attrs["messages"] = text_encoding.encoding_message(detected, encoding) + read_messages(frame)
    return frame, file_info


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


def _read_parquet(raw: bytes, path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"A .parquet file must be complete and Parquet. Received: {path}, {first_line(error)}"
        ) from error
