"""A packed file is unpacked by its first bytes, for the names of downloads lie, and packed by its suffix."""

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

from tfkit.errors import UserError, first_line

_FIRST_BYTES = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\x00": ".xz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
}
BROKEN = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
SUFFIXES = tuple(_FIRST_BYTES.values())


def unpack(raw: bytes, path: Path) -> tuple[bytes, str]:
    """What the file holds, and the name of the file in it: that of the path, but for a .zip."""
    suffix = next((suffix for first, suffix in _FIRST_BYTES.items() if raw.startswith(first)), None)
    if suffix is None:
        return raw, path.name
    try:
        return _unzip(raw, path) if suffix == ".zip" else (_UNPACK[suffix](raw), path.name)
    except UserError:
        raise
    except BROKEN as error:
        raise UserError(
            f"The {suffix[1:]} file must be whole and without a password. Received: {path}, {first_line(error)}"
        ) from error


def opened(path: Path) -> tuple[Any, BinaryIO, str]:
    """The file as it lies there, to ask how far it has been read; a stream of what it holds; and that one's name.

    Raises:
        BROKEN: If what it holds is broken; the stream raises these too, where it comes to the place.
    """
    file = path.open("rb")
    try:
        first = file.read(8)
        file.seek(0)
        suffix = next((suffix for mark, suffix in _FIRST_BYTES.items() if first.startswith(mark)), "")
        return file, *_OPEN[suffix](file, path.name)
    except BaseException:
        file.close()
        raise


@contextmanager
def packed(file: Any, suffix: str, name: str) -> Iterator[Any]:
    """Something to write to, piece by piece, of which the file holds all compressed, with no time of day in it."""
    if suffix == ".gz":
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as out:
            yield out
    elif suffix in (".bz2", ".xz"):
        with (bz2.open if suffix == ".bz2" else lzma.open)(file, "wb") as out:
            yield out
    elif suffix == ".zst":
        import pyarrow as pa

        with pa.CompressedOutputStream(pa.PythonFile(_LeftOpen(file), "w"), "zstd") as out:
            yield out
    elif suffix == ".zip":
        told = zipfile.ZipInfo(name)
        told.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(file, "w") as archive, archive.open(told, "w", force_zip64=True) as out:
            yield out
    else:
        yield file


class _LeftOpen(io.RawIOBase):
    """A file that is not closed by what writes to it."""

    def __init__(self, file: Any):
        self.file = file

    def write(self, content: Any) -> int:
        return self.file.write(content)

    def writable(self) -> bool:
        return True


def _open_zip(file: BinaryIO, name: str) -> tuple[Any, str]:
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1:
        raise ValueError("one file")
    return archive.open(names[0]), Path(names[0]).name


def _open_zst(file: BinaryIO, name: str) -> tuple[Any, str]:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"), name


def _unzip(raw: bytes, path: Path) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        # Macs add a folder of their own.
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if len(names) != 1:
            raise UserError(
                f"A .zip must hold exactly one file, the table; a spreadsheet, which is a zip, save as CSV or Parquet. "
                f"Received: {path}, {len(names)} files"
            )
        return archive.read(names[0]), Path(names[0]).name


def _unpack_zst(raw: bytes) -> bytes:
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
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _unpack_zst,
}
