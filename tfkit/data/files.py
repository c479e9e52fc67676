"""A table is whatever file it comes in: one call reads it as it was written, one call writes it whole."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.data import delimited, encodings, json_lines, packing, parquet
from tfkit.data.frames import MISSING, flat, marked, names
from tfkit.errors import UserError, first_line, nearest

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_NO_TABLE = {  # text that could pass for one
    b"%pdf": "a PDF document",
    b"<html": "a web page (HTML)",
    b"<!doctype html": "a web page (HTML)",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
}


def read_frame(
    source: str | os.PathLike[str] | pd.DataFrame | Mapping[str, Any],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read a table from whatever holds it, and guess nothing about the meaning of its cells.

    A table reads the same from any kind of file: white space around strings and names of columns is removed, and a cell
    is NaN where it is empty or a marker of a missing value. In text (`.csv`, `.tsv`, `.txt`) every cell is a string;
    JSON lines (`.jsonl`, `.ndjson`), Parquet and frames keep numbers, booleans and dates. Files may be compressed
    (`.gz .bz2 .xz .zst`, or a `.zip` with one file in it). A column without a name becomes `column_N`. A named index
    becomes a column, any other index is left out.

    Args:
        source: path of a file, or of a folder whose files are read one below the other; a DataFrame (not changed), or a
            dictionary of columns.
        delimiter: one ASCII character, or `"tab"`; found among `, ; tab |` when left out. For text alone.
        encoding: a name that Python knows; UTF-8, a byte-order mark, else cp1252 (Latin-1) when left out. For text.
        missing: markers of a missing value, in place of `MISSING`; an empty cell is always missing. A marker such as
            -99 means the number as well as the word.

    Returns:
        A DataFrame with rows 0, 1, ... and unique names. Of a file, `frame.attrs["file"]` says what was found: `path`,
        `kind` (csv, tsv, jsonl, parquet, folder), `delimiter` and `encoding`.

    Raises:
        UserError: what is there is not a table; the message names the line where there is one.

    Example:
        >>> frame = read_frame({"age": ["39", "?"], " income ": [50_000, 60_000]}, missing=["?"])
        >>> list(frame), frame["age"].isna().tolist()
        (['age', 'income'], [False, True])
    """
    return read_marked(source, delimiter=delimiter, encoding=encoding, missing=missing)[0]


