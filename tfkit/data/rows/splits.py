"""Split rows into training, validation and test sets, before anything is fitted."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfkit.data.columns import dates, infer_type, numbers
from tfkit.data.columns.targets import strata
from tfkit.data.columns.values import normalize_dtype, to_strings
from tfkit.data.rows.duplicates import (
    MAX_DUPLICATE_FRACTION,
    comparable_columns,
    duplicated_rows,
    exact_duplicates,
    row_hashes,
)
from tfkit.data.rows.out_of_core import OutOfCoreTable
from tfkit.errors import UserError, did_you_mean, format_list
from tfkit.metadata import Target


def split_indices(
    rows: int, *, val: float, test: float, seed: int, classes: Any = None, times: Any = None, groups: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split row indices into training, validation and test.

    Args:
        rows: The number of rows, at least 3.
        val: Fraction for validation, in `(0, 1)`.
        test: Fraction for the test, in `[0, 1)`; with 0 there is no test split.
        seed: Seed of the random split.
        classes: Codes of classes `(rows,)`, or of other strata, for a stratified split: each split has its fraction of
            each class, to less than one row; fractions of rows are carried over from class to class, the rarest class
            first. At least one row of each class is in the training split.
        times: Times `(rows,)`: the last rows in time are the test split, the rows before them are validation. Rows with
            the same time stay together.
        groups: Groups `(rows,)`: rows of the same group stay together.

    Returns:
        Three ascending arrays of row indices, which together contain every row once.

    Raises:
        UserError: If a split would be empty.

    Example:
        >>> train, val, test = split_indices(10, val=0.2, test=0.2, seed=0)
        >>> len(train), len(val), len(test)
        (6, 2, 2)
    """
    units = times if times is not None else groups
    if units is None:
        split_of_row = _stratified(np.zeros(rows, int) if classes is None else classes, val, test, seed)
    else:
        _, unit_of_row = np.unique(units, return_inverse=True)
        sizes = np.bincount(unit_of_row)
        order = np.arange(len(sizes)) if times is not None else _shuffled(sizes, max(val, test), seed)
        split_of_row = _in_order(sizes, order, val, test)[unit_of_row]
    splits = [np.flatnonzero(split_of_row == split) for split in range(3)]
    for name, fraction, indices in zip(("training", "validation", "test"), (1, val, test), splits, strict=True):
        if fraction and not len(indices):
            source = "" if units is None else f" of {len(sizes):,} {'times' if times is not None else 'groups'}"
            raise UserError(
                f"Training, validation and test must each have at least one row; add rows, or change the fractions. "
                f"Received: {rows:,} distinct rows{source}, none of them for {name}"
            )
    return splits[0], splits[1], splits[2]


def train_val_test_split(
    frame: Any,
    target: Target,
    *,
    test_data: Any = None,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    time_column: str | None = None,
    group_column: str | None = None,
    exclude_columns: Iterable[str] = (),
    day_first: bool | None = None,
    duplicate_ids: Any = None,
) -> tuple[Any, Any, Any]:
    """Split a table into training, validation and test rows.

    The split is stratified by class, in order of time, or by group.

    Rows that are equal in every column except identifiers and excluded columns stay together.

    Args:
        frame: The cleaned rows.
        target: The result of `learn_target`.
        test_data: Separate test rows, or None to use a fraction of `frame`.
        val_fraction, test_fraction: Fractions of the rows, in `(0, 1)`.
        seed: Seed of the random split.
        time_column, group_column: At most one of them; see `split_indices`.
        exclude_columns: Columns that are excluded from training.
        day_first: Whether 01/02/2024 is 1 February; None to infer it.
        duplicate_ids: Group codes `(rows,)` from 0: rows with the same code count as equal, whatever their cells are.

    Raises:
        UserError: If a column does not exist, is the target, or contains no times; if both
            are set; if a split is empty.
    """
    import pandas as pd

    _check_columns(frame, target, time_column, group_column)
    fractions = {"val": val_fraction, "test": 0.0 if test_data is not None else test_fraction}
    if (
        not all(fractions[name] for name in fractions if name == "val" or test_data is None)
        or sum(fractions.values()) >= 1
    ):
        raise UserError(
            f"`val_fraction` and `test_fraction` must be above 0, and below 1 together; --skip-test skips "
            f"the evaluation on the test rows. Received: {val_fraction=}, {test_fraction=}"
        )
    code_of_row = (
        _duplicate_codes(frame, target.name, {*exclude_columns} - {time_column, group_column})
        if duplicate_ids is None
        else duplicate_ids
    )
    distinct = frame[~pd.Series(code_of_row).duplicated().to_numpy()]  # the first row of each code
    units: dict[str, Any] = {}
    if time_column:
        units["times"] = read_times(distinct[time_column], day_first)
    elif group_column:
        units["groups"] = to_strings(normalize_dtype(distinct[group_column])).astype(str)
    else:
        units["classes"] = strata(distinct, target)
    splits = split_indices(len(distinct), seed=seed, **fractions, **units)
    train, val, test_split = (frame[np.isin(code_of_row, codes)] for codes in splits)
    return train, val, test_split if test_data is None else test_data


