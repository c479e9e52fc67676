"""Atomic writing of files and folders."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tfkit.errors import UserError

TEMPORARY_SUFFIX = ".part"  # of the folder of a file that is not complete; left behind only if the process is killed


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with atomic_file(path) as file:
        json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, content: str) -> None:
    """Write text atomically."""
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that is written atomically, as in `atomic_path`.

    Args:
        path: The file.
        mode: `"w"` for text in UTF-8, `"wb"` for bytes.
    """
    options: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with atomic_path(path) as temporary, temporary.open(mode, **options) as file:
        yield file


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path, for a file or a folder that other code writes.

    What is written there appears as `path` at the end of the block, when it is complete and on the disk: it is written
    in a temporary folder next to `path`, flushed to the disk (`fsync`), then renamed. After an error the temporary
    folder is removed, and an older file of the name is unchanged.

    Args:
        path: The file, or a folder that does not exist at the end of the block. The temporary path has the same name.

    Raises:
        UserError: If `path` is a folder, and a file was written.
    """
    with tempfile.TemporaryDirectory(prefix=".tfkit-", suffix=TEMPORARY_SUFFIX, dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        for file_path in [temporary, *temporary.rglob("*")]:
            if file_path.is_file():
                with file_path.open("r+b") as file:
                    os.fsync(file.fileno())
        try:
            os.replace(temporary, path)
        except IsADirectoryError:
            raise UserError(f"The path of a file must not be a folder; remove the folder. Received: {path}") from None
