"""A table is whatever file it comes in: one call reads it as it was written, one call writes it whole."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import itertools
import json
import lzma
import os
import re
import secrets
import zipfile
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.errors import UserError, nearest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "?")

_KINDS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_PACKED = {  # how each begins
    ".gz": (b"\x1f\x8b",),
    ".bz2": tuple(b"BZh%d1AY&SY" % level for level in range(1, 10)),
    ".xz": (b"\xfd7zXZ\x00",),
    ".zst": (b"\x28\xb5\x2f\xfd",),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
}
_NO_TABLE = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook or another Office document",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "a NumPy array",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
}
_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_NO_DELIMITER = "\x1f"  # for a table of one column: in no text, so no cell is cut
_BLOCK = 1 << 22  # bytes parsed at a time: 1, 4 and 16 MB were measured equally fast; a row has to fit in


def read_frame(
    source: str | os.PathLike[str] | pd.DataFrame | Mapping[str, Any],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read a table from whatever holds it, and guess nothing about the meaning of its cells.

    Text (`.csv`, `.tsv`, `.txt`) arrives as strings in every column, white space around cells removed, NaN where a
    cell is empty or a marker of a missing value. JSON lines (`.jsonl`, `.ndjson`), Parquet and frames keep numbers,
    booleans and dates; their strings are treated like text, so that a table reads the same from any kind of file. Files may be compressed
    (`.gz .bz2 .xz .zst`, or a `.zip` with one file in it). Names of columns are stripped; one without a name becomes
    `column_N`. A named index becomes a column, any other index is left out.

    Args:
        source: path of a file, a DataFrame (not changed), or a dictionary of columns.
        delimiter: one ASCII character, or `"tab"`; found among `, ; tab |` when left out. For text alone.
        encoding: a name that Python knows; UTF-8, a byte-order mark, else Latin-1 when left out. For text alone.
        missing: markers that stand for a missing value, in place of `MISSING`; an empty cell is always missing. A marker
            such as -99 means the number as well as the word.

    Returns:
        A DataFrame with rows 0, 1, ... and unique names. `frame.attrs["file"]` says what was found: `path`, `kind`
        (csv, tsv, jsonl, parquet, frame), `delimiter`, `encoding`, and `bytes`, the size of the file on disk.

    Raises:
        UserError: what is there is not a table; the message names the line where there is one.

    Example:
        >>> frame = read_frame({"age": ["39", "?"], " income ": [50_000, 60_000]}, missing=["?"])
        >>> list(frame), frame["age"].isna().tolist()
        (['age', 'income'], [False, True])
    """
    import pandas as pd

    words = list(MISSING) if missing is None else ["", *([missing] if isinstance(missing, str) else missing)]
    if isinstance(source, pd.DataFrame | Mapping):
        frame, found, where = _from_memory(source), _found(None, "frame", None), "a frame"
    elif isinstance(source, str | os.PathLike):
        frame, found = _from_file(source, delimiter, encoding, words)
        where = found["path"]
    else:
        raise UserError(f"A table is a path, a DataFrame or a dictionary of columns. Received: {type(source).__name__}")
    frame = _flat(frame, where)
    if found["kind"] in ("frame", "parquet"):
        frame = _marked(frame, words)
    frame.attrs = {"file": found}
    return frame


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
    import pyarrow as pa

    path = Path(path).expanduser()
    kind, packed = _kind(path)
    frame = frame.copy(deep=False)
    frame.attrs = {}  # Parquet would keep them, the path of the source among them
    frame.columns = _names(frame.columns, str(path))
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        content = _packed(_WRITERS[kind](frame), packed, path.with_suffix("").name)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"The folder of a table to write must exist, be open to you and have room. "
            f"Received: {path}, {error.strerror or error}"
        ) from error
    except pa.ArrowException as error:
        raise UserError(
            f"A column must hold one type to be written as Parquet; write CSV instead. "
            f"Received: {path}, {_first_line(error)}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


# Where it comes from


def _found(path: str | None, kind: str, size: int | None) -> dict[str, Any]:
    return {"path": path, "kind": kind, "delimiter": None, "encoding": None, "bytes": size}


def _from_memory(source: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    try:
        return pd.DataFrame(dict(source))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"A dictionary of columns needs a list for each name, all of one length. Received: {_first_line(error)}"
        ) from error


def _from_file(
    source: str | os.PathLike[str], delimiter: str | None, encoding: str | None, words: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    path = Path(source).expanduser()
    if "\n" in str(path):
        raise UserError(f"A table is given by its path. Received: a text of {len(str(path)):,} characters, not a path")
    size, raw = _bytes(path)
    raw, path_inside = _unpacked(raw, path)
    for magic, what in _NO_TABLE.items():
        if raw.startswith(magic):
            raise UserError(f"A table must be CSV, TSV, JSON lines or Parquet. Received: {path}, {what}")
    if raw[:512].lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise UserError(f"A table must be CSV, TSV, JSON lines or Parquet. Received: {path}, a web page (HTML)")
    kind = "parquet" if raw.startswith(b"PAR1") else _kind(path_inside)[0]
    found = _found(str(path), kind, size)
    if kind == "parquet":
        return _read_parquet(raw, path), found
    text, found["encoding"] = _text(raw, encoding, path)
    if not text or text.isspace():
        raise UserError(f"A table needs a header and rows; this file is empty. Received: {path}")
    if kind == "jsonl":
        return _marked(_read_json_lines(text, path), words), found
    delimiter = _delimiter(text, kind, path) if delimiter is None else _given(delimiter, text, path)
    found["delimiter"] = None if delimiter == _NO_DELIMITER else delimiter
    return _read_text(text, delimiter, words, path), found


def _bytes(path: Path) -> tuple[int, bytes]:
    """The size of the file and all that is in it."""
    try:
        if path.is_dir():
            raise UserError(f"A table is one file; give one in the folder. Received: {path}, which is a folder")
        return path.stat().st_size, path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(_not_found(path)) from error
    except OSError as error:
        raise UserError(f"The file must be readable. Received: {path}, {error.strerror or error}") from error


def _not_found(path: Path) -> str:
    if ":/" in str(path):  # Path has made one stroke of the two
        return f"A table is a file on this machine; download it first. Received: {path}"
    if any(sign in path.name for sign in "*?["):
        return f"A table is one file; give one that the pattern stands for. Received: {path}, which is a pattern"
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"The file must be there.{nearest(path.name, beside)} Received: {path}, no such file"


def _kind(path: Path) -> tuple[str, str]:
    """The kind that the suffix names, and the suffix of its compression or `""`."""
    packed = path.suffix.lower() if path.suffix.lower() in _PACKED else ""
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    if suffix not in _KINDS:
        raise UserError(
            f"The suffix says what kind of table a file is: one of {' '.join(_KINDS)}, and {' '.join(_PACKED)} "
            f"after it where compressed.{_advice(suffix)} Received: {path.name}"
        )
    return _KINDS[suffix], packed


def _advice(suffix: str) -> str:
    if suffix in (".xlsx", ".xls", ".xlsm", ".ods"):
        return " Save the sheet as CSV or Parquet."
    return " Write one object a line and call it .jsonl." if suffix == ".json" else ""


def _unpacked(raw: bytes, path: Path) -> tuple[bytes, Path]:
    """What the file holds, and the name that says its kind. The first bytes decide: names of downloads lie."""
    packed = next((suffix for suffix, marks in _PACKED.items() if raw.startswith(marks)), None)
    if packed is None:
        return raw, path
    try:
        if packed == ".zip":
            return _unzipped(raw, path)
        return _UNPACK[packed](raw), path
    except UserError:
        raise
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise UserError(
            f"The {packed[1:]} file must be whole and without a password. Received: {path}, {_first_line(error)}"
        ) from error


def _unzipped(raw: bytes, path: Path) -> tuple[bytes, Path]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if "[Content_Types].xml" in names or "mimetype" in names:
            raise UserError(
                f"A spreadsheet cannot be read; save it as CSV or Parquet. Received: {path}, an Office document"
            )
        if len(names) != 1:
            raise UserError(f"A .zip must hold exactly one file, the table. Received: {path}, {len(names)} files")
        inside = Path(names[0]) if Path(names[0]).suffix.lower() in _KINDS else path
        return archive.read(names[0]), inside


def _unpack_zst(raw: bytes) -> bytes:
    import pyarrow as pa

    return bytes(pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read())


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _unpack_zst,
}


# Text


def _text(raw: bytes, encoding: str | None, path: Path) -> tuple[bytes, str]:
    """The text as UTF-8 without a mark, and the encoding it came in."""
    encoding = encoding or next((name for mark, name in _MARKS if raw.startswith(mark)), None) or _guess(raw, path)
    try:
        text = raw.decode(encoding)
        if codecs.lookup(encoding).name == "utf-8":  # as nearly all are: no second copy
            return raw.removeprefix(codecs.BOM_UTF8), encoding
        return text.removeprefix("\ufeff").encode(), encoding
    except LookupError as error:
        raise UserError(
            f"`encoding` must be a name that Python knows, such as utf-8, latin-1, gb18030 or shift_jis. "
            f"Received: {encoding!r}"
        ) from error
    except UnicodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1 if isinstance(error, UnicodeDecodeError) else 1
        raise UserError(
            f"The text must be in the encoding given; leave `encoding` out or give the right one. "
            f"Received: {path}, not {encoding} in line {line}"
        ) from error


def _guess(raw: bytes, path: Path) -> str:
    if b"\0" in raw:
        raise UserError(
            f"A table must be text or Parquet; if this is UTF-16 without a mark, give encoding=utf-16-le. "
            f"Received: {path}, with zero bytes in it"
        )
    with contextlib.suppress(UnicodeDecodeError):
        raw.decode("utf-8")
        return "utf-8"
    with contextlib.suppress(UnicodeDecodeError):
        raw.decode("cp1252")  # Latin-1 and, at 80 to 9F, what Windows puts there; five of these mean nothing
        return "cp1252" if re.search(rb"[\x80-\x9f]", raw) else "latin-1"
    raise UserError(
        f"The text must be UTF-8, UTF-16 with a mark, or Latin-1; else name it, such as encoding=gb18030. "
        f"Received: {path}, none of these"
    )


def _rows(text: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows as Python's own reader sees them, each with the number of the line it begins in."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(text), "utf-8", newline=""), delimiter=delimiter)
    limit, begin = csv.field_size_limit(2**31 - 1), 1  # 128 KB is not enough for a cell of text
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _sample(text: bytes, delimiter: str) -> list[list[str]]:
    return [row for _, row in itertools.islice(_rows(text, delimiter), 51)]


def _delimiter(text: bytes, kind: str, path: Path) -> str:
    """The delimiter that gives most lines as many cells as the header, and more than one."""
    samples = {sign: _sample(text, sign) for sign in _DELIMITERS}
    several = {sign: rows for sign, rows in samples.items() if len(rows[0]) > 1}
    if not several:
        for rows in samples.values():
            widths = {len(row) for row in rows[1:]}
            if len(rows) > 2 and len(widths) == 1 and min(widths) > 1:
                raise UserError(
                    f"The first line must hold the names of the columns; remove what stands above it, or give "
                    f"`delimiter`. Received: {path}, 1 cell in line 1, {min(widths)} in those below"
                )
        return _NO_DELIMITER
    if kind == "tsv" and "\t" in several:
        return "\t"

    def agreement(sign: str) -> tuple[float, int]:
        width = len(several[sign][0])
        return sum(len(row) == width for row in several[sign]) / len(several[sign]), width

    return max(several, key=agreement)


def _given(delimiter: str, text: bytes, path: Path) -> str:
    sign = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(sign) != 1 or not sign.isascii() or sign in '"\r\n\0':
        raise UserError(f"`delimiter` must be one ASCII character, or the word tab. Received: {delimiter!r}")
    if len(_sample(text, sign)[0]) == 1:
        for other, name in _DELIMITERS.items():
            widths = {len(row) for row in _sample(text, other)}
            if len(widths) == 1 and min(widths) > 1:
                raise UserError(
                    f"`delimiter` must be what stands between the cells: here probably the {name}, {other!r}, which "
                    f"gives {min(widths)} columns. Received: {path}, {delimiter!r}, which gives one"
                )
    return sign


def _read_text(text: bytes, delimiter: str, words: Sequence[str], path: Path) -> pd.DataFrame:
    if not re.split(rb"[\r\n]", text[:4096], maxsplit=1)[0].strip():
        raise UserError(f"The first line must hold the names of the columns. Received: {path}, line 1 is blank")
    rows = _sample(text, delimiter)
    names = _names(rows[0], str(path))
    if len(rows) == 1:
        raise UserError(f"A table needs rows below its header. Received: {path}, {len(names)} names and no rows")
    if text.count(b'"') % 2:  # the reader would take a quote that is never closed for a very long cell
        _refuse_open_quote(text, delimiter, path)
    table = _parsed(text, delimiter, len(names), path)
    frame = table.from_arrays([_cell_values(column, words) for column in table.columns], table.column_names).to_pandas()
    frame.columns = names
    return frame


def _parsed(text: bytes, delimiter: str, width: int, path: Path, block: int = _BLOCK) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow

    numbers = [str(number) for number in range(width)]
    try:
        return arrow.read_csv(
            pa.BufferReader(text),
            arrow.ReadOptions(column_names=numbers, skip_rows_after_names=1, block_size=block),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in text),
            arrow.ConvertOptions(column_types=dict.fromkeys(numbers, pa.string()), check_utf8=False),
        )
    except pa.ArrowInvalid as error:
        if "straddling" in str(error) and block < len(text):  # a row longer than a block
            return _parsed(text, delimiter, width, path, min(len(text) + 1, 2**31 - 1))
        ragged = _ragged(text, delimiter, width) or _first_line(error)
        raise UserError(
            f"Each line must have as many cells as the header; mend it, or quote cells that hold the delimiter "
            f"{delimiter!r}. Received: {path}, {ragged}"
        ) from error


def _ragged(text: bytes, delimiter: str, width: int) -> str:
    """Where the first row of another length is: read again, slowly, because something has to be said."""
    for line, row in _rows(text, delimiter):
        if len(row) != width:
            long = " (is a quote in it never closed?)" if any("\n" in cell for cell in row) else ""
            return f"{len(row)} cells in line {line}{long}, {width} in the header"
    return ""


def _refuse_open_quote(text: bytes, delimiter: str, path: Path) -> None:
    """A line is added at the end: if it does not come back as a row of its own, a quote has swallowed it."""
    end = "\x1e"
    closed = text if text.endswith((b"\n", b"\r")) else text + b"\n"
    (line, row) = deque(_rows(closed + end.encode(), delimiter), maxlen=1).pop()
    if row != [end]:
        raise UserError(f"A quote must be closed. Received: {path}, one opened in line {line} is not")


def _cell_values(column: pa.ChunkedArray, words: Sequence[str]) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import compute

    column = compute.utf8_trim_whitespace(column)
    absent = compute.is_in(column, value_set=pa.array(words, pa.string()))
    return compute.if_else(absent, pa.scalar(None, pa.string()), column)


# The other kinds


def _read_parquet(raw: bytes, path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"A .parquet file must be whole and Parquet. Received: {path}, {_first_line(error)}") from error


def _read_json_lines(text: bytes, path: Path) -> pd.DataFrame:
    import pandas as pd

    records = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line or line.isspace():
            continue
        try:
            record = json.loads(line)
            if b"\\ud" in line.lower():
                json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"Text must be whole characters. Received: {path}, half of a character (\\ud...) in line {number}"
            ) from error
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"Each line must be one JSON object. Received: {path}, line {number} is not: {_first_line(error)}"
            ) from error
        if not isinstance(record, dict):
            raise UserError(
                f'Each line must be one JSON object, such as {{"age": 39}}. Received: {path}, '
                f"line {number} is a {type(record).__name__}"
            )
        if b"[" in line or b"{" in line[1:]:
            for name, value in record.items():
                if isinstance(value, list | dict):
                    raise UserError(
                        f"A cell must be a number, a string, a boolean or null; take nested values apart first. "
                        f"Received: {path}, a {type(value).__name__} under {name!r} in line {number}"
                    )
        records.append(record)
    return pd.DataFrame(records)


