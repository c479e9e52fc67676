"""Rows become training, validation and test rows before anything is learnt from them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfkit.data import columns, dates, numbers
from tfkit.data.cells import plain, spelled
from tfkit.data.cleaning import MANY, compared, copies, repeated, row_hashes
from tfkit.data.disk import DiskTable
from tfkit.data.targets import listed, read_target
from tfkit.errors import UserError, nearest


def split_rows(
    rows: int, *, val: float, test: float, seed: int, classes: Any = None, times: Any = None, groups: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the training, validation and test rows.

    Args:
        rows: How many there are, at least 3.
        val: Share for validation, in `(0, 1)`.
        test: Share for the test, in `[0, 1)`; with 0 there is none.
        seed: What the draw depends on.
        classes: Class numbers `(rows,)`: each split gets its share of each class, to less than one row (stratified);
            classes too small for whole rows take turns, the rarest first. One row of each class is always in training.
        times: `(rows,)`: the last rows in time are the test, those before validation. Rows of one time go together.
        groups: `(rows,)`: rows of one group go together.

    Returns:
        Three ascending arrays of row numbers that together are all rows.

    Raises:
        UserError: If a split would be empty.

    Example:
        >>> train, val, test = split_rows(10, val=0.2, test=0.2, seed=0)
        >>> len(train), len(val), len(test)
        (6, 2, 2)
    """
    units = times if times is not None else groups
    if units is None:
        place = _stratified(np.zeros(rows, int) if classes is None else classes, val, test, seed)
    else:
        _, unit_of_row = np.unique(units, return_inverse=True)
        sizes = np.bincount(unit_of_row)
        order = np.arange(len(sizes)) if times is not None else _shuffled(sizes, max(val, test), seed)
        place = _in_order(sizes, order, val, test)[unit_of_row]
    splits = [np.flatnonzero(place == part) for part in range(3)]
    for name, share, numbers_ in zip(("training", "validation", "test"), (1, val, test), splits, strict=True):
        if share and not len(numbers_):
            of = "" if units is None else f" of {len(sizes):,} {'times' if times is not None else 'groups'}"
            raise UserError(
                f"There must be rows for training, validation and test; add rows, or change the shares. "
                f"Received: {rows:,} different rows{of}, of which none is left for {name}"
            )
    return splits[0], splits[1], splits[2]


def split_table(
    frame: Any,
    target: dict[str, Any],
    *,
    test: Any,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    time_column: str | None = None,
    group_column: str | None = None,
    leave_out: Iterable[str] = (),
    alike: Any = None,
) -> tuple[Any, Any, Any]:
    """Training, validation and test rows of a table: stratified by class, in order of time, or by group.

    Rows that are equal in every column but identifiers and those left out stay together.

    Args:
        frame: The cleaned rows.
        target: What `learn_target` found.
        test: Test rows of the user's own, or None to take a share of `frame`.
        val_fraction, test_fraction: Shares of the rows, in `(0, 1)`.
        seed: What the draw depends on.
        time_column, group_column: At most one of them; see `split_rows`.
        leave_out: Columns that are not learnt from.
        alike: A number for each row, `(rows,)` from 0: rows of one number are equal, whatever the columns say.

    Raises:
        UserError: If a column is not there, is the target, or holds no times; if both are given; if a split is empty.
    """
    import pandas as pd

    _check(frame, target, time_column, group_column)
    shares = {"val": val_fraction, "test": 0.0 if test is not None else test_fraction}
    if not all(shares[name] for name in shares if name == "val" or test is None) or sum(shares.values()) >= 1:
        raise UserError(
            f"`val_fraction` and `test_fraction` must be above 0, and below 1 together; --no-test leaves "
            f"the test rows alone. Received: {val_fraction=}, {test_fraction=}"
        )
    number = _alike(frame, target["name"], {*leave_out} - {time_column, group_column}) if alike is None else alike
    distinct = frame[~pd.Series(number).duplicated().to_numpy()]  # the row of each number, copies are left out
    units: dict[str, Any] = {}
    if time_column:
        units["times"] = read_times(distinct[time_column])
    elif group_column:
        units["groups"] = spelled(plain(distinct[group_column])).astype(str)
    elif target["classes"]:
        units["classes"] = read_target(distinct, target)
    parts = split_rows(len(distinct), seed=seed, **shares, **units)
    train, val, own = (frame[np.isin(number, part)] for part in parts)
    return train, val, own if test is None else test


