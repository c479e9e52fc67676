"""Reader of series for prediction and evaluation."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.targets import read_target
from tfkit.data.series.dataset import pad_series, valid_length
from tfkit.data.series.files import SeriesCollection, find_series
from tfkit.data.series.metadata import SeriesMetadata, SeriesSchema
from tfkit.data.series.preprocessing import INPUT_NAME
from tfkit.errors import UserError, format_list

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tfkit")


def read(source: Any, metadata: SeriesMetadata, *, with_targets: bool = False, with_columns: bool = False) -> Any:
    """Read new series as model inputs, and validate them against the training schema.

    Args:
        source: Any source that `find_series` accepts.
        metadata: Result of `fit_schema`.
        with_targets: Whether to return targets too; series without a target are then dropped with a warning.
        with_columns: Whether to return the columns to write beside the predictions too: all columns of a wide table,
            otherwise ids and labels.

    Returns:
        `{"series": (rows, steps, channels)}` in the dtype of training, NaN where missing and after the end; with
        `with_targets`, also the class codes or values `(rows,)`; with `with_columns`, also a DataFrame.

    Raises:
        UserError: If there are no series, their channels differ from training or, where lengths must be equal, their
            lengths do.
    """
    schema, target_name = metadata.series, metadata.target.name
    equal_lengths = not schema.variable_length
    series = find_series(
        source,
        target=target_name,
        require_target=with_targets,
        step_columns=schema.step_columns,
        ignore_unknown_columns=equal_lengths,
        **metadata.read_options,
    )
    for message in series.messages:
        log.info("%s", message)
    if equal_lengths and series.step_columns and set(series.step_columns) & set(schema.step_columns or ()):
        _check_steps(series.step_columns, schema.step_columns or ())
    if len(series.channels) != len(schema.channels):
        raise UserError(
            f"Series must have the same number of channels as in training, {len(schema.channels)}. "
            f"Received: {len(series.channels)}"
        )
    if with_targets:
        series = _drop_without_target(series, target_name)
    values = series.arrays()
    _log_mismatches(values, schema)
    result: list[Any] = [{INPUT_NAME: pad_series(values, metadata)}]
    if with_targets:
        result.append(read_target(series.frame, metadata.target))
    if with_columns:
        result.append(_output_columns(series))
    return tuple(result) if len(result) > 1 else result[0]


def _drop_without_target(series: SeriesCollection, target_name: str) -> SeriesCollection:
    """Drop series without a target, with a warning; raise an error if none has one."""
    if series.target is None:
        require_columns(series.frame, [target_name])
    has_target = series.frame[target_name].notna()
    if not has_target.any():
        raise UserError(
            f"There must be series with a target to score. Received: {target_name!r}, missing in all {len(series):,}"
        )
    if not has_target.all():
        log.warning("%s of %s series left out: no %s", f"{(~has_target).sum():,}", f"{len(series):,}", target_name)
    return series.with_frame(series.frame[has_target])


def _check_steps(names: Sequence[str], step_columns: Sequence[str]) -> None:
    """Raise an error if a step column of training is missing."""
    missing = [name for name in step_columns if name not in names]
    if missing:
        raise UserError(
            f"The table must have all step columns of training. Received: {len(names):,} of "
            f"{len(step_columns):,} columns, without {format_list(missing)}"
        )


def _log_mismatches(values: Sequence[np.ndarray], schema: SeriesSchema) -> None:
    """Log a warning about empty series, and about series longer than in training."""
    num_empty = sum(not np.isfinite(array).any() for array in values)
    if num_empty:
        log.warning("%s of %s series have no value; zeros are used", f"{num_empty:,}", f"{len(values):,}")
    if schema.variable_length:
        num_long = sum(valid_length(array) > schema.length for array in values)
        if num_long:
            log.warning(
                "%s of %s series are longer than any in training; they are truncated to %s steps",
                f"{num_long:,}",
                f"{len(values):,}",
                f"{schema.length:,}",
            )


def _output_columns(series: SeriesCollection) -> "pd.DataFrame":
    """Return a DataFrame of the columns to write beside the predictions."""
    import pandas as pd

    frame = series.frame.reset_index(drop=True)
    if series.step_columns is None:
        return frame
    values = np.stack([array[:, 0] for array in series.arrays()])
    return pd.concat([frame, pd.DataFrame(values, columns=series.step_columns)], axis=1)
