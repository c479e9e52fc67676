"""Reader of series for prediction and evaluation."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.target import read_target
from tfkit.data.series.dataset import pad_series, valid_length
from tfkit.data.series.files import SeriesCollection, find_series
from tfkit.data.series.loading import _check_steps
from tfkit.data.series.preprocessing import INPUT_NAME
from tfkit.errors import UserError

log = logging.getLogger("tfkit")


def read_series(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read new series as model inputs, and validate them against the training schema.

    Args:
        source: Any source that `find_series` accepts.
        info: Result of `learn_series`.
        target: Whether to return targets too; series without a target are then dropped with a warning.
        own: Whether to return the columns to write beside the predictions too: all columns of a wide table, otherwise
            ids and labels.

    Returns:
        `{"series": (rows, steps, channels)}` float32, NaN where missing and after the end; with `target`, also the
        class indices or values `(rows,)`; with `own`, also a DataFrame.

    Raises:
        UserError: If there are no series, their channels differ from training or, where lengths must be equal, their
            lengths do.
    """
    schema, target_name = info["series"], info["target"]["name"]
    equal_lengths = schema["lengths"] == "equal"
    series = find_series(
        source,
        target=target_name,
        require_target=target,
        step_columns=schema["columns"],
        ignore_unknown_columns=equal_lengths,
        **info["reading"],
    )
    if equal_lengths and series.step_columns and set(series.step_columns) & set(schema["columns"] or ()):
        _check_steps(series.step_columns, schema["columns"])
    if len(series.channels) != len(schema["channels"]):
        raise UserError(
            f"Series must have the same number of channels as in training, {len(schema['channels'])}. "
            f"Received: {len(series.channels)}"
        )
    if target:
        if series.target is None:
            require_columns(series.frame, [target_name])
        has_target = series.frame[target_name].notna()
        if not has_target.any():
            raise UserError(
                f"There must be series with a target to score. Received: {target_name!r}, missing in all "
                f"{len(series):,}"
            )
        if not has_target.all():
            log.warning("%s of %s series left out: no %s", f"{(~has_target).sum():,}", f"{len(series):,}", target_name)
        series = series.with_frame(series.frame[has_target])
    values = series.each()
    _log_mismatches(values, schema)
    result: list[Any] = [{INPUT_NAME: pad_series(values, info)}]
    if target:
        result.append(read_target(series.frame, info["target"]))
    if own:
        result.append(_output_columns(series))
    return tuple(result) if len(result) > 1 else result[0]


def _log_mismatches(values: Sequence[np.ndarray], schema: Mapping[str, Any]) -> None:
    """Log a warning about empty series, and about series longer than in training."""
    num_empty = sum(not np.isfinite(array).any() for array in values)
    if num_empty:
        log.warning("%s of %s series have no value; zeros are used", f"{num_empty:,}", f"{len(values):,}")
    if schema["lengths"] == "pad":
        num_long = sum(valid_length(array) > schema["length"] for array in values)
        if num_long:
            log.warning(
                "%s of %s series are longer than any in training; they are truncated to %s steps",
                f"{num_long:,}",
                f"{len(values):,}",
                f"{schema['length']:,}",
            )


def _output_columns(series: SeriesCollection) -> Any:
    """Return a DataFrame of the columns to write beside the predictions."""
    import pandas as pd

    frame = series.frame.reset_index(drop=True)
    if series.step_columns is None:
        return frame
    values = np.stack([array[:, 0] for array in series.each()])
    return pd.concat([frame, pd.DataFrame(values, columns=series.step_columns)], axis=1)
