"""Decompress files by their first bytes and compress them by their suffix."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tfkit.errors import UserError, first_line, format_list

_MAGIC_BYTES = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\x00": ".xz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
}

CORRUPT_FILE_ERRORS = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)

SUFFIXES = tuple(_MAGIC_BYTES.values())


def decompress(raw: bytes, path: Path) -> tuple[bytes, str]:
    """Decompress the bytes of a file, independent of its suffix.

    Returns:
        The decompressed bytes, and the file name: that of the path, or of the file inside a .zip.

    Raises:
        UserError: If the file is corrupt or encrypted, or a .zip with several files.
    """
    suffix = _compression_suffix(raw)
    if not suffix:
        return raw, path.name
    try:
        return _decompress_zip(raw, path) if suffix == ".zip" else (_DECOMPRESS[suffix](raw), path.name)
    except UserError:
        raise
    except CORRUPT_FILE_ERRORS as error:
        raise UserError(
            f"The {suffix[1:]} file must be complete and have no password. Received: {path}, {first_line(error)}"
        ) from error


def open_decompressed(path: Path) -> tuple[BinaryIO, Any, str]:
    """Open a file to read it decompressed, as a stream.

    Returns:
        The file on disk, whose position is the reading progress; the stream of decompressed bytes; and the file name,
        as in `decompress`.

    Raises:
        CORRUPT_FILE_ERRORS: If the file is corrupt; reading the stream raises these, too.
    """
    file = path.open("rb")
    try:
        suffix = _compression_suffix(file.read(8))
        file.seek(0)
        return file, *_OPEN[suffix](file, path.name)
    except BaseException:
        file.close()
        raise


@contextmanager
def open_compressor(file: Any, suffix: str, name: str) -> Iterator[Any]:
    """Open a stream that compresses into `file`, without a timestamp."""
    if suffix == ".gz":
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as out:
            yield out
    elif suffix in (".bz2", ".xz"):
        with (bz2.open if suffix == ".bz2" else lzma.open)(file, "wb") as out:
            yield out
    elif suffix == ".zst":
        import pyarrow as pa

        with pa.CompressedOutputStream(pa.PythonFile(_UnclosedFile(file), "w"), "zstd") as out:
            yield out
    elif suffix == ".zip":
        entry = zipfile.ZipInfo(name)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(file, "w") as archive, archive.open(entry, "w", force_zip64=True) as out:
            yield out
    else:
        yield file


class _UnclosedFile(io.RawIOBase):
    """A writable file that stays open when the stream that writes to it is closed."""

    def __init__(self, file: Any):
        self.file = file

    def write(self, content: Any) -> int:
        return self.file.write(content)

    def writable(self) -> bool:
        return True


def _compression_suffix(first_bytes: bytes) -> str:
    """Return the suffix of the compression by the first bytes, "" if there is none."""
    return next((suffix for magic, suffix in _MAGIC_BYTES.items() if first_bytes.startswith(magic)), "")


def _file_names(archive: zipfile.ZipFile) -> list[str]:
    """Return the files of a .zip, without the folder that macOS adds."""
    return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]


def _open_zip(file: BinaryIO, name: str) -> tuple[Any, str]:
    archive = zipfile.ZipFile(file)
    names = _file_names(archive)
    if len(names) != 1:
        raise ValueError("one file")
    return archive.open(names[0]), Path(names[0]).name


def _open_zst(file: BinaryIO, name: str) -> tuple[Any, str]:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"), name


def _decompress_zip(raw: bytes, path: Path) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = _file_names(archive)
        if len(names) != 1:
            choice = f"choose one of them with '{path}?{names[0]}'" if names else "this one is empty"
            choice = "rename a spreadsheet, which is a zip file, to .xlsx" if "[Content_Types].xml" in names else choice
            raise UserError(
                f"A .zip must contain one file, the table; {choice}. "
                f"Received: {path}, {len(names)} files: {format_list(names)}"
            )
        return archive.read(names[0]), Path(names[0]).name


def _decompress_zst(raw: bytes) -> bytes:
    import pyarrow as pa

    return bytes(pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read())


_OPEN: dict[str, Callable[[BinaryIO, str], tuple[Any, str]]] = {
    "": lambda file, name: (file, name),
    ".gz": lambda file, name: (gzip.GzipFile(fileobj=file), name),
    ".bz2": lambda file, name: (bz2.BZ2File(file), name),
    ".xz": lambda file, name: (lzma.LZMAFile(file), name),  # noqa: SIM115
    ".zst": _open_zst,
    ".zip": _open_zip,
}

_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _decompress_zst,
}
