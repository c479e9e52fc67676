"""Read texts and their classes from a table, a list of strings, or a folder of text files."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tfkit.data.files import archives, text_encoding
from tfkit.data.files.folders import (
    class_names,
    find_split_folders,
    is_hidden,
    list_files,
    missing_class_messages,
    shared_folders,
)
from tfkit.data.files.read import read_with_missing_counts
from tfkit.errors import UserError, format_list

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
        source: Any source that `read_frame` accepts, a list of strings, a folder, or an archive of one. In a folder,
            each file with the suffix `.txt`, or without a suffix, is a text, and the top-level folder it is in is its
            class.
        text_column: The name of the text column made from a folder or a list; None for "text".
        target: The name of the class column made from a folder.
        read_options: delimiter, encoding, na_values of `read_frame`; without `na_values`, only empty cells are missing.

    Returns:
        The rows, with messages in `attrs["messages"]`, and the counts.

    Raises:
        UserError: If there is nothing to read, or it cannot be read.
    """
    import pandas as pd

    read_options["na_values"] = read_options.get("na_values") or []  # "null" and "?" are texts, and may be classes
    if isinstance(source, pd.Series) and text_column in source.index:  # a row of a table
        source = source.to_frame().T
    if isinstance(source, list | tuple | pd.Series) and not any(isinstance(row, Mapping) for row in source):
        source = {text_column or "text": list(source)}
    if folder := _as_folder(source):
        return _read_folder(folder, text_column or "text", target, read_options.get("encoding")), {}
    return read_with_missing_counts(source, list_columns=[target], **read_options)


def split_sources(source: Any) -> tuple[Any, Any, list[str]] | None:
    """Return the training and the test folder of a folder of splits, and a message; None for any other source."""
    folder = _as_folder(source)
    return None if folder is None else find_split_folders(folder, _text_names(list_files(folder)[0]))


def _as_folder(source: Any) -> Path | None:
    """Return the path of a folder, or of an unpacked archive of one; None for any other source."""
    if not isinstance(source, str | os.PathLike) or "\n" in str(source):
        return None
    path = Path(source).expanduser()
    if os.path.isdir(path):
        return path
    if archives.is_tar(path) or archives.is_zip_of_files(path):
        return archives.unpack(path)
    return None


def _text_names(names: list[str]) -> list[str]:
    """Select the files that are texts: `.txt`, without a suffix, or with a number after a dot."""
    suffixes = {name: PurePosixPath(name).suffix.lower() for name in names}
    return [
        name
        for name, suffix in suffixes.items()
        if not is_hidden(name) and (suffix in ("", ".txt", ".text") or suffix[1:].isdigit())
    ]


def _read_folder(folder: Path, text_column: str, target: str, encoding: str | None) -> "pd.DataFrame":
    """Read each text file of a folder into a row: text, class or None, and path."""
    import pandas as pd

    all_names, messages = list_files(folder)
    names = _text_names(all_names)
    if not names:
        raise UserError(
            f"A folder of texts must contain .txt files, for training in one folder per class. "
            f"Received: {folder} without .txt files"
        )
    text_encoding.check_file_names(names, folder)
    not_texts = [name for name in all_names if name not in set(names) and not is_hidden(name)]
    if not_texts:
        suffixes = sorted({PurePosixPath(name).suffix.lower() for name in not_texts})
        messages.append(
            f"{len(not_texts):,} of {len(names) + len(not_texts):,} files skipped, not texts: {format_list(suffixes)}"
        )
    shared = shared_folders(names)
    all_labels = class_names([*names, *not_texts], shared)
    contents = {name: _read_content(folder / name) for name in names}
    if binary := [name for name in names if not PurePosixPath(name).suffix and b"\0" in contents[name]]:
        messages.append(f"{len(binary):,} of {len(names):,} files skipped, not texts: {format_list(binary)}")
        contents = {name: content for name, content in contents.items() if name not in set(binary)}
        names = [*contents]
    labels = class_names(names, shared)
    paths = [folder / name for name in names]
    texts, encoding_messages = text_encoding.decode_all([*contents.values()], encoding, paths)
    frame = pd.DataFrame({text_column: texts, target: pd.Series(labels, dtype=object), PATH_COLUMN: names})
    frame.attrs["text_column"] = text_column
    frame.attrs["messages"] = messages + encoding_messages + missing_class_messages(all_labels, labels, "no text")
    return frame


def _read_content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Every text file must be readable. Received: {path}, {error.strerror or error}") from error
