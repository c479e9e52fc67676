"""Datasets of series."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfkit.data.columns.targets import read_target, scale_targets
from tfkit.data.series.files import SeriesCollection
from tfkit.data.series.metadata import SeriesMetadata
from tfkit.data.series.preprocessing import INPUT_NAME
from tfkit.datasets.array import ArrayDataset
from tfkit.errors import UserError

if TYPE_CHECKING:
    import keras

MAX_FEATURE_VALUES = 2**28  # features of all series together: one gigabyte as float32


def make_dataset(
    splits: Iterable[SeriesCollection], metadata: SeriesMetadata, preprocessor: "keras.Model"
) -> list[ArrayDataset]:
    """Create a dataset of each split, preprocessed once and stored in memory."""
    from tfkit.datasets.batch_predict import predict

    splits = list(splits)
    longest = max(len(array) for split in splits for array in split.arrays())
    raw = np.concatenate([pad_series(split.arrays(), metadata, longest) for split in splits])
    x, datasets, start = predict(preprocessor, {INPUT_NAME: raw}), [], 0
    for split in splits:
        rows = slice(start, start + len(split))
        y = read_target(split.frame, metadata.target)
        inputs, targets = {name: values[rows] for name, values in x.items()}, scale_targets(y, metadata.target)
        dataset = ArrayDataset(inputs, targets, raw={INPUT_NAME: raw[rows]}).with_target_values(y)
        datasets.append(dataset.with_row_ids(split.frame.index.to_numpy() + 1))
        start = rows.stop
    return datasets


def pad_series(values: Sequence[np.ndarray], metadata: SeriesMetadata, longest: int = 0) -> np.ndarray:
    """Stack series to `(rows, steps, channels)`, NaN after the end of each.

    Raises:
        UserError: If they must have equal length, and do not.
    """
    schema, dtype = metadata.series, metadata.inputs[INPUT_NAME]["dtype"]
    if not schema.variable_length:
        unequal = [index for index, array in enumerate(values) if len(array) != schema.length]
        if unequal:
            raise UserError(
                f"Every series must have {schema.length:,} steps, as all had in training; train with "
                f"variable_length=true to allow any length. Received: {len(values[unequal[0]]):,} steps in series "
                f"{unequal[0] + 1:,}, the first of {len(unequal):,}"
            )
        return np.stack(values).astype(dtype)
    longest = max(longest, max(map(len, values)))
    padded: np.ndarray = np.full((len(values), longest, len(schema.channels)), np.nan, dtype)
    for row, array in enumerate(values):
        padded[row, : len(array)] = array
    return padded


def valid_length(values: np.ndarray) -> int:
    """Return the number of steps up to the last with a finite value."""
    finite_steps = np.flatnonzero(np.isfinite(values).any(axis=1))
    return int(finite_steps[-1]) + 1 if len(finite_steps) else 0
