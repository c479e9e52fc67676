"""Texts from whatever holds them: a table, a list of strings, a folder of .txt files with a folder for each class."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfkit.data import encodings
from tfkit.data.files import read_marked
from tfkit.errors import UserError

FILE = "file"  # the column with the path of each text of a folder


def read_text_frame(source: Any, *, text: str | None, target: str, **reading: Any) -> tuple[Any, dict[str, Any]]:
    """The rows of a source as they are, and which words of which column were taken for missing.

    Args:
        source: What `read_frame` takes, a list of strings, or a folder. In a folder every `.txt` file is a text, and
            the first folder on the way to it is its class.
        text: The column of texts that a folder or a list becomes; None for "text".
        target: The column of classes that a folder becomes.
        reading: delimiter, encoding, missing of `read_frame`; without `missing` only empty cells are.

    Raises:
        UserError: If there is nothing to read, or it cannot be read.
    """
    import pandas as pd

    reading["missing"] = reading.get("missing") or []  # "null" and "?" are texts, and may be classes
    if isinstance(source, list | tuple | pd.Series):
        source = {text or "text": list(source)}
    if isinstance(source, str | os.PathLike) and "\n" not in str(source) and Path(source).expanduser().is_dir():
        frame = _from_folder(Path(source).expanduser(), text or "text", target, reading.get("encoding"))
        return frame, {}
    return read_marked(source, **reading)


def _from_folder(folder: Path, text: str, target: str, encoding: str | None) -> Any:
    """A row for each .txt file: its text, its class if it lies in a folder, its path."""
    import pandas as pd

    files = sorted(path for path in folder.rglob("*.txt") if path.is_file() and not _hidden(path.relative_to(folder)))
    if not files:
        raise UserError(
            f"A folder of texts must hold .txt files, for training in a folder for each class. "
            f"Received: {folder}, with none"
        )
    encodings.check_names([path.relative_to(folder).as_posix() for path in files], folder)
    columns: Mapping[str, list[Any]] = {text: [], target: [], FILE: []}
    for path in files:
        parts = path.relative_to(folder).parts
        columns[text].append(_text(path, encoding))
        columns[target].append(parts[0] if len(parts) > 1 else None)
        columns[FILE].append("/".join(parts))
    return pd.DataFrame(columns)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _text(path: Path, encoding: str | None) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"Every text must be readable. Received: {path}, {error.strerror or error}") from error
    return encodings.to_utf8(raw, encoding, path)[0].decode().strip()
