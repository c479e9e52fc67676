"""Preprocess an on-disk table once and store the inputs in a memory-mapped file."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.targets import read_target, scale_targets
from tfkit.data.files.formats import parquet
from tfkit.data.rows.out_of_core import OutOfCoreTable
from tfkit.data.rows.parquet_table import ParquetTable
from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.data.tabular.validation import to_raw_inputs
from tfkit.datasets.memmap import MemmapDataset, allocate_memmap, record_dtype

log = logging.getLogger("tfkit")


def encode_on_disk(table: OutOfCoreTable, metadata: TabularMetadata, preprocessor: Any) -> MemmapDataset:
    """Preprocess rows of an on-disk table into a memory-mapped dataset.

    The first split that is requested encodes all rows of the files in one pass. The temporary file has no name, so that
    an interrupted process leaves no file.
    """
    source = table.source
    if source.encoding_cache is None or source.encoding_cache[0] is not preprocessor:
        source.encoding_cache = (preprocessor, _encode(source, metadata, preprocessor))
    target = metadata.target
    y = read_target({target.name: table[target.name]}, target)

    def raw(indices: np.ndarray) -> dict[str, np.ndarray]:
        return _raw(source, indices, metadata)

    dataset = MemmapDataset(source.encoding_cache[1], table.indices, scale_targets(y, target), raw=raw)
    return dataset.with_row_ids(table.indices + 1).with_target_values(y)


def _encode(source: ParquetTable, metadata: TabularMetadata, preprocessor: Any) -> np.ndarray:
    """Preprocess every row of the files into an array of records of fixed length."""
    from tfkit.datasets.batch_predict import compiled_predictor

    array: Any = None
    encode: Callable[[Any], Mapping[str, np.ndarray]] | None = None
    columns = metadata.feature_columns
    unreadable, present = dict.fromkeys(columns, 0), dict.fromkeys(columns, 0)
    start = 0
    for chunk in source.read(np.arange(source.rows), columns):
        raw, chunk_unreadable = to_raw_inputs(chunk, metadata)
        encode = encode or compiled_predictor(
            preprocessor, raw, parquet.CHUNK_ROWS
        )  # the outputs are as small as the inputs
        records = encode(raw)
        if array is None:
            array = allocate_memmap((source.rows,), record_dtype(records))
            log.info("Rows are encoded to %.1f GB on disk", array.nbytes / 1e9)
        for name, values in records.items():
            array[name][start : start + len(chunk)] = values
        start += len(chunk)
        for name in columns:
            unreadable[name] += chunk_unreadable.get(name, 0)
            present[name] += int(chunk[name].notna().sum())
    for name in columns:
        if unreadable[name] and unreadable[name] == present[name]:
            log.warning(
                "%s: none of the %d cells matches the column type of the training data; all count as missing",
                name,
                unreadable[name],
            )
    return array


def _raw(source: ParquetTable, indices: np.ndarray, metadata: TabularMetadata) -> dict[str, np.ndarray]:
    """Read the raw model inputs of rows, in the order of the indices."""
    import pandas as pd

    ascending, order = np.unique(indices, return_inverse=True)
    columns = metadata.feature_columns
    raw, _ = to_raw_inputs(pd.concat(list(source.read(ascending, columns))), metadata)
    return {name: values[order] for name, values in raw.items()}
