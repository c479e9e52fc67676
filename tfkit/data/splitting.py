"""Rows become training, validation and test rows before anything is learnt from them."""

from typing import Any

import numpy as np

from tfkit.data import columns
from tfkit.data.targets import read_target
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
        classes: Class numbers `(rows,)`: each split gets its share of each class (stratified). A class with a single row
            stays in training; with two, one is in training.
        times: `(rows,)`: the last rows in time are the test, those before them validation. Rows of one time stay together.
        groups: `(rows,)`: rows of one group stay together.

    Returns:
        Three ascending arrays of row numbers that together are all rows.

    Raises:
        UserError: If a split would be empty.

    Example:
        >>> train, val, test = split_rows(10, val=0.2, test=0.2, seed=0)
        >>> len(train), len(val), len(test)
        (6, 2, 2)
    """
    if times is not None:
        _, places = np.unique(times, return_inverse=True)
        place = _shares_of_units(places, np.arange(places.max() + 1), val, test)
    elif groups is not None:
        _, places = np.unique(groups, return_inverse=True)
        place = _shares_of_units(places, np.random.default_rng(seed).permutation(places.max() + 1), val, test)
    else:
        place = _stratified(np.zeros(rows, int) if classes is None else classes, val, test, seed)
    splits = tuple(np.flatnonzero(place == part) for part in range(3))
    wanted = ["training", "validation", *(["test"] if test else [])]
    for name, numbers in zip(wanted, splits, strict=False):
        if not len(numbers):
            raise UserError(f"There must be rows for training, validation and test; add rows, or change the shares. "
                            f"Received: {rows} rows, of which none is left for {name}")  # fmt: skip
    return splits


def split_table(frame: Any, target: dict[str, Any], *, test: Any, val_share: float, test_share: float, seed: int,
                time_column: str | None = None, group_column: str | None = None) -> tuple[Any, Any, Any]:  # fmt: skip
    """Training, validation and test rows of a table: stratified by class, in order of time, or by group.

    Args:
        frame: The cleaned rows.
        target: What `learn_target` found.
        test: Test rows of the user's own, or None to take a share of `frame`.
        val_share, test_share: Shares of the rows, in `(0, 1)`.
        seed: What the draw depends on.
        time_column, group_column: At most one of them; see `split_rows`.

    Raises:
        UserError: If a column is not there, or holds no times, or both are given.
    """
    if time_column and group_column:
        raise UserError("Rows can be split by time or by group, not by both: give time_column= or group_column=, not both.")
    for name in (time_column, group_column):
        if name and name not in frame.columns:
            raise UserError(f"The table must have the column to split by.{nearest(name, map(str, frame.columns))} Received: {name!r}")
    units: dict[str, Any] = {}
    if time_column:
        units["times"] = _times(frame[time_column])
    elif group_column:
        units["groups"] = columns.convert(frame[group_column], {"kind": "category"})[0][""].astype(str)
    elif target["classes"]:
        units["classes"] = read_target(frame, target)
    share = 0.0 if test is not None else test_share
    train, val, own = split_rows(len(frame), val=val_share, test=share, seed=seed, **units)
    return frame.iloc[train], frame.iloc[val], frame.iloc[own] if test is None else test


def _times(cells: Any) -> np.ndarray:
    """Something that ascends with time: numbers, or days since 1970."""
    rule = columns.infer(cells)
    if rule["kind"] not in ("date", "number", "identifier", "yes/no") or "words" in rule:
        raise UserError(f"`time_column` must hold dates or numbers in every row. Received: {cells.name!r}, a {rule['kind']}")
    arrays, _ = columns.convert(cells, rule)
    values = arrays["days" if rule["kind"] == "date" else ""]
    if np.isnan(values).any():
        raise UserError("`time_column` must hold dates or numbers in every row. "
                        f"Received: {cells.name!r} with {int(np.isnan(values).sum())} others")  # fmt: skip
    return values


def _stratified(classes: np.ndarray, val: float, test: float, seed: int) -> np.ndarray:
    """0, 1 or 2 for each row, so that each class is spread as told."""
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]  # class by class, shuffled inside
    _, first, counts = np.unique(classes[order], return_index=True, return_counts=True)
    place = np.zeros(len(classes), int)
    lent = {1: 0.0, 2: 0.0}  # what rounding has kept from each part so far: small classes take turns
    for start, count in zip(first, counts, strict=True):
        taken = 0
        for part, share in ((2, test), (1, val)):
            want = count * share + lent[part]
            here = min(int(want + 0.5), count - 1 - taken)
            if count >= 3 and share:
                here = max(here, 1)
            lent[part] = want - here
            place[order[start + taken : start + taken + here]] = part
            taken += here
    return place


def _shares_of_units(unit_of_row: np.ndarray, order: np.ndarray, val: float, test: float) -> np.ndarray:
    """0, 1 or 2 for each row: whole units in this order fill training, then validation, then test."""
    counts = np.bincount(unit_of_row)[order]
    before = (np.cumsum(counts) - counts / 2) / counts.sum()  # the share of rows up to the middle of each unit
    part = np.where(before > 1 - test, 2, np.where(before > 1 - test - val, 1, 0))
    place = np.empty(len(order), int)
    place[order] = part
    return place[unit_of_row]
