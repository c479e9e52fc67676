"""Datasets of tables."""

import logging
from typing import Any

from tfkit.data.columns.targets import read_target, scale_targets
from tfkit.data.rows import out_of_core
from tfkit.data.tabular.encoded_dataset import encode_on_disk
from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.data.tabular.validation import to_raw_inputs
from tfkit.datasets.array import ArrayDataset
from tfkit.datasets.memmap import MemmapDataset

log = logging.getLogger("tfkit")


def make_dataset(frame: Any, metadata: TabularMetadata, preprocessor: Any) -> ArrayDataset | MemmapDataset:
    """Preprocess the rows of a table once and return them as a dataset."""
    from tfkit.datasets.batch_predict import predict

    if isinstance(frame, out_of_core.OutOfCoreTable):
        return encode_on_disk(frame, metadata, preprocessor)
    raw, unreadable = to_raw_inputs(frame, metadata)
    for name, count in unreadable.items():  # a smaller number of cells is reported when the column schema is fitted
        if count == frame[name].notna().sum():
            log.warning(
                "%s: none of the %d cells of a split matches the column type of the training data; "
                "all count as missing",
                name,
                count,
            )
    y = read_target(frame, metadata.target)
    dataset = ArrayDataset(predict(preprocessor, raw), scale_targets(y, metadata.target), raw=raw)
    return dataset.with_row_ids(frame.index.to_numpy() + 1).with_target_values(y)
