"""Read texts and their classes from a table, a list of strings, or a folder of .txt files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfkit.data.files import text_encoding
from tfkit.data.files.read import read_marked
from tfkit.errors import UserError

PATH_COLUMN = "file"  # the column with the path of each text of a folder


def read_text_frame(source: Any, *, text: str | None, target: str, **reading: Any) -> tuple[Any, dict[str, Any]]:
    """Read the rows of a source, and which cells of each column were read as missing.

    Args:
        source: Any source that `read_frame` accepts, a list of strings, or a folder. In a folder, each `.txt` file is
            a text, and the top-level folder it is in is its class.
        text: The name of the text column made from a folder or a list; None for "text".
        target: The name of the class column made from a folder.
        reading: delimiter, encoding, missing of `read_frame`; without `missing`, only empty cells are missing.

    Raises:
        UserError: If there is nothing to read, or it cannot be read.
    """
    import pandas as pd

    reading["missing"] = reading.get("missing") or []  # "null" and "?" are texts, and may be classes
    if isinstance(source, list | tuple | pd.Series):
        source = {text or "text": list(source)}
    if isinstance(source, str | os.PathLike) and "\n" not in str(source) and Path(source).expanduser().is_dir():
        frame = _read_folder(Path(source).expanduser(), text or "text", target, reading.get("encoding"))
        return frame, {}
    return read_marked(source, **reading)


def _read_folder(folder: Path, text: str, target: str, encoding: str | None) -> Any:
    """Read each .txt file of a folder into a row: text, class or None, and path."""
    import pandas as pd

    files = sorted(
        path for path in folder.rglob("*.txt") if path.is_file() and not _is_hidden(path.relative_to(folder))
    )
    if not files:
        raise UserError(
            f"A folder of texts must contain .txt files, for training in one folder per class. "
            f"Received: {folder} without .txt files"
        )
    text_encoding.check_names([path.relative_to(folder).as_posix() for path in files], folder)
    columns: Mapping[str, list[Any]] = {text: [], target: [], PATH_COLUMN: []}
    for path in files:
        parts = path.relative_to(folder).parts
        columns[text].append(_read_text(path, encoding))
        columns[target].append(parts[0] if len(parts) > 1 else None)
        columns[PATH_COLUMN].append("/".join(parts))
    return pd.DataFrame(columns)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read_text(path: Path, encoding: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Every text file must be readable. Received: {path}, {error.strerror or error}") from error
    return text_encoding.to_utf8(content, encoding, path)[0].decode().strip()
