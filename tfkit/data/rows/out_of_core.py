"""Out-of-core table in Parquet files, read by column, by row, or in chunks."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.values import MAX_EXACT_INTEGER, normalize_dtype
from tfkit.data.files import parquet
from tfkit.data.files import read as files_read
from tfkit.data.files.chunks import ChunkReader, NotChunkableError
from tfkit.data.files.normalize import DEFAULT_NA_VALUES, mark_missing
from tfkit.data.rows.parquet_schema import column_position, common_columns, source_names_of
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger("tfkit")

MEMORY_FRACTION = (
    1 / 16
)  # of the physical memory: a larger table stays on disk, because reading takes a few times its size

MAX_SAMPLE_ROWS = 1_000_000  # random training rows on which numeric columns are fitted

MAX_SAMPLE_CELLS = 20_000_000  # of these rows, so fewer rows if there are many columns

MAX_CATEGORIES = 1000  # a cached column with more distinct texts is not stored as categorical

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

    kind, suffix = files_read.file_format(path.name)
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

    All columns have a normalized dtype (`cells.plain`). A column that is selected by name is read completely; all
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


class ParquetTable:
    """The Parquet files of a table.

    Text files are converted to an unlinked temporary Parquet file.

    Args:
        table: A file, or a folder of files.
        read_options: `delimiter`, `encoding` and `missing` of `read_frame`.

    Raises:
        UserError: If the files are not tables, or have different columns.
    """

    def __init__(self, table: str | os.PathLike[str], read_options: Mapping[str, Any]):
        from pyarrow import parquet as arrow

        na_values = read_options.get("na_values")
        self.missing_markers: Sequence[str] = (
            DEFAULT_NA_VALUES
            if na_values is None
            else ["", *([na_values] if isinstance(na_values, str) else na_values)]
        )
        self.missing_counts: dict[
            str, dict[str, int]
        ] = {}  # column -> marker of missing cells -> count, of read columns
        self.column_cache: dict[str, pd.Series] = {}
        self.hashes: np.ndarray | None = None
        self.encoding_cache: Any = None  # the preprocessing model, and the array of encoded rows
        path = Path(table).expanduser()
        paths = files_read.list_table_files(path) if os.path.isdir(path) else [path]
        is_parquet = all(files_read.file_format(file_path.name) == ("parquet", "") for file_path in paths)
        self._is_normalized = not is_parquet  # whether missing cells are marked already
        sources: list[Any] = list(paths) if is_parquet else [_as_parquet(paths, read_options, self.missing_counts)]
        # `pre_buffer` would keep everything in memory that was ever read
        self._files = [arrow.ParquetFile(source, pre_buffer=False) for source in sources]
        self._source_names = [source_names_of(file, str(path)) for file, path in zip(self._files, paths, strict=False)]
        self.columns = common_columns(self._files, self._source_names, paths)
        self._long_integers = {name for name in self.columns if self._is_long_integer(name)}
        self._starts = [0, *np.cumsum([file.metadata.num_rows for file in self._files]).tolist()]
        self.rows = self._starts[-1]

    def cache_column(self, name: str) -> None:
        """Keep a column in memory, and count its texts that are read as missing."""
        import pandas as pd

        cells = pd.concat([chunk[name] for chunk in self.read(np.arange(self.rows), [name])], ignore_index=True)
        is_categorical = cells.dtype == "str" and cells.nunique() < MAX_CATEGORIES
        self.column_cache[name] = cells.astype("category") if is_categorical else cells

    def read(self, indices: np.ndarray, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Read rows with ascending indices, in chunks.

        Row groups that contain none of the rows are skipped.
        """
        columns = self.columns if columns is None else list(columns)
        for file, source_names, start in zip(self._files, self._source_names, self._starts, strict=False):
            for group in range(file.metadata.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                in_group = _indices_between(indices, start, end)
                if len(in_group):
                    names_in_file = [source_names[name] for name in columns]
                    batches = file.iter_batches(parquet.CHUNK_ROWS, row_groups=[group], columns=names_in_file)
                    yield from self._read_batches(batches, start, in_group, columns, source_names)
                start = end

    def _read_batches(
        self,
        batches: Iterable[pa.RecordBatch],
        start: int,
        indices: np.ndarray,
        columns: list[str],
        source_names: dict[str, str],
    ) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        for batch in batches:
            end = start + len(batch)
            in_batch = _indices_between(indices, start, end)
            if len(in_batch):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                frame = table.select([source_names[name] for name in columns]).to_pandas().set_axis(columns, axis=1)
                frame = frame if len(in_batch) == len(frame) else frame.iloc[in_batch - start]
                yield self._normalize(frame).set_axis(in_batch, axis=0)
            start = end

    def _normalize(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Convert cells like `read_frame` and `cells.plain`.

        Integers that float64 cannot represent exactly become text.
        """
        import pandas as pd

        if not self._is_normalized:
            frame, missing_counts = mark_missing(frame, self.missing_markers)
            for name, counts in missing_counts.items():
                _add_counts(self.missing_counts.setdefault(str(name), {}), counts)
        for name in self._long_integers.intersection(frame):
            frame[name] = frame[name].astype("string").astype("str")
        return pd.DataFrame({name: normalize_dtype(column) for name, column in frame.items()})

    def _is_long_integer(self, name: str) -> bool:
        """Whether a column has integers that float64 cannot represent exactly.

        This is read from the statistics of the files; columns with missing cells are floats.
        """
        import pyarrow as pa

        for file, source_names in zip(self._files, self._source_names, strict=True):
            if not pa.types.is_integer(file.schema_arrow.field(source_names[name]).type):
                return False
            position = column_position(file, source_names[name])
            groups = [file.metadata.row_group(i).column(position) for i in range(file.metadata.num_row_groups)]
            statistics = [group.statistics for group in groups]
            if any(
                group is not None and group.has_min_max and max(abs(group.min), abs(group.max)) > MAX_EXACT_INTEGER
                for group in statistics
            ):
                return all(group is not None and group.null_count == 0 for group in statistics)
        return False


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


def _indices_between(indices: np.ndarray, start: int, end: int) -> np.ndarray:
    return indices[np.searchsorted(indices, start) : np.searchsorted(indices, end)]


def _add_counts(total: dict[str, int], counts: Mapping[str, int]) -> None:
    total |= {text: total.get(text, 0) + count for text, count in counts.items()}


def _as_parquet(
    paths: list[Path], read_options: Mapping[str, Any], missing_counts: dict[str, dict[str, int]]
) -> IO[bytes]:
    """Convert text files of any format to one unlinked Parquet file."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as its readers
    columns: list[str] | None = None
    with parquet.open_writer(out) as write:
        for path in paths:
            try:
                chunks = ChunkReader(path, **read_options)
            except NotChunkableError:  # the file is broken, which `read_frame` reports, or cannot be read in chunks
                files_read.read_frame(path, **read_options)
                raise UserError(
                    f"A table that is too large for memory must be Parquet, CSV or JSON lines with one type "
                    f"per column. Received: {path}"
                ) from None
            for chunk in chunks:
                columns = columns or list(chunk.columns)
                if sorted(columns) != sorted(chunk.columns):
                    raise files_read.columns_differ_error(path, paths[0])
                write(chunk[columns])
            for name, counts in chunks.missing_counts.items():
                _add_counts(missing_counts.setdefault(str(name), {}), counts)
    out.flush()
    return out


def row_hashes(frame: Any) -> np.ndarray:
    """Compute a hash of each row, `(rows,)` uint64: equal rows have equal hashes."""
    import pandas as pd

    return pd.util.hash_pandas_object(frame, index=False).to_numpy()
