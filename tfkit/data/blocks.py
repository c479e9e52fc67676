"""A large file of rows is read a block at a time, each block as the whole file would have given it."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfkit.data import delimited, encodings, json_lines, packing, parquet
from tfkit.data.files import kind_of, no_table, unpacked_kind
from tfkit.data.frames import MISSING, flat, marked
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

LEAST = 1 << 22  # bytes, beyond which a file is read in blocks where that can be
CHUNK = 1 << 20  # bytes looked at together


class Whole(Exception):
    """This file must be read whole: it is one of the few that a part does not say enough of, or it is broken.

    Reading it whole then finds out what is wrong with it, and says so.
    """


class Blocks:
    """The rows of a file, a block at a time: frames as `read_frame` gives them, their rows numbered on.

    Args:
        path: A file that `read_frame` reads.
        delimiter, encoding, missing: As there.
        columns: The columns that are wanted; None for all.

    Raises:
        Whole: If it must be read whole.
    """

    def __init__(
        self,
        path: Path,
        *,
        delimiter: str | None = None,
        encoding: str | None = None,
        missing: Sequence[str] | None = None,
        columns: list[str] | None = None,
    ):
        self.path, self.delimiter, self.encoding, self.columns = path, delimiter, encoding, columns
        self.words = MISSING if missing is None else ["", *([missing] if isinstance(missing, str) else missing)]
        self.marked: dict[str, dict[str, int]] = {}  # column -> word taken for missing -> how often
        self.size = max(1, path.stat().st_size)
        self._file: Any = None
        try:
            self.kind, self._quoted = self._looked_at()
        except (*packing.BROKEN, UserError) as error:
            raise Whole from error
        self._lines = json_lines.schema(self._open) if self.kind == "jsonl" else None
        if self.kind == "jsonl" and self._lines is None:
            raise Whole

    @property
    def done(self) -> float:
        """The share of the file that has been read, in `[0, 1]`."""
        if self._file is None:
            return 0.0
        return 1.0 if self._file.closed else min(1.0, self._file.tell() / self.size)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        try:
            yield from self._numbered()
        except OSError as error:
            raise UserError(f"The file must be readable. Received: {self.path}, {error.strerror or error}") from error

    def _numbered(self) -> Iterator[pd.DataFrame]:
        import pandas as pd

        start = 0
        for frame in self._frames():
            frame, said = marked(flat(frame, str(self.path)), self.words)
            for name, words in said.items():
                counts = self.marked.setdefault(name, {})
                counts |= {word: counts.get(word, 0) + count for word, count in words.items()}
            frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield frame if self.columns is None or self.kind == "parquet" else frame[self.columns]

    def _frames(self) -> Iterator[pd.DataFrame]:
        if self.kind == "parquet":
            self._file = self.path.open("rb")
            return parquet.blocks(self._file, self.columns)
        if self.kind == "jsonl":
            return json_lines.blocks(self._open, self._lines, self.path)
        return delimited.blocks(self._open, self.path, kind=self.kind, delimiter=self.delimiter, quoted=self._quoted)

    def _looked_at(self) -> tuple[str, bool]:
        """The kind of file, and whether there are quotes in it. A text is read once, and its encoding found."""
        file, stream, name = packing.opened(self.path)
        with file:
            first = stream.read(512)
            if first.startswith(b"PAR1"):
                if stream is not file:
                    raise Whole
                return "parquet", False
            kind = unpacked_kind(name, self.path)
        if no_table(first):
            raise Whole
        mark = encodings.marked(first)
        for tried in [self.encoding or mark] if self.encoding or mark else ["utf-8", "cp1252"]:
            self.encoding = tried
            try:
                return kind, self._scanned()
            except UnicodeError:
                continue
        raise Whole

    def _scanned(self) -> bool:
        """Read the text once: whether quotes are in it. What has an open quote, or zero bytes, is read whole."""
        quotes, blank = 0, True
        with self._open() as text:
            while chunk := text.read(CHUNK):
                quotes += chunk.count(b'"')
                blank = blank and chunk.isspace()
                if b"\0" in chunk:
                    raise Whole
        if quotes % 2 or blank:
            raise Whole
        return quotes > 0

    def _open(self) -> BinaryIO:
        """The text from its beginning, as UTF-8 without a mark."""
        self._file, stream, _ = packing.opened(self.path)
        return io.BufferedReader(_Utf8(self._file, stream, str(self.encoding)), CHUNK)


class _Utf8(io.RawIOBase):
    """A stream of text in any encoding as one of UTF-8 without a mark; what is no such text raises UnicodeError."""

    def __init__(self, file: Any, stream: Any, encoding: str):
        self.file, self.stream, self.rest = file, stream, b""
        self.decoder: Any = codecs.getincrementaldecoder(encoding)()
        self.plain = codecs.lookup(encoding).name == "utf-8"
        self.began = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.rest:
            raw = self.stream.read(CHUNK)
            text = self.decoder.decode(raw, final=not raw)
            if not raw and not text:
                return 0
            converted = raw if self.plain else text.encode()
            self.rest = converted if self.began else converted.removeprefix(codecs.BOM_UTF8)
            self.began = self.began or bool(converted)
        count = min(len(buffer), len(self.rest))
        buffer[:count], self.rest = self.rest[:count], self.rest[count:]
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def worth_it(source: Any, least: int) -> Path | None:
    """The path of a source that is a file of at least so many bytes, as it lies there or unpacked."""
    if not isinstance(source, str | Path):
        return None
    path = Path(source).expanduser()
    try:
        packed = 1 if not kind_of(path.name)[1] else 8  # what is packed becomes about so many times as large
        return path if path.is_file() and path.stat().st_size * packed >= least else None
    except (OSError, UserError):
        return None
