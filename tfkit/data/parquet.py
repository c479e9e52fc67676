"""Parquet a block of rows at a time, in the types that the whole file would have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd

ROWS = 65_536  # of a block


def blocks(file: Any, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """The rows as `pandas.read_parquet` would give them; whole numbers of a column with gaps are floats throughout."""
    import pyarrow as pa
    from pyarrow import parquet

    with file:
        found = parquet.ParquetFile(file, pre_buffer=False)  # or it holds on to all that was read
        gaps = with_gaps(found, columns)
        for batch in found.iter_batches(ROWS, columns=columns):
            table = pa.Table.from_batches([batch])
            for place, field in enumerate(table.schema):
                if field.name in gaps:
                    values = table.column(place).cast(pa.float64(), safe=False)
                    table = table.set_column(place, pa.field(field.name, pa.float64(), metadata=field.metadata), values)
            yield table.to_pandas()


def with_gaps(found: Any, columns: list[str] | None = None) -> set[str]:
    """The columns of whole numbers in which cells are missing, by what the file says of itself or else by reading."""
    import pyarrow as pa

    whole = [
        field.name
        for field in found.schema_arrow
        if pa.types.is_integer(field.type) and (columns is None or field.name in columns)
    ]
    places = {found.metadata.schema.column(i).path: i for i in range(found.metadata.num_columns)}
    gaps = set()
    for name in whole:
        told = [
            found.metadata.row_group(group).column(places[name]).statistics
            for group in range(found.metadata.num_row_groups)
        ]
        if all(one is not None and one.has_null_count for one in told):
            there = any(one.null_count for one in told)
        else:
            there = any(batch.column(0).null_count for batch in found.iter_batches(ROWS, columns=[name]))
        if there:
            gaps.add(name)
    return gaps


@contextmanager
def writing(out: Any) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Frames written below each other; the first says what type each column has.

    Raises:
        UserError: If a column holds several types.
    """
    import pyarrow as pa
    from pyarrow import parquet

    begun: list[Any] = []

    def write(frame: pd.DataFrame) -> None:
        try:
            table = pa.Table.from_pandas(frame, begun[0].schema if begun else None, preserve_index=False)
        except (pa.ArrowException, TypeError) as error:
            raise UserError(
                f"A column must hold one type to be written as Parquet; write CSV instead. "
                f"Received: {first_line(error)}"
            ) from error
        if not begun:
            begun.append(parquet.ParquetWriter(out, table.schema))
        begun[0].write_table(table)

    yield write
    for writer in begun:
        writer.close()
