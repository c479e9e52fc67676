"""Datasets of tables."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfkit.data.columns.target import read_target
from tfkit.data.rows import out_of_core
from tfkit.data.tabular.encoded_dataset import encoded_rows
from tfkit.data.tabular.validation import to_raw_inputs
from tfkit.datasets.array import ArrayDataset

if TYPE_CHECKING:
    pass

log = logging.getLogger("tfkit")


def table_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> ArrayDataset:
    """Preprocess the rows of a table once and return them as a dataset."""
    from tfkit.datasets.batch_predict import predict

    if isinstance(frame, out_of_core.OutOfCoreTable):
        return encoded_rows(frame, info, prepare)
    raw, unreadable = to_raw_inputs(frame, info)
    for name, count in unreadable.items():  # a smaller number of cells is reported when the column schema is fitted
        if count == frame[name].notna().sum():
            log.warning(
                "%s: none of the %d cells of a split matches the column type of the training data; "
                "all count as missing",
                name,
                count,
            )
    y = read_target(frame, info["target"])
    if info["task"] == "regression":
        y = ((y - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    return ArrayDataset(predict(prepare, raw), y, raw=raw).named(frame.index.to_numpy() + 1)
