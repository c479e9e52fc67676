"""Atomic writing and checked reading of the files of a run."""

import io
import json
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfkit.errors import UserError

REQUIRED_TYPES: dict[str, dict[str, type]] = {  # file name -> key -> type of its value
    "about.json": {"begun": str, "versions": dict},
    "info.json": {"task": str, "inputs": dict, "target": dict},
    "metrics.json": {"task": str, "val": dict},
}


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with Whole(path) as file:
        json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, content: str) -> None:
    """Write text atomically."""
    with Whole(path) as file:
        file.write(content)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays atomically, as a compressed `.npz` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with Whole(path, "wb") as file:
        file.write(buffer.getvalue())


class Whole:
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


class Kept(dict[str, Any]):
    """A JSON object of a run folder; a missing key raises a UserError.

    Somebody may have edited the file.

    Args:
        path: The file.

    Raises:
        ValueError: If it is not JSON, not an object, or a value has the wrong type.
    """

    def __init__(self, path: Path):
        content = json.loads(path.read_text(encoding="utf-8"))
        types = REQUIRED_TYPES.get(path.name, {}).items()
        if not isinstance(content, dict) or not all(
            isinstance(content.get(key, type_()), type_) for key, type_ in types
        ):
            raise ValueError
        super().__init__(content)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise UserError(f"The run's {self.path.name} must have {name!r}. Received: {self.path}, which is damaged")
