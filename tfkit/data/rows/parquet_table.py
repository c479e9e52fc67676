"""The Parquet files of one table, read by row index."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.values import MAX_EXACT_INTEGER, normalize_dtype
from tfkit.data.files import read as files_read
from tfkit.data.files.chunks import ChunkReader, NotChunkableError
from tfkit.data.files.formats import parquet, suffixes
from tfkit.data.files.normalize import DEFAULT_NA_VALUES, mark_missing
from tfkit.data.files.partitions import partition_messages, partition_values
from tfkit.data.rows.parquet_schema import column_position, common_columns, common_partitions, source_names_of
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MAX_CATEGORIES = 1000  # a cached column with more distinct texts is not stored as categorical


class ParquetTable:
    """The Parquet files of a table.

    Text files are converted to an unlinked temporary Parquet file.

    Args:
        table: A file, or a folder of files.
        read_options: `delimiter`, `encoding` and `na_values` of `read_frame`.

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
        self.missing_counts: dict[str, dict[str, int]] = {}  # column -> missing marker -> count, of read columns
        self.column_cache: dict[str, pd.Series] = {}
        self.hashes: np.ndarray | None = None
        self.encoding_cache: Any = None  # the preprocessing model, and the array of encoded rows
        path = Path(table).expanduser()
        paths = files_read.list_table_files(path) if os.path.isdir(path) else [path]
        self.messages: list[str] = []  # about what was assumed when the files were opened
        folders = [partition_values(file_path, path if os.path.isdir(path) else path.parent) for file_path in paths]
        is_parquet = all(suffixes.file_format(file_path.name) == ("parquet", "") for file_path in paths)
        self._is_normalized = not is_parquet  # whether missing cells are marked already
        sources: list[Any] = list(paths)
        if not is_parquet:
            sources = [_as_parquet(paths, folders, read_options, self.missing_counts, self.messages)]
            folders = [{}]
        # `pre_buffer` would keep everything in memory that was ever read
        self._files = [arrow.ParquetFile(source, pre_buffer=False) for source in sources]
        self._source_names = [source_names_of(file, str(path)) for file, path in zip(self._files, paths, strict=False)]
        stored = common_columns(self._files, self._source_names, paths)
        self._folder_values = common_partitions(folders, stored, paths)
        self.messages += partition_messages(folders, stored)
        self.columns = [*stored, *self._folder_values[0]]
        self._long_integers = {name for name in self.columns if self._is_long_integer(name)}
        self._starts = [0, *np.cumsum([file.metadata.num_rows for file in self._files]).tolist()]
        self.rows = self._starts[-1]

    def cache_column(self, name: str) -> None:
        """Keep a column in memory, and count its texts that are read as missing."""
        import pandas as pd

        cells = pd.concat([chunk[name] for chunk in self.read(np.arange(self.rows), [name])], ignore_index=True)
        is_categorical = cells.dtype == "str" and cells.nunique() < MAX_CATEGORIES
        self.column_cache[name] = cells.astype("category") if is_categorical else cells
        if self._is_boolean(name):
            self.column_cache[name].attrs["boolean_columns"] = [name]  # which are strings here, as in a frame

    def read(self, indices: np.ndarray, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Read rows with ascending indices, in chunks.

        Row groups that contain none of the rows are skipped.
        """
        import pandas as pd

        columns = self.columns if columns is None else list(columns)
        sources = zip(self._files, self._source_names, self._folder_values, self._starts, strict=False)
        for file, source_names, folder_values, start in sources:
            for group in range(file.metadata.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                in_group = _indices_between(indices, start, end)
                if len(in_group):
                    names = {name: source_names[name] for name in columns if name in source_names}
                    in_file = [*names.values()] or list(source_names.values())[:1]  # a batch needs a column
                    batches = file.iter_batches(parquet.CHUNK_ROWS, row_groups=[group], columns=in_file)
                    for chunk in self._read_batches(batches, start, in_group, names):
                        for name in [name for name in folder_values if name in columns]:
                            chunk[name] = pd.Series(folder_values[name], chunk.index, dtype="str")
                        yield chunk if list(chunk) == columns else chunk[columns]
                start = end

    def _read_batches(
        self,
        batches: Iterable[pa.RecordBatch],
        start: int,
        indices: np.ndarray,
        source_names: dict[str, str],
    ) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        for batch in batches:
            end = start + len(batch)
            in_batch = _indices_between(indices, start, end)
            if len(in_batch):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                frame = table.select([*source_names.values()]).to_pandas().set_axis([*source_names], axis=1)
                frame = frame if len(in_batch) == len(frame) else frame.iloc[in_batch - start]
                yield self._normalize(frame).set_axis(in_batch, axis=0)
            start = end

    def _normalize(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Convert cells like `read_frame` and `normalize_dtype`.

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

    def _is_boolean(self, name: str) -> bool:
        source_name = self._source_names[0].get(name)
        return source_name is not None and str(self._files[0].schema_arrow.field(source_name).type) == "bool"

    def _is_long_integer(self, name: str) -> bool:
        """Whether a column has integers that float64 cannot represent exactly.

        This is read from the statistics of the files; columns with missing cells are floats.
        """
        import pyarrow as pa

        for file, source_names in zip(self._files, self._source_names, strict=True):
            if name not in source_names or not pa.types.is_integer(file.schema_arrow.field(source_names[name]).type):
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


def _indices_between(indices: np.ndarray, start: int, end: int) -> np.ndarray:
    return indices[np.searchsorted(indices, start) : np.searchsorted(indices, end)]


def _add_counts(total: dict[str, int], counts: Mapping[str, int]) -> None:
    total |= {text: total.get(text, 0) + count for text, count in counts.items()}


def _as_parquet(
    paths: list[Path],
    folders: Sequence[Mapping[str, str | None]],
    read_options: Mapping[str, Any],
    missing_counts: dict[str, dict[str, int]],
    messages: list[str],
) -> IO[bytes]:
    """Convert text files of any format to one unlinked Parquet file, with the columns in the names of folders."""
    import pandas as pd

    out = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as its readers
    columns: list[str] | None = None
    with parquet.open_writer(out) as write:
        for path, folder_values in zip(paths, folders, strict=True):
            try:
                chunks = ChunkReader(path, **read_options)
            except NotChunkableError:  # the file is broken, which `read_frame` reports, or cannot be read in chunks
                files_read.read_frame(path, **read_options)
                raise UserError(
                    f"A table that is too large for memory must be Parquet, CSV or JSON lines, in one encoding, with "
                    f"one type per column, and quotes only around cells. Received: {path}"
                ) from None
            for chunk in chunks:
                for name in [name for name in folder_values if name not in chunk]:
                    chunk[name] = pd.Series(folder_values[name], chunk.index, dtype="str")
                columns = columns or list(chunk.columns)
                if sorted(columns) != sorted(chunk.columns):
                    raise files_read.columns_differ_error(path, paths[0])
                write(chunk[columns])
            for name, counts in chunks.missing_counts.items():
                _add_counts(missing_counts.setdefault(str(name), {}), counts)
            messages += [message for message in chunks.messages if message not in messages]
        added = [name for values in folders for name in values]
        messages += [f"columns from the names of folders: {', '.join(dict.fromkeys(added))}"] if added else []
    out.flush()
    return out
