"""A file of a run is written whole or not at all, and read as what it should be."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError

KINDS: dict[str, dict[str, type]] = {  # of what the files of a run hold
    "about.json": {"begun": str, "versions": dict},
    "info.json": {"task": str, "inputs": dict, "target": dict},
    "metrics.json": {"task": str, "val": dict},
}


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole, or not at all."""
    with Whole(path) as file:
        json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, content: str) -> None:
    """Write a text whole, or not at all."""
    with Whole(path) as file:
        file.write(content)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays whole, or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with Whole(path, "wb") as file:
        file.write(buffer.getvalue())


class Whole:
    """A file that appears under its name only when all of it is there."""

    def __init__(self, path: Path, mode: str = "w"):
        self.path, self.part, self.mode = path, path.with_name(path.name + ".part"), mode

    def __enter__(self) -> Any:
        text: dict[str, Any] = {} if "b" in self.mode else {"encoding": "utf-8", "newline": ""}
        self.file: Any = self.part.open(self.mode, **text)
        return self.file

    def __exit__(self, kind: Any, *error: Any) -> None:
        self.file.close()
        try:
            if kind is None:
                os.replace(self.part, self.path)
        except IsADirectoryError:
            raise UserError(f"A file must be written where a folder is; take it away. Received: {self.path}") from None
        finally:
            self.part.unlink(missing_ok=True)


class Kept(dict[str, Any]):
    """A JSON object of a run, of which somebody may have made another: what lacks is said, and what is of no use."""

    def __init__(self, path: Path):
        content = json.loads(path.read_text(encoding="utf-8"))
        kinds = KINDS.get(path.name, {}).items()
        if not isinstance(content, dict) or not all(isinstance(content.get(key, kind()), kind) for key, kind in kinds):
            raise ValueError
        super().__init__(content)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise UserError(f"The run's {self.path.name} must have {name!r}. Received: {self.path}, which is damaged")
