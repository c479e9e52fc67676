"""Columns in the names of folders, such as `year=2024/month=7/part-0.parquet` (Hive partitions)."""

from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote

MISSING_VALUE = "__HIVE_DEFAULT_PARTITION__"


def partition_values(path: Path, folder: Path) -> dict[str, str | None]:
    """Return the columns and values in the names of the folders of a file; None where missing.

    These are the folders between a folder and the file, and, if the folder is a partition itself, those above it.

    Example:
        >>> partition_values(Path("sales/year=2024/shop=a%20b/0.csv"), Path("sales"))
        {'year': '2024', 'shop': 'a b'}
        >>> partition_values(Path("sales/year=2024/0.csv"), Path("sales/year=2024"))
        {'year': '2024'}
    """
    above = takewhile(lambda part: "=" in part, reversed(folder.absolute().parts))
    parts = [*reversed(list(above)), *path.relative_to(folder).parts[:-1]]
    pairs = [part.split("=", 1) for part in parts if "=" in part]
    return {unquote(name): None if value == MISSING_VALUE else unquote(value) for name, value in pairs if name}


def partition_messages(values: Iterable[dict[str, str | None]], stored: Iterable[str]) -> list[str]:
    """Name the columns that come from the names of folders.

    Args:
        values: The result of `partition_values` for each file.
        stored: The columns that the files have themselves, and which are used instead.
    """
    names = dict.fromkeys(name for file_values in values for name in file_values)
    columns = [name for name in names if name not in set(stored)]
    return [f"columns from the names of folders: {', '.join(columns)}"] if columns else []
