"""Formats of table files: recognized by suffix, or by the first bytes."""

from pathlib import Path

from tfkit.data.files import compression as files_compression
from tfkit.errors import UserError

FORMAT_BY_SUFFIX = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".feather": "arrow",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".orc": "orc",
    ".json": "json",
    ".arff": "arff",
    ".tsf": "tsf",
    ".npy": "numpy",
    ".npz": "numpy",
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"), "excel"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "sqlite"),
}

ROW_FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow", "orc")  # of files that are parts of a table

WRITABLE_FORMATS = ("csv", "tsv", "jsonl", "json", "parquet")  # of `write_frame`

WRITABLE_SUFFIXES = tuple(suffix for suffix, name in FORMAT_BY_SUFFIX.items() if name in WRITABLE_FORMATS)

_NON_TABLE_FORMATS = {  # first bytes of text that is not a table
    b"%pdf": "a PDF document",
    b"<html": "a web page (HTML)",
    b"<!doctype html": "a web page (HTML)",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
}


def suffix_formats(name: str) -> set[str]:
    """Return the formats of all suffixes of a file name."""
    return {FORMAT_BY_SUFFIX[suffix] for suffix in map(str.lower, Path(name).suffixes) if suffix in FORMAT_BY_SUFFIX}


def non_table_format(head: bytes) -> str | None:
    """Describe a file that is not a table by its first bytes; None if it may be one."""
    head = head.lstrip().lower()
    return next((description for magic, description in _NON_TABLE_FORMATS.items() if head.startswith(magic)), None)


def decompressed_format(name: str, path: Path) -> str:
    """Return the format by the file name inside a .zip if known, else by the path."""
    return file_format(name if Path(name).suffix.lower() in FORMAT_BY_SUFFIX else path.name)[0]


def file_format(name: str) -> tuple[str, str]:
    """Return the format of a file name, and the suffix of its compression or `""`."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in files_compression.SUFFIXES else ""
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in FORMAT_BY_SUFFIX:
        raise UserError(
            f"The suffix of a table file must be one of {' '.join(FORMAT_BY_SUFFIX)}, followed by one of "
            f"{' '.join(files_compression.SUFFIXES)} if it is compressed. Received: {name}"
        )
    return FORMAT_BY_SUFFIX[suffix], compression
