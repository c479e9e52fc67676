"""Read and write Parquet chunk by chunk, with the dtypes of the complete file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow import parquet as arrow_parquet

CHUNK_ROWS = 65_536  # rows of a chunk


def read_chunks(file: BinaryIO, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield the rows that `pandas.read_parquet` returns, in chunks.

    Integer columns with gaps are float64 in every chunk.
    """
    import pyarrow as pa
    from pyarrow import parquet as arrow_parquet

    with file:
        parquet_file = arrow_parquet.ParquetFile(file, pre_buffer=False)  # `pre_buffer` keeps all data in memory
        columns_with_gaps = _integer_columns_with_gaps(parquet_file, columns)
        for batch in parquet_file.iter_batches(CHUNK_ROWS, columns=columns):
            table = pa.Table.from_batches([batch])
            for index, field in enumerate(table.schema):
                if field.name in columns_with_gaps:
                    values = table.column(index).cast(pa.float64(), safe=False)
                    table = table.set_column(index, pa.field(field.name, pa.float64(), metadata=field.metadata), values)
            yield table.to_pandas()


def _integer_columns_with_gaps(parquet_file: arrow_parquet.ParquetFile, columns: list[str] | None = None) -> set[str]:
    """Return the integer columns with missing cells.

    They are found from the statistics of the file, or else by reading it.
    """
    import pyarrow as pa

    integer_columns = [
        field.name
        for field in parquet_file.schema_arrow
        if pa.types.is_integer(field.type) and (columns is None or field.name in columns)
    ]
    metadata = parquet_file.metadata
    indices = {metadata.schema.column(index).path: index for index in range(metadata.num_columns)}
    columns_with_gaps = set()
    for name in integer_columns:
        statistics = [
            metadata.row_group(group).column(indices[name]).statistics for group in range(metadata.num_row_groups)
        ]
        if all(group is not None and group.has_null_count for group in statistics):
            has_gaps = any(group.null_count for group in statistics)
        else:
            has_gaps = any(
                batch.column(0).null_count for batch in parquet_file.iter_batches(CHUNK_ROWS, columns=[name])
            )
        if has_gaps:
            columns_with_gaps.add(name)
    return columns_with_gaps


@contextmanager
def open_writer(out: BinaryIO) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Open a Parquet writer; the first frame sets the type of each column.

    Raises:
        UserError: If a column has several types.
    """
    import pyarrow as pa
    from pyarrow import parquet as arrow_parquet

    writer: arrow_parquet.ParquetWriter | None = None

    def write(frame: pd.DataFrame) -> None:
        nonlocal writer
        try:
            table = pa.Table.from_pandas(frame, None if writer is None else writer.schema, preserve_index=False)
        except (pa.ArrowException, TypeError) as error:
            raise UserError(
                f"A column must have one type to be written as Parquet; write CSV instead. "
                f"Received: {first_line(error)}"
            ) from error
        if writer is None:
            writer = arrow_parquet.ParquetWriter(out, table.schema)
        writer.write_table(table)

    yield write
    if writer is not None:
        writer.close()