def read_marked(
    source: Any, *, delimiter: str | None = None, encoding: str | None = None, missing: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """What `read_frame` gives, and which words were taken for missing: column -> word -> how often."""
    import pandas as pd

    found: dict[str, Any] = {}
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        frame, found = (_from_folder if os.path.isdir(path) else _from_file)(path, delimiter, encoding)
    elif isinstance(source, pd.DataFrame | Mapping):
        frame = _from_memory(source)
    else:
        raise UserError(f"A table is a path, a DataFrame or a dictionary of columns. Received: {type(source).__name__}")
    frame = flat(frame, found.get("path", "a frame"))
    words = MISSING if missing is None else ["", *([missing] if isinstance(missing, str) else missing)]
    frame, said = marked(frame, words)
    frame.attrs = {"file": found}
    return frame, said


def write_frame(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table whole or not at all, in the kind of file that the suffix names.

    The rows go to a temporary file beside `path`, which takes its place once all is on disk: no reader ever sees half
    a table, and a full disk leaves the old file as it was. The index is not written; missing cells are empty in text
    and null in JSON. The same rows give the same bytes.

    Args:
        frame: the rows.
        path: `.csv`, `.tsv`, `.txt`, `.jsonl`, `.ndjson` or `.parquet`, then `.gz .bz2 .xz .zst .zip` to compress it.

    Raises:
        UserError: an unknown suffix, two columns of one name, a place that cannot be written, a disk that is full.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_frame(read_frame({"age": [39, 50]}), folder + "/ages.csv.gz")
        ...     read_frame(folder + "/ages.csv.gz")["age"].tolist()
        ['39', '50']
    """
    with writing(path) as write:
        write(frame)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A table written whole or not at all, as `write_frame` does, from as many frames as there are."""
    path = Path(path).expanduser()
    kind, suffix = kind_of(path.name)
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as file:
            with packing.packed(file, suffix, path.with_suffix("").name) as out, _WRITERS[kind](out) as write:
                yield lambda frame: write(_named(frame, path))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"The folder of a table to write must exist, be open to you and have room. "
            f"Received: {path}, {error.strerror or error}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _named(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    frame = frame.copy(deep=False)
    frame.attrs = {}  # Parquet would keep them, the path of the source among them
    frame.columns = names(frame.columns, str(path))
    return frame


def _from_memory(source: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    try:
        return pd.DataFrame(dict(source))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"A dictionary of columns needs a list for each name, all of one length. Received: {first_line(error)}"
        ) from error


def inside(folder: Path) -> list[Path]:
    """The tables of a folder, and of the folders in it, by their names.

    Raises:
        UserError: If there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    tables = [path for path in found if any(suffix.lower() in _KINDS for suffix in path.suffixes)]
    if not tables:
        raise UserError(
            f"A table is a file, or a folder of files of {' '.join(_KINDS)} that lie below each other. "
            f"Received: {folder}, a folder without any"
        )
    return tables


def differing(path: Path, first: Path) -> UserError:
    """What is said of two files of a folder."""
    return UserError(f"All files of a folder must have the same columns. Received: {path}, other columns than {first}")


def _from_folder(folder: Path, delimiter: str | None, encoding: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of all its files, below each other."""
    import pandas as pd

    found = inside(folder)
    frames: list[Any] = []
    for path in found:
        frame = flat(_from_file(path, delimiter, encoding)[0], str(path))
        if frames and set(frame) != set(frames[0]):
            raise differing(path, found[0])
        frames.append(frame)
    together = pd.concat(frames, ignore_index=True)
    return together, {"path": str(folder), "kind": "folder", "delimiter": delimiter, "encoding": encoding}


def _from_file(path: Path, delimiter: str | None, encoding: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows, and what was found."""
    raw, name = packing.unpack(read_bytes(path), path)
    if what := no_table(raw[:512]):
        raise UserError(f"A table must be CSV, TSV, JSON lines or Parquet. Received: {path}, {what}")
    kind = "parquet" if raw.startswith(b"PAR1") else unpacked_kind(name, path)
    found = {"path": str(path), "kind": kind, "delimiter": None, "encoding": None}
    if kind == "parquet":
        return _read_parquet(raw, path), found
    text, found["encoding"] = encodings.to_utf8(raw, encoding, path)
    if not text or text.isspace():
        raise UserError(f"A table needs a header and rows; this file is empty. Received: {path}")
    if kind == "jsonl":
        return json_lines.read(text, path), found
    frame, found["delimiter"] = delimited.read(text, path, kind=kind, delimiter=delimiter)
    return frame, found


def no_table(first: bytes) -> str | None:
    """What a file is that could pass for a table by its name, by its first bytes."""
    first = first.lstrip().lower()
    return next((what for mark, what in _NO_TABLE.items() if first.startswith(mark)), None)


def unpacked_kind(name: str, path: Path) -> str:
    """The kind of a text; what is in a .zip may have a name that says nothing."""
    return kind_of(name if Path(name).suffix.lower() in _KINDS else path.name)[0]


def read_bytes(path: Path) -> bytes:
    if "\n" in str(path):
        raise UserError(f"A table is given by its path. Received: a text of {len(str(path)):,} characters, not a path")
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):  # it may never end
        raise UserError(f"A table is one file. Received: {path}, which is a device or a pipe")
    try:
        return path.read_bytes()
    except IsADirectoryError as error:
        raise UserError(f"A table is one file; give one in the folder. Received: {path}, which is a folder") from error
    except FileNotFoundError as error:
        if ":/" in str(path):  # Path has made one stroke of the two
            raise UserError(f"A table is a file on this machine; download it first. Received: {path}") from error
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(path.name, beside)
        raise UserError(f"The file must be there.{near} Received: {path}, no such file") from error
    except OSError as error:
        raise UserError(f"The file must be readable. Received: {path}, {error.strerror or error}") from error


def kind_of(name: str) -> tuple[str, str]:
    """The kind that the suffix names, and the suffix of its compression or `""`."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in packing.SUFFIXES else ""
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in _KINDS:
        advice = " Write one object a line and call it .jsonl." if suffix == ".json" else ""
        if suffix in (".xlsx", ".xls", ".xlsm", ".ods"):
            advice = " Save the sheet as CSV or Parquet."
        raise UserError(
            f"The suffix says what kind of table a file is: one of {' '.join(_KINDS)}, and after it "
            f"{' '.join(packing.SUFFIXES)} where compressed.{advice} Received: {name}"
        )
    return _KINDS[suffix], packed


def _read_parquet(raw: bytes, path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"A .parquet file must be whole and Parquet. Received: {path}, {first_line(error)}") from error


@contextlib.contextmanager
def _write_delimited(out: Any, delimiter: str = ",") -> Iterator[Callable[[pd.DataFrame], Any]]:
    begun: list[bool] = []

    def write(frame: pd.DataFrame) -> None:
        out.write(delimited.as_bytes(frame, delimiter, header=not begun))
        begun.append(True)

    yield write


@contextlib.contextmanager
def _write_json(out: Any) -> Iterator[Callable[[pd.DataFrame], Any]]:
    yield lambda frame: out.write(json_lines.as_bytes(frame))


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "csv": _write_delimited,
    "tsv": lambda out: _write_delimited(out, "\t"),
    "jsonl": _write_json,
    "parquet": parquet.writing,
}
