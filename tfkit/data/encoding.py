"""Rows of a table that stays on disk are prepared once, and lie there as compact as training reads them."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data import parquet
from tfkit.data.disk import DiskTable, Lying
from tfkit.data.holding import raw_rows
from tfkit.data.stored import Stored, lying, record_of
from tfkit.data.targets import read_target

log = logging.getLogger("tfkit")


def encoded_rows(table: DiskTable, info: Mapping[str, Any], prepare: Any) -> Stored:
    """Rows of a table as a split that is read from disk, in the order that training draws over all of them.

    All rows of the files are encoded when the first of their splits is asked for, in one pass; the file has no name, so
    that nothing is left of it where that is interrupted.
    """
    if table.lying.encoded is None or table.lying.encoded[0] is not prepare:
        table.lying.encoded = (prepare, _encoded(table.lying, info, prepare))
    truth = read_target({info["target"]["name"]: table[info["target"]["name"]]}, info["target"])
    if info["task"] == "regression":
        truth = ((truth - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")

    def raw(places: np.ndarray) -> dict[str, np.ndarray]:
        return _raw(table.lying, places, info)

    return Stored(table.lying.encoded[1], table.places, truth, raw=raw).named(table.places + 1)


def _encoded(source: Lying, info: Mapping[str, Any], prepare: Any) -> np.ndarray:
    """Every row of the files, a record of fixed length each."""
    from tfkit.datasets.batch_predict import compiled_predictor

    array: Any = None
    says: Any = None
    columns = list(dict.fromkeys(rule["column"] for rule in info["inputs"].values()))
    unread, present = dict.fromkeys(columns, 0), dict.fromkeys(columns, 0)
    start = 0
    for block in source.read(np.arange(source.rows), columns):
        raw, lost = raw_rows(block, info)
        says = says or compiled_predictor(
            prepare, raw, parquet.ROWS
        )  # what is prepared is as small as what it is made of
        rows = says(raw)
        if array is None:
            array = lying((source.rows,), record_of(rows))
            log.info("Rows are encoded to %.1f GB on disk", array.nbytes / 1e9)
        for name, values in rows.items():
            array[name][start : start + len(block)] = values
        start += len(block)
        for name in columns:
            unread[name] += lost.get(name, 0)
            present[name] += int(block[name].notna().sum())
    for name in columns:
        if unread[name] and unread[name] == present[name]:
            log.warning(
                "%s: none of the %d cells is what the training cells are; all count as missing", name, unread[name]
            )
    return array


def _raw(source: Lying, places: np.ndarray, info: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Some rows as the user's files have them, in the order asked for."""
    import pandas as pd

    ascending, order = np.unique(places, return_inverse=True)
    columns = list(dict.fromkeys(rule["column"] for rule in info["inputs"].values()))
    raw, _ = raw_rows(pd.concat(list(source.read(ascending, columns))), info)
    return {name: values[order] for name, values in raw.items()}
