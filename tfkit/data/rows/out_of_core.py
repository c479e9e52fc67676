"""Out-of-core tables: rows on disk, read by column, by row, or in chunks."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.files import read as files_read
from tfkit.data.files.formats import parquet, suffixes
from tfkit.data.rows.parquet_table import ParquetTable
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tfkit")

MEMORY_FRACTION = 1 / 16  # of the physical memory; a larger table stays on disk: reading takes a few times its size

MAX_SAMPLE_ROWS = 1_000_000  # random training rows on which numeric columns are fitted

MAX_SAMPLE_CELLS = 20_000_000  # of these rows, so fewer rows if there are many columns

COMPRESSION_RATIO = 5  # size of a text file over its compressed size


def too_large(table: Any) -> bool:
    """Whether a file, or a folder of files, is too large to be read into memory."""
    if not isinstance(table, str | os.PathLike):
        return False
    path = Path(table).expanduser()
    try:
        size = sum(map(_size, files_read.list_table_files(path) if os.path.isdir(path) else [path]))
    except (OSError, UserError):  # the reader reports what is wrong with the file
        return False
    return size > MEMORY_FRACTION * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(path: Path) -> float:
    """Estimate the memory for a file: 8 bytes a number, 24 bytes a text."""
    import pyarrow as pa
    from pyarrow import parquet as arrow

    kind, suffix = suffixes.file_format(path.name)
    if kind != "parquet" or suffix:
        return path.stat().st_size * (COMPRESSION_RATIO if suffix else 1)
    try:
        file = arrow.ParquetFile(path)
    except pa.ArrowException:
        return 0
    row_bytes = sum(8 if pa.types.is_primitive(field.type) else 24 for field in file.schema_arrow)
    return file.metadata.num_rows * row_bytes


class OutOfCoreTable:
    """Rows of an on-disk table, for the functions that fit or split a frame.

    All columns have a normalized dtype (`normalize_dtype`). A column that is selected by name is read completely; all
    columns together are only read in chunks. Columns in `column_cache` stay in memory.

    Args:
        source: The files.
        indices: Row indices, ascending; None for all rows.
    """

    def __init__(self, source: ParquetTable, indices: np.ndarray | None = None):
        self.source = source
        self.columns = source.columns
        dtype: Any = "int32" if source.rows < 2**31 else "int64"
        self.indices = np.arange(source.rows, dtype=dtype) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Any) -> Any:
        """Select a column by its name, or rows by a boolean mask."""
        import pandas as pd

        if not isinstance(key, str):
            return OutOfCoreTable(self.source, self.indices[np.asarray(key)])
        if key in self.source.column_cache:
            return self.source.column_cache[key].take(self.indices)
        return pd.concat([chunk[key] for chunk in self.chunks([key])])

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Iterate over all rows in frames of limited size, indexed by row index."""
        return self.source.read(self.indices, columns)

    def head(self, rows: int = parquet.CHUNK_ROWS) -> pd.DataFrame:
        """Return the first rows."""
        import pandas as pd

        return pd.concat(list(self.source.read(self.indices[:rows])))

    def sample(self, *, seed: int = 0) -> pd.DataFrame:
        """Return all rows, or an ordered random sample that fits into memory."""
        import pandas as pd

        max_rows = max(1, min(MAX_SAMPLE_ROWS, MAX_SAMPLE_CELLS // len(self.columns)))
        indices = self.indices
        if len(indices) > max_rows:
            indices = indices[np.sort(np.random.default_rng(seed).choice(len(indices), max_rows, replace=False))]
        return pd.concat(list(self.source.read(indices)))

    def hashes(self, columns: Sequence[str] | None = None) -> np.ndarray:
        """Compute a hash of each row, `(rows,)` uint64: equal rows have equal hashes."""
        is_all_columns = columns is None or list(columns) == self.columns
        if is_all_columns and self.source.hashes is not None:
            return self.source.hashes[self.indices]
        hashes: np.ndarray = np.empty(len(self), "uint64")
        start = 0
        for chunk in self.chunks(None if is_all_columns else columns):
            hashes[start : start + len(chunk)] = row_hashes(chunk)
            start += len(chunk)
        if is_all_columns and len(self) == self.source.rows:
            self.source.hashes = hashes
        return hashes


def open_out_of_core(table: Any, target: str, **read_options: Any) -> tuple[OutOfCoreTable, dict[str, dict[str, int]]]:
    """Open an on-disk table with its target column in memory.

    Returns:
        The table, and the counts of the texts that are read as missing: column -> text -> count.
    """
    source = ParquetTable(table, read_options)
    if target in source.columns:  # the caller raises if the target is absent
        source.cache_column(target)
    log.info(
        "Too large for memory, so the table stays on disk: %s rows of %d columns",
        f"{source.rows:,}",
        len(source.columns),
    )
    return OutOfCoreTable(source), source.missing_counts


def row_hashes(frame: Any) -> np.ndarray:
    """Compute a hash of each row, `(rows,)` uint64: equal rows have equal hashes."""
    import pandas as pd

    return pd.util.hash_pandas_object(frame, index=False).to_numpy()
