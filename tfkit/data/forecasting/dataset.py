"""Datasets of forecast windows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.forecasting.features import covariates, series_timestamps
from tfkit.data.forecasting.series_grid import SeriesGrid
from tfkit.datasets.windows import WindowDataset
from tfkit.errors import UserError

MAX_EVAL_WINDOWS = 100_000  # of the validation split, and of the test split


def history_windows(
    grid: SeriesGrid, present: np.ndarray, info: Mapping[str, Any], split: str, prepare: Any = None, *, power: int = 1
) -> WindowDataset:
    """Create the windows of a split in the order of time; of "train+val" the windows of both splits.

    Validation and test have at most 100,000 windows: beyond that only every second, third, ... start time is used.

    Args:
        grid, present: Results of `load_history`.
        info: Result of `learn_history`.
        split: train, val, test, or two of them joined by a plus sign.
        prepare: Result of `prepare_windows`.
        power: Exponent of the unit of the values in the loss, 2 for squared errors; series are weighted so that their
            loss does not depend on their unit.

    Raises:
        UserError: If the split has no window.
    """
    bounds = [info["splits"][name] for name in split.split("+")]
    begin, end, past, horizon = bounds[0][0], bounds[-1][1], info["past"], info["horizon"]
    time_index, series_index = grid.time_index, grid.series_index
    first: np.ndarray = np.zeros(len(grid.names), "int64")
    last: np.ndarray = np.zeros(len(grid.names), "int64")
    first[series_index[::-1]], last[series_index] = time_index[::-1], time_index
    excluded = np.isin(grid.names, info["series"]["left_out"])
    is_origin = (time_index >= np.maximum(begin, first[series_index] + past)) & ~excluded[series_index]
    is_origin &= time_index + horizon <= np.minimum(end, last[series_index] + 1)
    origins = np.flatnonzero(is_origin)
    num_present = np.concatenate([[0], np.cumsum(present)])
    origins = origins[num_present[origins + horizon] > num_present[origins]]
    if not len(origins):
        raise UserError(
            f"Every split must contain at least one window, with its past before it; use a shorter context_length= or "
            f"horizon=. Received: {past=}, {horizon=}, none for {split}"
        )
    if split in ("val", "test"):
        origins = origins[(time_index[origins] - begin) % -(-len(origins) // MAX_EVAL_WINDOWS) == 0]
    origins = origins[np.lexsort((series_index[origins], time_index[origins]))]
    scale = np.array(info["series"]["scale"])
    weight = 1 / np.where(scale > 0, scale, 1) ** power
    return WindowDataset(
        grid.values,
        origins,
        past=past,
        horizon=horizon,
        covariates=covariates(grid, info),
        prepare=prepare,
        present=present,
        series=series_index,
        weight=weight,
        stamp=lambda steps: series_timestamps(grid.names, series_index[steps], time_index[steps], info),
    )
