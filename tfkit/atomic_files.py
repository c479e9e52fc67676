"""Atomic writing and checked reading of the files of a run."""

import json
import os
from pathlib import Path
from typing import IO, Any

from tfkit.errors import UserError


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with AtomicFile(path) as file:
        json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, content: str) -> None:
    """Write text atomically."""
    with AtomicFile(path) as file:
        file.write(content)


class AtomicFile:
    """A file that is written atomically.

    It appears under its name when it is complete and on the disk: the content is written to a temporary file in the
    same folder, flushed to the disk (`fsync`), then renamed. After an error the temporary file is removed, and an older
    file of the name is unchanged.

    Args:
        path: The file.
        mode: `"w"` for text in UTF-8, `"wb"` for bytes.
    """

    def __init__(self, path: Path, mode: str = "w"):
        self.path, self.temporary, self.mode = path, path.with_name(path.name + ".part"), mode

    def __enter__(self) -> IO[Any]:
        options: dict[str, Any] = {} if "b" in self.mode else {"encoding": "utf-8", "newline": ""}
        self.file: IO[Any] = self.temporary.open(self.mode, **options)
        return self.file

    def __exit__(self, error_type: Any, *error: Any) -> None:
        try:
            with self.file:
                if error_type is None:
                    self.file.flush()
                    os.fsync(self.file.fileno())
            if error_type is None:
                os.replace(self.temporary, self.path)
        except IsADirectoryError:
            raise UserError(
                f"The path of a file must not be a folder; remove the folder. Received: {self.path}"
            ) from None
        finally:
            self.temporary.unlink(missing_ok=True)
