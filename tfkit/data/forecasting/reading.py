"""Read new tables as windows of the forecasting model, validated against the training schema."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.values import normalize_dtype
from tfkit.data.files.read import read_marked
from tfkit.data.forecasting.dataset import history_windows
from tfkit.data.forecasting.features import calendar_features, series_timestamps
from tfkit.data.forecasting.series_grid import SeriesGrid, fill_missing, to_series_grid, trim_missing_ends
from tfkit.errors import UserError, format_list

log = logging.getLogger("tfkit")

MAX_SCORED_WINDOWS = 20_000  # of one file


def read_history(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read a table as model inputs, validated against the training schema.

    By default there is one window per series: its past is the end of the series, its targets lie after the table. The
    future values of known covariates are in rows without a value after that end. With `target`, all windows of the
    table with known targets are returned, and their targets.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        info: Result of `learn_history`.
        target: Whether to return windows with targets, instead of those that reach beyond the table.
        own: Whether to return a DataFrame with the series id and time of every predicted value too.

    Returns:
        A dictionary of arrays, one row per window; with `target`, also the targets; with `own`, also a DataFrame.

    Raises:
        UserError: If a column does not exist or cannot be parsed, or no series is as long as the past.
    """
    rules = info["rules"]
    frame, _ = read_marked(source, **info["reading"])
    required = [rules["time"]["column"], *rules["target"], *rules["known"]]
    require_columns(frame, [*required, *([rules["series_column"]] if rules["series_column"] else [])])
    frame = frame.assign(**{name: normalize_dtype(column) for name, column in frame.items()})
    untrimmed, _, messages = to_series_grid(frame, rules)
    grid, trim_messages = trim_missing_ends(untrimmed, rules["gaps"])
    for message in messages + trim_messages:
        log.warning("%s", message)
    train_codes = {name: code for code, name in enumerate(info["series"]["names"])}
    new_names = [name for name in grid.names if name not in train_codes]
    if new_names:
        log.warning("%d series were not in training; they are forecast too: %s", len(new_names), format_list(new_names))
    grid, present = fill_missing(grid, rules["gaps"])
    if not target:
        raw, codes, origins = _last_windows(grid, untrimmed, info)
    else:
        file_info = {**info, "splits": {"file": [int(grid.time_index.min()), int(grid.time_index.max()) + 1]}}
        file_info["series"] = {"scale": [1.0] * len(grid.names), "left_out": []}
        windows = history_windows(grid, present, file_info, "file")
        num_scored = min(MAX_SCORED_WINDOWS, len(windows))
        if num_scored < len(windows):
            log.warning("%s of %s windows are scored, evenly spaced", f"{num_scored:,}", f"{len(windows):,}")
        windows.origins = windows.origins[np.unique(np.linspace(0, len(windows) - 1, num_scored).astype(int))]
        raw = windows.raw(np.arange(len(windows)))
        codes, origins = grid.series_index[windows.origins], grid.time_index[windows.origins]
    result: list[Any] = [raw]
    if target:
        y_true = windows.truth()
        y_true["series"] = [train_codes.get(grid.names[code], -1) for code in codes]
        result.append(y_true)
    if own:
        time_index = (origins[:, None] + np.arange(info["horizon"])).ravel()
        result.append(series_timestamps(grid.names, np.repeat(codes, info["horizon"]), time_index, info))
    return tuple(result) if len(result) > 1 else result[0]


def _last_windows(
    grid: SeriesGrid, untrimmed: SeriesGrid, info: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Create the window of each series whose targets begin after its last value.

    Args:
        grid: The trimmed and filled series.
        untrimmed: The series of all rows, with future values of known covariates.
        info: Result of `learn_history`.

    Returns:
        Model inputs, the series index of each window, and the time index of its first target.
    """
    past, horizon = info["past"], info["horizon"]
    values, covariates, codes, ends, short = [], [], [], [], []
    for code, (name, steps, all_steps) in enumerate(zip(grid.names, grid.slices(), untrimmed.slices(), strict=True)):
        if steps.stop - steps.start < past:
            short.append(name)
            continue
        end = int(grid.time_index[steps][-1]) + 1
        values.append(grid.values[steps][-past:])
        codes.append(code)
        ends.append(end)
        if info["known"]:
            time_index = untrimmed.time_index[all_steps]
            future = untrimmed.covariates[all_steps][(time_index >= end) & (time_index < end + horizon)]
            if len(future) < horizon or np.isnan(future).any():
                num_complete = int((~np.isnan(future).any(1)).sum())
                raise UserError(
                    f"Known covariates must be given for every step of the horizon, in rows without a value "
                    f"after the last value. Received: {format_list(info['rules']['known'])} for {num_complete} of "
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
    raw = {"values": np.array(values, "float32")}
    origins = np.array(ends)
    if "calendar" in info["inputs"]:
        time_index = (origins[:, None] + np.arange(-past, horizon)).ravel()
        raw["calendar"] = calendar_features(time_index, info).reshape(len(origins), past + horizon, -1)
    if info["known"]:
        raw["known"] = np.array(covariates, "float32")
    return raw, np.array(codes), origins
