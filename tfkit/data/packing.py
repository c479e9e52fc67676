"""A packed file is unpacked by its first bytes, for the names of downloads lie, and packed by its suffix."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tfkit.errors import UserError, first_line

_FIRST_BYTES = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\x00": ".xz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
}
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
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise UserError(
            f"The {suffix[1:]} file must be whole and without a password. Received: {path}, {first_line(error)}"
        ) from error


def pack(content: bytes, suffix: str, name: str) -> bytes:
    """The content compressed, with no time of day in it; as it is where the suffix is empty."""
    return _PACK[suffix](content, name)


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


def _pack_zst(content: bytes, name: str) -> bytes:
    import pyarrow as pa

    return bytes(pa.compress(content, "zstd", asbytes=True))


def _zip(content: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": _unpack_zst,
}
_PACK: dict[str, Callable[[bytes, str], bytes]] = {
    "": lambda content, name: content,
    ".gz": lambda content, name: gzip.compress(content, 6, mtime=0),
    ".bz2": lambda content, name: bz2.compress(content),
    ".xz": lambda content, name: lzma.compress(content),
    ".zst": _pack_zst,
    ".zip": _zip,
}
