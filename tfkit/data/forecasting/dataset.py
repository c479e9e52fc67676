"""Datasets of forecast windows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfkit.data.forecasting.features import covariates, series_timestamps
from tfkit.data.forecasting.metadata import ForecastingMetadata
from tfkit.data.forecasting.series_grid import SeriesGrid
from tfkit.datasets.windows import WindowDataset
from tfkit.errors import UserError

MAX_EVAL_WINDOWS = 100_000  # of the validation split, and of the test split


class SplitWindows(WindowDataset):
    """The windows of one split, or of several splits in succession."""

    split: str
    grid: SeriesGrid
    of_split: Callable[[str], "SplitWindows"]

    def concatenate(self, dataset: WindowDataset) -> WindowDataset:
        """Return the windows of this split and the next, and those whose targets begin in one and end in the other."""
        if not isinstance(dataset, SplitWindows):
            return super().concatenate(dataset)
        return self.of_split(f"{self.split}+{dataset.split}")


def make_dataset(
    grid: SeriesGrid, metadata: ForecastingMetadata, split: str, preprocessor: Any = None, *, power: int = 1
) -> SplitWindows:
    """Create the windows of a split in the order of time; of "train+val" the windows of both splits.

    Validation and test have at most 100,000 windows: beyond that only every second, third, ... start time is used.

    Args:
        grid: The series, a result of `load`.
        metadata: Result of `fit_schema`.
        split: train, val, test, or two of them joined by a plus sign.
        preprocessor: Result of `make_preprocessor`; None for raw inputs.
        power: Exponent of the unit of the values in the loss, 2 for squared errors; series are weighted so that their
            loss does not depend on their unit.

    Raises:
        UserError: If the split has no window.
    """
    bounds = [metadata.splits[name] for name in split.split("+")]
    begin, end, past, horizon = bounds[0][0], bounds[-1][1], metadata.context_length, metadata.horizon
    time_index, series_index = grid.time_index, grid.series_index
    first: np.ndarray = np.zeros(len(grid.names), "int64")
    last: np.ndarray = np.zeros(len(grid.names), "int64")
    first[series_index[::-1]], last[series_index] = time_index[::-1], time_index
    excluded = np.isin(grid.names, metadata.series.excluded)
    is_start = (time_index >= np.maximum(begin, first[series_index] + past)) & ~excluded[series_index]
    is_start &= time_index + horizon <= np.minimum(end, last[series_index] + 1)
    starts = np.flatnonzero(is_start)
    num_observed = np.concatenate([[0], np.cumsum(grid.is_observed)])
    starts = starts[num_observed[starts + horizon] > num_observed[starts]]
    if not len(starts):
        raise UserError(
            f"Every split must contain at least one window, with its past before it; use a shorter context_length= or "
            f"horizon=. Received: context_length={past}, {horizon=}, none for {split}"
        )
    if split in ("val", "test"):
        starts = starts[(time_index[starts] - begin) % -(-len(starts) // MAX_EVAL_WINDOWS) == 0]
    starts = starts[np.lexsort((series_index[starts], time_index[starts]))]
    scale = np.array(metadata.series.scale)
    windows = SplitWindows(
        grid.values,
        starts,
        context_length=past,
        horizon=horizon,
        covariates=covariates(grid, metadata),
        preprocessor=preprocessor,
        is_observed=grid.is_observed,
        series=series_index,
        weight=1 / np.where(scale > 0, scale, 1) ** power,
        lookup_timestamps=lambda steps: series_timestamps(grid.names, series_index[steps], time_index[steps], metadata),
        dtype=metadata.inputs["values"]["dtype"],
    )
    windows.split, windows.grid = split, grid
    windows.of_split = lambda name: make_dataset(grid, metadata, name, preprocessor, power=power)
    return windows
