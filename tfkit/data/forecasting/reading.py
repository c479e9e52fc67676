"""Read new tables as windows of the forecasting model, validated against the training schema."""

import logging
from typing import Any

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.columns.names import require_columns
from tfkit.data.columns.values import normalize_dtype
from tfkit.data.files.read import read_frame, read_messages
from tfkit.data.forecasting.dataset import make_dataset
from tfkit.data.forecasting.features import compute_calendar_features, series_timestamps
from tfkit.data.forecasting.metadata import ForecastingMetadata, SeriesStatistics
from tfkit.data.forecasting.series_grid import SeriesGrid, fill_missing_values, to_series_grid, trim_missing_ends
from tfkit.data.forecasting.time_column import restore_dtypes
from tfkit.datasets.windows import WindowDataset
from tfkit.errors import UserError, format_list

log = logging.getLogger("tfkit")

MAX_SCORED_WINDOWS = 20_000  # of one file


def read(source: Any, metadata: ForecastingMetadata, *, with_targets: bool = False, with_columns: bool = False) -> Any:
    """Read a table as model inputs, validated against the training schema.

    By default there is one window per series: its past is the end of the series, its targets lie after the table. The
    future values of known covariates are in rows without a value after that end. With `with_targets`, all windows of
    the table with known targets are returned, and their targets.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        metadata: Result of `fit_schema`.
        with_targets: Whether to return windows with targets, instead of those that reach beyond the table.
        with_columns: Whether to return a DataFrame with the series id and time of every predicted value too.

    Returns:
        A dictionary of arrays, one row per window; with `with_targets`, also the targets; with `with_columns`, also a
        DataFrame.

    Raises:
        UserError: If a column does not exist or cannot be parsed, or no series is as long as the past.
    """
    frame = read_frame(source, **metadata.read_options)
    for message in read_messages(frame):
        log.info("%s", message)
    source_frame = frame
    required = [*metadata.time["columns"], *metadata.target_columns, *metadata.known_covariates]
    require_columns(frame, [*required, *([metadata.series_id_column] if metadata.series_id_column else [])])
    frame = frame.assign(**{name: normalize_dtype(column) for name, column in frame.items()})
    untrimmed, _, messages = to_series_grid(frame, metadata)
    grid, trim_messages = trim_missing_ends(untrimmed, metadata.fill_missing)
    for message in messages + trim_messages:
        log.warning("%s", message)
    train_codes = {name: code for code, name in enumerate(metadata.series.names)}
    new_names = [name for name in grid.names if name not in train_codes]
    if new_names:
        log.warning("%d series were not in training; they are forecast too: %s", len(new_names), format_list(new_names))
    grid = fill_missing_values(grid, metadata.fill_missing)
    if with_targets:
        windows = _scored_windows(grid, metadata)
        raw = windows.raw_inputs(np.arange(len(windows)))
        codes, starts = grid.series_index[windows.forecast_starts], grid.time_index[windows.forecast_starts]
    else:
        raw, codes, starts = last_windows(grid, untrimmed, metadata)
    result: list[Any] = [raw]
    if with_targets:
        y_true = windows.targets()
        y_true["series"] = [train_codes.get(grid.names[code], -1) for code in codes]
        result.append(y_true)
    if with_columns:
        time_index = (starts[:, None] + np.arange(metadata.horizon)).ravel()
        columns = series_timestamps(grid.names, np.repeat(codes, metadata.horizon), time_index, metadata)
        times = frequencies.to_timestamps(time_index, metadata.frequency)
        result.append(restore_dtypes(columns, times, source_frame, metadata.time))
    return tuple(result) if len(result) > 1 else result[0]


def _scored_windows(grid: SeriesGrid, metadata: ForecastingMetadata) -> WindowDataset:
    """Create the windows of all known targets of a table, at most MAX_SCORED_WINDOWS."""
    bounds = (int(grid.time_index.min()), int(grid.time_index.max()) + 1)
    series = SeriesStatistics(names=grid.names, scale=[1.0] * len(grid.names))
    windows = make_dataset(grid, metadata.model_copy(update={"splits": {"file": bounds}, "series": series}), "file")
    num_scored = min(MAX_SCORED_WINDOWS, len(windows))
    if num_scored < len(windows):
        log.warning("%s of %s windows are scored, evenly spaced", f"{num_scored:,}", f"{len(windows):,}")
    indices = np.unique(np.linspace(0, len(windows) - 1, num_scored).astype(int))
    windows.forecast_starts = windows.forecast_starts[indices]
    return windows


def last_windows(
    grid: SeriesGrid, untrimmed: SeriesGrid, metadata: ForecastingMetadata
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Create the window of each series whose targets begin after its last value.

    Args:
        grid: The trimmed and filled series.
        untrimmed: The series of all rows, with future values of known covariates.
        metadata: Result of `fit_schema`.

    Returns:
        Model inputs, the series index of each window, and the time index of its first target.
    """
    past, horizon = metadata.context_length, metadata.horizon
    values, covariates, codes, ends, short = [], [], [], [], []
    for code, (name, steps, all_steps) in enumerate(zip(grid.names, grid.slices(), untrimmed.slices(), strict=True)):
        if steps.stop - steps.start < past:
            short.append(name)
            continue
        end = int(grid.time_index[steps][-1]) + 1
        values.append(grid.values[steps][-past:])
        codes.append(code)
        ends.append(end)
        if metadata.known_covariates:
            time_index = untrimmed.time_index[all_steps]
            future = untrimmed.covariates[all_steps][(time_index >= end) & (time_index < end + horizon)]
            if len(future) < horizon or np.isnan(future).any():
                num_complete = int((~np.isnan(future).any(1)).sum())
                raise UserError(
                    f"Known covariates must be given for every step of the horizon, in rows without a value "
                    f"after the last value. Received: {format_list(metadata.known_covariates)} for {num_complete} of "
                    f"{horizon} steps of {name!r}"
                )
            covariates.append(np.concatenate([grid.covariates[steps][-past:], future]))
    if not values:
        raise UserError(
            f"At least one series must have as many rows as the past that the model sees. Received: at most "
            f"{int(np.bincount(grid.series_index).max()):,}, where {past:,} are needed"
        )
    if short:
        log.warning("%d series left out: shorter than the past of %d steps: %s", len(short), past, format_list(short))
    raw = {"values": np.array(values, metadata.inputs["values"]["dtype"])}
    starts = np.array(ends)
    if "calendar" in metadata.inputs:
        time_index = (starts[:, None] + np.arange(-past, horizon)).ravel()
        raw["calendar"] = compute_calendar_features(time_index, metadata).reshape(len(starts), past + horizon, -1)
    if metadata.known_covariates:
        raw["known"] = np.array(covariates, metadata.inputs["known"]["dtype"])
    return raw, np.array(codes), starts
