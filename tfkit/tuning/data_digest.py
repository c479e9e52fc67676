"""Fingerprint of the data files that the settings name, by which a search recognizes its data."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MAX_HASHED_BYTES = 2**28  # a larger file is sampled; hashing this much takes a fraction of a second

NUM_BLOCKS = 64  # evenly spaced in a larger file, first and last included

BLOCK_BYTES = 2**20


def data_digests(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each file or folder that a setting names: setting -> 16 hexadecimal digits.

    A setting names data if its value is a `Path`, or if it is called `data`. The digest depends on names relative to
    the folder, sizes and contents, not on times or on where the data is. Of the files larger than `MAX_HASHED_BYTES`
    in total, 64 blocks of each are hashed. What does not exist has the digest "missing".

    Args:
        settings: Setting -> value, as of a `Config`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "table.csv"
        ...     length = path.write_text("a,b")
        ...     first = data_digests({"data": path, "epochs": 3})
        ...     length = path.write_text("a,c")
        ...     list(first), first == data_digests({"data": path})
        (['data'], False)
    """
    paths = {name: value for name, value in settings.items() if isinstance(value, Path)}
    if isinstance(settings.get("data"), str):
        paths["data"] = Path(settings["data"])
    return {name: _digest(path.expanduser()) for name, path in paths.items()}


def _digest(path: Path) -> str:
    """Digest of a file, or of all files of a folder."""
    if not path.exists():
        return "missing"
    digest = hashlib.sha256()
    files = [(name, file, file.stat().st_size) for name, file in _files(path)]
    is_sampled = sum(size for _, _, size in files) > MAX_HASHED_BYTES
    for name, file, size in files:
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
        for block in _blocks(file, size, is_sampled):
            digest.update(block)
    return digest.hexdigest()[:16]


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Name relative to the folder, and path, of each file in a fixed order; a file itself has the name ""."""
    if not path.is_dir():
        yield "", path
        return
    for folder, folders, names in os.walk(path, followlinks=True):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():
                yield str(file.relative_to(path)), file


def _blocks(file: Path, size: int, is_sampled: bool) -> Iterator[bytes]:
    """Content of a file, or evenly spaced blocks of it."""
    with file.open("rb") as stream:
        if not is_sampled or size <= NUM_BLOCKS * BLOCK_BYTES:
            while block := stream.read(BLOCK_BYTES):
                yield block
            return
        for index in range(NUM_BLOCKS):
            stream.seek(index * (size - BLOCK_BYTES) // (NUM_BLOCKS - 1))
            yield stream.read(BLOCK_BYTES)
