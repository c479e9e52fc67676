"""Read texts and their classes from a table, a list of strings, or a folder of .txt files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.data.files import text_encoding
from tfkit.data.files.read import read_with_missing_counts
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

# settings of a recipe that `read_frame` takes
READ_OPTIONS = frozenset({"delimiter", "encoding", "na_values"})

PATH_COLUMN = "file"  # the column with the path of each text of a folder


def read_text_frame(
    source: Any, *, text_column: str | None, target: str, **read_options: Any
) -> tuple["pd.DataFrame", dict[str, dict[str, int]]]:
    """Read the rows of a source, and count the cells of each column that were read as missing.

    Args:
        source: Any source that `read_frame` accepts, a list of strings, or a folder. In a folder, each `.txt` file is
            a text, and the top-level folder it is in is its class.
        text_column: The name of the text column made from a folder or a list; None for "text".
        target: The name of the class column made from a folder.
        read_options: delimiter, encoding, na_values of `read_frame`; without `na_values`, only empty cells are missing.

    Raises:
        UserError: If there is nothing to read, or it cannot be read.
    """
    import pandas as pd

    read_options["na_values"] = read_options.get("na_values") or []  # "null" and "?" are texts, and may be classes
    if isinstance(source, pd.Series) and text_column in source.index:  # a row of a table
        source = source.to_frame().T
    if isinstance(source, list | tuple | pd.Series) and not any(isinstance(row, Mapping) for row in source):
        source = {text_column or "text": list(source)}
    if isinstance(source, str | os.PathLike) and "\n" not in str(source) and Path(source).expanduser().is_dir():
        frame = _read_folder(Path(source).expanduser(), text_column or "text", target, read_options.get("encoding"))
        return frame, {}
    return read_with_missing_counts(source, **read_options)


def _read_folder(folder: Path, text_column: str, target: str, encoding: str | None) -> "pd.DataFrame":
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
    text_encoding.check_file_names([path.relative_to(folder).as_posix() for path in files], folder)
    columns: Mapping[str, list[Any]] = {text_column: [], target: [], PATH_COLUMN: []}
    for path in files:
        parts = path.relative_to(folder).parts
        columns[text_column].append(_read_text(path, encoding))
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
