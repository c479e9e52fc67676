"""Read large table files chunk by chunk, with the dtypes of the complete file."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfkit.data.files import compression, csv, detect_encoding, lone_quotes, text_encoding
from tfkit.data.files.csv_layout import WHITESPACE
from tfkit.data.files.formats import json_lines, parquet
from tfkit.data.files.formats.suffixes import decompressed_format, file_format, non_table_format
from tfkit.data.files.normalize import DEFAULT_NA_VALUES, mark_missing, normalize_frame
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MIN_CHUNKED_BYTES = 1 << 22  # larger files are read in chunks if their format allows it

_COMPRESSION_RATIO = 8  # approximate, of compressed tables

_HEAD_BYTES = 512  # enough to recognize a format

_READ_BYTES = 1 << 20


class NotChunkableError(Exception):
    """The file cannot be read in chunks.

    The dtypes need the complete file, or the file is broken.

    Reading the complete file then reports what is wrong with it.
    """


class ChunkReader:
    """Iterate over a table file in chunks.

    The chunks are frames as `read_frame` returns them, with consecutive row numbers.

    Args:
        path: A file that `read_frame` reads.
        delimiter, encoding, na_values: As in `read_frame`.
        columns: The columns to read; None for all.

    Raises:
        NotChunkableError: If the file must be read completely.
    """

    def __init__(
        self,
        path: Path,
        *,
        delimiter: str | None = None,
        encoding: str | None = None,
        na_values: Sequence[str] | None = None,
        columns: list[str] | None = None,
    ):
        self.path, self.delimiter, self.encoding, self.columns = path, delimiter, encoding, columns
        self.missing_markers = (
            DEFAULT_NA_VALUES
            if na_values is None
            else ["", *([na_values] if isinstance(na_values, str) else na_values)]
        )
        self.missing_counts: dict[str, dict[str, int]] = {}  # column -> missing marker -> number of cells
        self.messages: list[str] = []  # about what was assumed; complete when all chunks are read
        self.file_bytes = max(1, path.stat().st_size)
        self._file: Any = None
        try:
            self.file_format, self._has_quotes = self._detect_format()
            if self.file_format in ("csv", "tsv"):
                self._read_layout()
        except (*compression.CORRUPT_FILE_ERRORS, UserError) as error:
            raise NotChunkableError from error
        delimiter = self._layout.delimiter if self.file_format in ("csv", "tsv") else None
        self._file_info = {
            "path": str(path),
            "kind": self.file_format,
            "delimiter": delimiter,
            "encoding": self.encoding,
        }
        self._dtypes: dict[str, str] = {}
        if self.file_format == "jsonl":
            dtypes = json_lines.infer_dtypes(self._open_text, self.path)
            if dtypes is None:
                raise NotChunkableError
            self._dtypes = dtypes

    @property
    def fraction_read(self) -> float:
        """The fraction of the file that has been read, in `[0, 1]`."""
        if self._file is None:
            return 0.0
        return 1.0 if self._file.closed else min(1.0, self._file.tell() / self.file_bytes)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        try:
            yield from self._normalized_chunks()
        except OSError as error:
            raise UserError(f"The file must be readable. Received: {self.path}, {error.strerror or error}") from error

    def _normalized_chunks(self) -> Iterator[pd.DataFrame]:
        import pandas as pd

        start = 0
        for chunk in self._raw_chunks():
            chunk, missing_counts = mark_missing(normalize_frame(chunk, str(self.path)), self.missing_markers)
            for name, counts in missing_counts.items():
                totals = self.missing_counts.setdefault(name, {})
                totals |= {marker: totals.get(marker, 0) + count for marker, count in counts.items()}
            chunk.index = pd.RangeIndex(start, start + len(chunk))
            chunk.attrs["file"] = self._file_info
            start += len(chunk)
            yield chunk if self.columns is None or self.file_format == "parquet" else chunk[self.columns]

    def _raw_chunks(self) -> Iterator[pd.DataFrame]:
        if self.file_format == "parquet":
            self._file = self.path.open("rb")
            return parquet.read_chunks(self._file, self.columns)
        if self.file_format == "jsonl":
            return json_lines.read_chunks(self._open_text, self._dtypes, self.path)
        return csv.read_chunks(
            self._open_text, self._layout, self.path, has_quotes=self._has_quotes, messages=self.messages
        )

    def _detect_format(self) -> tuple[str, bool]:
        """Return the format, and whether there are quotes in the text.

        Text is read once to find its encoding.
        """
        file, stream, name = compression.open_decompressed(self.path)
        with file:
            head = stream.read(_HEAD_BYTES)
            if head.startswith(b"PAR1"):
                if stream is not file:
                    raise NotChunkableError
                return "parquet", False
            kind = decompressed_format(name, self.path)
        if non_table_format(head) or kind not in ("csv", "tsv", "jsonl"):
            raise NotChunkableError
        declared = self.encoding or text_encoding.bom_encoding(head)
        self.encoding = declared or "utf-8"
        try:
            return kind, self._scan_for_quotes()
        except UnicodeError as error:
            if declared:
                raise NotChunkableError from error
        self.encoding, is_mixed = self._detect_encoding()
        try:
            if is_mixed:
                raise NotChunkableError
            self.messages += text_encoding.encoding_message(self.encoding, None)
            return kind, self._scan_for_quotes()
        except UnicodeError as error:
            raise NotChunkableError from error

    def _detect_encoding(self) -> tuple[str, bool]:
        """Detect the encoding of text that is not UTF-8, and whether only some lines are not."""
        file, stream, _ = compression.open_decompressed(self.path)
        with file:
            return detect_encoding.detect(line.rstrip(b"\r\n") for line in stream)

    def _read_layout(self) -> None:
        """Infer the layout of delimited text.

        Raises:
            NotChunkableError: If blanks separate the cells, or a quote does not enclose a cell.
        """
        self._layout = csv.read_layout(self._open_text, self.path, kind=self.file_format, delimiter=self.delimiter)
        self.messages += self._layout.messages
        if self._layout.delimiter == WHITESPACE:
            raise NotChunkableError
        if self._has_multiline_quotes and lone_quotes.has_errors(self._open_text(), self._layout.delimiter):
            raise NotChunkableError

    def _scan_for_quotes(self) -> bool:
        """Read the text once and return whether it contains quotes.

        Raises:
            NotChunkableError: If a quote is not closed, or the text has zero bytes or is blank.
        """
        num_quotes, is_blank = 0, True
        self._has_multiline_quotes = False
        with self._open_text() as text:
            while chunk := text.read(_READ_BYTES):
                if not self._has_multiline_quotes and (num_quotes or b'"' in chunk):
                    self._has_multiline_quotes = lone_quotes.odd_at_line_end(chunk, bool(num_quotes % 2))
                num_quotes += chunk.count(b'"')
                is_blank = is_blank and chunk.isspace()
                if b"\0" in chunk:
                    raise NotChunkableError
        if num_quotes % 2 or is_blank:
            raise NotChunkableError
        return num_quotes > 0

    def _open_text(self) -> BinaryIO:
        """Open the text at its start, as UTF-8 without a byte-order mark."""
        self._file, stream, _ = compression.open_decompressed(self.path)
        return io.BufferedReader(_Utf8Stream(self._file, stream, str(self.encoding)), _READ_BYTES)


class _Utf8Stream(io.RawIOBase):
    """Text stream of any encoding, read as UTF-8 without a byte-order mark.

    Reading raises UnicodeError if the text cannot be decoded.
    """

    def __init__(self, file: Any, stream: Any, encoding: str):
        self.file, self.stream, self.buffered = file, stream, b""
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.is_utf8 = codecs.lookup(encoding).name == "utf-8"
        self.has_started = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.buffered:
            raw = self.stream.read(_READ_BYTES)
            text = self.decoder.decode(raw, final=not raw)
            if not raw and not text:
                return 0
            utf8 = raw if self.is_utf8 else text.encode()
            self.buffered = utf8 if self.has_started else utf8.removeprefix(codecs.BOM_UTF8)
            self.has_started = self.has_started or bool(utf8)
        count = min(len(buffer), len(self.buffered))
        buffer[:count], self.buffered = self.buffered[:count], self.buffered[count:]
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def chunkable_path(source: Any, min_bytes: int) -> Path | None:
    """Return the path of a source if it is a file of at least `min_bytes` bytes.

    The size of a compressed file is its approximate size after decompression.
    """
    if not isinstance(source, str | Path):
        return None
    path = Path(source).expanduser()
    try:
        ratio = _COMPRESSION_RATIO if file_format(path.name)[1] else 1
        return path if path.is_file() and path.stat().st_size * ratio >= min_bytes else None
    except (OSError, UserError):
        return None
