"""Column names and types of the Parquet files of one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tfkit.data.columns.names import unique_column_names
from tfkit.data.files import read
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile


def source_names_of(file: ParquetFile, path: str) -> dict[str, str]:
    """Map column names to the names in the file.

    A named pandas index comes first, an unnamed index is skipped.
    """
    schema = file.schema_arrow
    index = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    source_names = [name for name in index if not name.startswith("__index_level_")]
    source_names += [name for name in schema.names if name not in index]
    return dict(zip(unique_column_names(source_names, path), source_names, strict=True))


def common_columns(
    parquet_files: list[ParquetFile], source_names: list[dict[str, str]], paths: list[Path]
) -> list[str]:
    """Return the columns, which must be the same and have the same type in all files."""
    first_schema, first_names = parquet_files[0].schema_arrow, source_names[0]
    for file, file_names, path in zip(parquet_files, source_names, paths, strict=False):
        if set(file_names) != set(first_names):
            raise read.columns_differ_error(path, paths[0])
        for name, source_name in file_names.items():
            value_type = _value_type(file.schema_arrow.field(source_name).type)
            first_type = _value_type(first_schema.field(first_names[name]).type)
            if value_type != first_type:
                raise UserError(
                    f"The files of a folder must have the same type in each column. Received: {name!r}, {first_type} "
                    f"in {paths[0]} and {value_type} in {path}"
                )
    return list(first_names)


def common_partitions(
    folder_values: list[dict[str, str | None]], stored: list[str], paths: list[Path]
) -> list[dict[str, str | None]]:
    """Return the columns in the names of folders that the files do not have; they must be the same for all files."""
    result = [{name: value for name, value in values.items() if name not in stored} for values in folder_values]
    for values, path in zip(result, paths, strict=False):
        if set(values) != set(result[0]):
            raise read.columns_differ_error(path, paths[0])
    return [{name: values[name] for name in result[0]} for values in result]


def _value_type(arrow_type: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type):
        return "numbers"
    return "dates" if pa.types.is_timestamp(arrow_type) or pa.types.is_date(arrow_type) else "text"


def column_position(file: ParquetFile, name: str) -> int:
    """Return the position of a column in the metadata of a file."""
    schema = file.metadata.schema
    return next(i for i in range(file.metadata.num_columns) if schema.column(i).path == name)
