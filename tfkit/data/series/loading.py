"""Load, split and validate series, and convert new series to model inputs."""

import logging
from typing import Any

import numpy as np

from tfkit.data.rows.splits import train_val_test_split
from tfkit.data.series.dataset import valid_length
from tfkit.data.series.files import SeriesCollection, find_series
from tfkit.errors import UserError
from tfkit.metadata import Target

SPLIT_SETTINGS = frozenset({"val_fraction", "test_fraction", "group_column"})

log = logging.getLogger("tfkit")


def load(
    data: Any,
    target: str | None = None,
    *,
    test_data: Any = None,
    variable_length: bool | str = "auto",
    **read_options: Any,
) -> tuple[SeriesCollection, SeriesCollection | None, list[str]]:
    """Load labeled series, and those to test on if there are some.

    Args:
        data, test_data: Any source that `find_series` accepts.
        target: The column to predict; see `find_series`.
        variable_length: False raises an error if series differ in length; True and "auto" do not.
        read_options: Other arguments of `find_series`.

    Returns:
        The usable series, those of `test_data` or None, and messages about changes to the data.

    Raises:
        UserError: If there are no series, all have one step, or their lengths are not allowed.
    """
    series = find_series(data, target=target, **read_options)
    if series.target is None:
        raise UserError(f"Series to train on must have a target. Received: {data}, without labels")
    series, messages = _drop_unusable(series)
    if max(len(values) for values in series.arrays()) < 2:
        raise UserError(
            "A series must have at least two steps; for values that do not depend on time use "
            "`tfkit train tabular`. Received: series of one step"
        )
    _check_lengths(series, variable_length)
    if test_data is None:
        return series, None, messages
    test = find_series(test_data, target=series.target, **read_options)
    if test.target is None or len(test.channels) != len(series.channels):
        raise UserError(
            f"The test table must have a target, and the same number of channels as the table, "
            f"{len(series.channels)}. Received: {len(test.channels)}{'' if test.target else ', and no target'}"
        )
    test, test_messages = _drop_unusable(test, " of the test table")
    _check_lengths(test, variable_length)
    in_test = np.isin(_hashes(series), _hashes(test))
    if in_test.all():
        raise UserError(
            f"The table must have series that are not in the test table. Received: {len(series):,}, all in both"
        )
    if in_test.any():
        test_messages.append(
            f"{int(in_test.sum()):,} of {len(series):,} series left out: they are in the test table too"
        )
        series = series.with_frame(series.frame[~in_test])
    return series, test, messages + test_messages


def split(
    series: SeriesCollection, target: Target, *, test_data: SeriesCollection | None = None, **options: Any
) -> tuple[SeriesCollection, SeriesCollection, SeriesCollection]:
    """Split into training, validation and test series, stratified by class or by group.

    Duplicates stay in the same split.

    Args:
        series: Series of `load`.
        target: Result of `infer_target`.
        test_data: Separate test series, or None to take a fraction of `series`.
        options: val_fraction, test_fraction, seed and group_column of `train_val_test_split`.
    """
    import pandas as pd

    duplicate_codes = pd.factorize(_hashes(series))[0]
    test_frame = None if test_data is None else test_data.frame
    splits = train_val_test_split(series.frame, target, test_data=test_frame, duplicate_ids=duplicate_codes, **options)
    sources = (series, series, series if test_data is None else test_data)
    train, val, test = (source.with_frame(frame) for source, frame in zip(sources, splits, strict=True))
    return train, val, test


def _drop_unusable(series: SeriesCollection, origin: str = "") -> tuple[SeriesCollection, list[str]]:
    """Drop series without a target or without values; return the others and messages.

    Args:
        series: The series to filter.
        origin: Text after "series" in the messages, such as " of the test table".
    """
    num_series, messages = len(series), list(series.messages)
    no_target = series.frame[series.target].isna().to_numpy()
    if no_target.all():
        raise UserError(
            f"At least one series must have a target. Received: {series.target!r}, missing in all {num_series:,}"
        )
    no_value = np.array([not np.isfinite(values).any() for values in series.arrays()])
    if no_value.all():
        raise UserError(f"Series must have values. Received: {num_series:,} series{origin}, all empty")
    for mask, reason in ((no_target, f"no {series.target}"), (no_value & ~no_target, "no value")):
        if mask.any():
            messages.append(f"{int(mask.sum()):,} of {num_series:,} series{origin} left out: {reason}")
    return series.with_frame(series.frame[~(no_target | no_value)]), messages


def _check_lengths(series: SeriesCollection, variable_length: bool | str) -> None:
    """Raise an error if lengths must be equal, and are not."""
    distinct = sorted({len(values) for values in series.arrays()})
    if not variable_length and len(distinct) > 1:
        raise UserError(
            f"With variable_length=false all series must have the same number of steps; use variable_length=true to "
            f"allow any length. Received: {distinct[0]:,} to {distinct[-1]:,} steps"
        )


def _hashes(series: SeriesCollection) -> np.ndarray:
    """Return a hash of the valid values of each series, equal for duplicates."""
    return np.array([hash(values[: valid_length(values)].tobytes()) for values in series.arrays()])