def _duplicate_codes(frame: Any, target: str, exclude_columns: Iterable[str]) -> np.ndarray:
    """Compute a code for each row `(rows,)`; equal rows have the same code."""
    import pandas as pd

    if isinstance(frame, OutOfCoreTable):  # identifiers are recognized from the first rows
        names = [*comparable_columns(frame.head().drop(columns=target), exclude_columns).columns, target]
        hashes = frame.hashes([name for name in frame.columns if name in names])
        frame.source.hashes = None  # no longer needed
        is_duplicate = pd.Series(hashes).duplicated()
        has_duplicates = is_duplicate.any() and is_duplicate.mean() <= MAX_DUPLICATE_FRACTION
        return pd.factorize(hashes)[0] if has_duplicates else np.arange(len(frame))
    subset = frame[[*comparable_columns(frame.drop(columns=target), exclude_columns).columns, target]]
    if exact_duplicates(subset).mean() > MAX_DUPLICATE_FRACTION:  # too few distinct rows without the identifiers
        subset = frame
    return pd.factorize(row_hashes(subset))[0] if duplicated_rows(subset).any() else np.arange(len(frame))


def _check_columns(frame: Any, target: Target, time_column: str | None, group_column: str | None) -> None:
    """Raise if the table cannot be split by these columns."""
    if time_column and group_column:
        raise UserError(
            "Rows can be split by time or by group, not by both: give time_column= or group_column=, not both."
        )
    for setting, name in (("time_column", time_column), ("group_column", group_column)):
        if name and name not in frame.columns:
            available = [str(column) for column in frame.columns]
            raise UserError(
                f"The table must have the column to split by.{did_you_mean(name, available)} "
                f"Received: {setting}={name}; there are {format_list(available)}"
            )
        if name and name == target.name:
            raise UserError(
                f"The column to split by must not be the target. Received: {setting}={name}, which is the target"
            )


def read_times(cells: Any, day_first: bool | None = None) -> np.ndarray:
    """Read times as increasing numbers: as they are, or in days since 1970."""
    cells = normalize_dtype(cells)
    rule = infer_type.infer_column_type(cells, day_first=day_first)
    if rule["kind"] == "date":
        values = dates.to_days(cells, rule)
    elif "number_format" in rule:
        values = numbers.parse(cells, rule)
    else:
        raise UserError(
            f"`time_column` must contain dates or numbers in every row. Received: {cells.name!r}, a {rule['kind']}"
        )
    if not np.isfinite(values).all():
        raise UserError(
            f"`time_column` must contain dates or numbers in every row. Received: {cells.name!r}, missing or "
            f"unreadable in {int((~np.isfinite(values)).sum()):,} rows"
        )
    return values


def _stratified(classes: np.ndarray, val: float, test: float, seed: int) -> np.ndarray:
    """Assign 0, 1 or 2 to each row, stratified by class."""
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]  # class by class, shuffled within each class
    _, starts, counts = np.unique(classes[order], return_index=True, return_counts=True)
    split_of_row: np.ndarray = np.zeros(len(classes), int)
    carry = {2: 0.999, 1: 0.999}  # fraction of a row that rounding down leaves over: the rarest class rounds up
    for code in np.argsort(counts, kind="stable"):
        start, available = starts[code], counts[code] - 1
        for split, fraction in ((2, test), (1, val)):
            target_count = counts[code] * fraction + carry[split] * (fraction > 0)
            count = min(int(target_count), available)
            carry[split] = target_count - int(target_count)
            split_of_row[order[start : start + count]] = split
            start, available = start + count, available - count
    return split_of_row


def _shuffled(sizes: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Shuffle the groups.

    Groups larger than a split come first, so that they are in training.
    """
    is_large = sizes > fraction * sizes.sum()
    return np.lexsort((np.random.default_rng(seed).random(len(sizes)), ~is_large))


def _in_order(sizes: np.ndarray, order: np.ndarray, val: float, test: float) -> np.ndarray:
    """Assign 0, 1 or 2 to each unit.

    In order, the units fill training, validation and test, each with at least one.
    """
    cumulative = np.cumsum(sizes[order]) / sizes.sum()  # fraction of rows up to the end of each unit
    max_units = len(sizes) - (test > 0)
    train_end = max(min(_nearest(cumulative, 1 - val - test), max_units - 1), 1)
    remaining = 1 - cumulative[train_end - 1]  # split by val : test, even if the training fraction was not met
    val_end = _nearest(cumulative, 1 - remaining * test / (val + test))
    val_end = max(min(max(val_end, train_end + 1), max_units), train_end)
    split_of_unit: np.ndarray = np.full(len(sizes), 2)
    split_of_unit[order[:val_end]], split_of_unit[order[:train_end]] = 1, 0
    return split_of_unit


def _nearest(cumulative: np.ndarray, fraction: float) -> int:
    """Count the units whose cumulative fraction of rows is nearest to `fraction`."""
    return int(np.abs(cumulative - fraction).argmin()) + 1