def _marked(frame: pd.DataFrame, words: Sequence[str]) -> pd.DataFrame:
    """NaN where a string is a marker of a missing value, or a number one that is a number."""
    from pandas.api import types

    numbers = [float(word) for word in words if re.fullmatch(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", word.strip(), re.I)]
    for name, column in frame.items():
        if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
            if not numbers:
                continue
            absent = column.isin(numbers)
        elif column.dtype == object:  # a mixture: what is left may be numbers after all
            absent = column.map(lambda value: isinstance(value, str) and value.strip() in words)
        else:
            column = column.str.strip() if column.dtype == "str" else column
            absent = column.isin(list(words))
        frame[name] = column.mask(absent).infer_objects() if absent.any() else column
    return frame


# What every table must be


def _names(names: Iterable[Any], where: str) -> list[str]:
    """Stripped names, `column_N` where there is none; two of one name are refused."""
    words = ["" if name is None else str(name).strip() for name in names]
    words = [word or f"column_{number}" for number, word in enumerate(words, 1)]
    twice = [word for word, count in Counter(words).items() if count > 1]
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise UserError(
            f"Names of columns must differ; rename one. Received: {where}, more than one "
            f"{', '.join(map(repr, twice[:5]))}{more}"
        )
    return words


def _flat(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Unique names, rows 0, 1, ...; what a named index holds is a column like any other."""
    named = [name for name in frame.index.names if name is not None]
    names = _names([*named, *frame.columns], where)
    if not len(frame) or not names:
        raise UserError(
            f"A table needs columns and rows. Received: {where}, {len(names)} columns and {len(frame)} rows"
        )
    unnamed = [level for level, name in enumerate(frame.index.names) if name is None]
    # New frames, so that the one given stays as it is.
    frame = frame.reset_index(level=unnamed, drop=True).reset_index(drop=not named)
    frame.columns = names
    return frame


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# Writing


def _packed(content: bytes, packed: str, name: str) -> bytes:
    """The content compressed, with no time of day in it."""
    import pyarrow as pa

    if packed == ".gz":
        return gzip.compress(content, 6, mtime=0)
    if packed == ".bz2":
        return bz2.compress(content)
    if packed == ".xz":
        return lzma.compress(content)
    if packed == ".zst":
        return bytes(pa.compress(content, "zstd", asbytes=True))
    if packed == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()
    return content


def _as_text(frame: pd.DataFrame, delimiter: str = ",") -> bytes:
    # Python before 3.13 quotes a lone carriage return only where lines end in one.
    text: str = frame.to_csv(index=False, sep=delimiter, lineterminator="\n")
    if "\r" in text:
        text = frame.to_csv(index=False, sep=delimiter, lineterminator="\r\n")
    return text.encode()


def _as_json_lines(frame: pd.DataFrame) -> bytes:
    columns = [column.astype(object).where(column.notna(), None).tolist() for _, column in frame.items()]
    encoder = json.JSONEncoder(ensure_ascii=False, default=_plain)
    lines = (encoder.encode(dict(zip(frame.columns, row, strict=True))) for row in zip(*columns, strict=True))
    return "".join(f"{line}\n" for line in lines).encode()


def _plain(value: Any) -> Any:
    """What JSON has no word for: NumPy's numbers, dates, decimals."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _as_parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": _as_text,
    "tsv": lambda frame: _as_text(frame, "\t"),
    "jsonl": _as_json_lines,
    "parquet": _as_parquet,
}