def _alike(frame: Any, target: str, leave_out: Iterable[str]) -> np.ndarray:
    """A number for each row, the same for rows that are equal."""
    import pandas as pd

    if isinstance(frame, DiskTable):  # what only numbers the rows shows in the first of them
        few = frame.first()
        columns = [*compared(few.drop(columns=target), leave_out).columns, target]
        number = frame.hashes([name for name in frame.columns if name in columns])
        frame.lying.hashes = None  # no longer needed
        twice = pd.Series(number).duplicated()
        return pd.factorize(number)[0] if twice.any() and twice.mean() <= MANY else np.arange(len(frame))
    seen = frame[[*compared(frame.drop(columns=target), leave_out).columns, target]]
    if repeated(seen).mean() > MANY:  # what is left says too little to call rows twins
        seen = frame
    return pd.factorize(row_hashes(seen))[0] if copies(seen).any() else np.arange(len(frame))


def _check(frame: Any, target: dict[str, Any], time_column: str | None, group_column: str | None) -> None:
    """Refuse columns that no split can be made by."""
    if time_column and group_column:
        raise UserError(
            "Rows can be split by time or by group, not by both: give time_column= or group_column=, not both."
        )
    for setting, name in (("time_column", time_column), ("group_column", group_column)):
        if name and name not in frame.columns:
            there = [str(column) for column in frame.columns]
            raise UserError(
                f"The table must have the column to split by.{nearest(name, there)} "
                f"Received: {setting}={name}; there are {listed(there)}"
            )
        if name and name == target["name"]:
            raise UserError(
                f"Rows cannot be split by what is to be predicted. Received: {setting}={name}, which is the target"
            )


def read_times(cells: Any) -> np.ndarray:
    """Something that ascends with time: numbers, or days since 1970."""
    cells = plain(cells)
    rule = columns.infer(cells)
    if rule["kind"] == "date":
        values = dates.days(cells, rule)
    elif "written" in rule:
        values = numbers.read(cells, rule)
    else:
        raise UserError(
            f"`time_column` must hold dates or numbers in every row. Received: {cells.name!r}, a {rule['kind']}"
        )
    if not np.isfinite(values).all():
        raise UserError(
            f"`time_column` must hold dates or numbers in every row. Received: {cells.name!r}, missing or "
            f"something else in {int((~np.isfinite(values)).sum()):,} rows"
        )
    return values


def _stratified(classes: np.ndarray, val: float, test: float, seed: int) -> np.ndarray:
    """0, 1 or 2 for each row, so that each class is spread as told."""
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]  # class by class, shuffled inside
    _, first, counts = np.unique(classes[order], return_index=True, return_counts=True)
    place: np.ndarray = np.zeros(len(classes), int)
    owed = {2: 0.999, 1: 0.999}  # what rounding down has kept from each split so far: the rarest class rounds up
    for one in np.argsort(counts, kind="stable"):
        start, left = first[one], counts[one] - 1
        for part, share in ((2, test), (1, val)):
            want = counts[one] * share + owed[part] * (share > 0)
            taken = min(int(want), left)
            owed[part] = want - int(want)
            place[order[start : start + taken]] = part
            start, left = start + taken, left - taken
    return place


def _shuffled(sizes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Groups in the order in which they fill the splits: those larger than a split in front, where they train."""
    large = sizes > share * sizes.sum()
    return np.lexsort((np.random.default_rng(seed).random(len(sizes)), ~large))


def _in_order(sizes: np.ndarray, order: np.ndarray, val: float, test: float) -> np.ndarray:
    """0, 1 or 2 for each unit: in this order they fill training, validation and test, each with one at least."""
    ends = np.cumsum(sizes[order]) / sizes.sum()  # the share of rows up to the end of each unit
    most = len(sizes) - (test > 0)
    train = max(min(_nearest(ends, 1 - val - test), most - 1), 1)
    rest = 1 - ends[train - 1]  # of which validation gets its part, even where training could not be met
    end = max(min(max(_nearest(ends, 1 - rest * test / (val + test)), train + 1), most), train)
    place: np.ndarray = np.full(len(sizes), 2)
    place[order[:end]], place[order[:train]] = 1, 0
    return place


def _nearest(ends: np.ndarray, share: float) -> int:
    """How many units come nearest to a share of the rows."""
    return int(np.abs(ends - share).argmin()) + 1
