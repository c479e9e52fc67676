"""Any series, from whatever holds them, become what the model file takes, held against what was learnt."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.series_files import Series, find_series
from tfkit.data.series_learning import INPUT, raw_series, true_steps
from tfkit.data.splitting import split_table
from tfkit.data.tables import check_columns
from tfkit.data.targets import learn_target, listed, read_target
from tfkit.errors import UserError

log = logging.getLogger("tfkit")


def load_series(
    table: Any, target: str | None = None, *, test_table: Any = None, lengths: str = "auto", **reading: Any
) -> tuple[Series, Series | None, list[str]]:
    """Read series with what is to be predicted of them, and those of a test table where there is one.

    Args:
        table, test_table: Whatever `find_series` takes.
        target: The column to predict; see `find_series`.
        lengths: "equal" refuses series of unequal length; "pad" and "auto" do not.
        reading: The rest of what `find_series` takes.

    Returns:
        The series that can be learnt from, those of the test table or None, and what was done, in words.

    Raises:
        UserError: If there are none, they have one step, or lengths are not what they must be.
    """
    found = find_series(table, target=target, **reading)
    if found.target is None:
        raise UserError(f"Series to learn from must have a target. Received: {table}, without labels")
    found, said = _cleaned(found)
    if max(len(one) for one in found.each()) < 2:
        raise UserError(
            "A series must have two steps or more; cells that are no course in time are learnt with "
            "`tfkit train tabular`. Received: series of one step"
        )
    _check_lengths(found, lengths)
    if test_table is None:
        return found, None, said
    test = find_series(test_table, target=found.target, **reading)
    if test.target is None or len(test.channels) != len(found.channels):
        raise UserError(
            f"The test table must have a target, and as many channels as the table, {len(found.channels)}. "
            f"Received: {len(test.channels)}{'' if test.target else ', and no target'}"
        )
    test, more = _cleaned(test, " of the test table")
    _check_lengths(test, lengths)
    shared = np.isin(_digests(found), _digests(test))
    if shared.all():
        raise UserError(
            f"The table must have series that are not in the test table. Received: {len(found):,}, all in both"
        )
    if shared.any():
        more.append(f"{int(shared.sum()):,} of {len(found):,} series left out: they stand in the test table too")
        found = found.having(found.frame[~shared])
    return found, test, said + more


def learn_series_label(found: Series, *, kind: str = "auto", positive: str | None = None) -> dict[str, Any]:
    """What is to be predicted of the series: see `learn_target`.

    Whole numbers from 0 or 1 on with none left out are classes, however many, where series have two or more each: so
    are the labels of archives written. A .ts file says itself what its labels are.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"label": [str(number % 15 + 1) for number in range(60)]})
        >>> learn_series_label(Series(frame, [], "label", ["value"]))["task"]
        'multiclass'
    """
    cells = found.frame[found.target]
    if kind == "auto" and positive is None:
        kind = found.kind or ("class" if _counted(cells) else "auto")
    return learn_target(cells, kind=kind, positive=positive)


def _counted(cells: Any) -> bool:
    """Whether cells are the numbers of classes."""
    import pandas as pd

    values = np.unique(pd.to_numeric(cells, errors="coerce"))
    first = len(values) and values[0] in (0, 1)
    return bool(first) and len(values) <= len(cells) / 2 and bool((np.diff(values) == 1).all())


def split_series(
    found: Series, target: Mapping[str, Any], *, test: Series | None = None, **how: Any
) -> tuple[Series, Series, Series]:
    """Training, validation and test series, stratified by class or by group; equal ones stay together.

    Args:
        found: What `load_series` found.
        target: What `learn_target` found of the target.
        test: Test series of the user's own, or None to take a share.
        how: val_fraction, test_fraction, seed and group_column of `split_table`.
    """
    import pandas as pd

    alike = pd.factorize(_digests(found))[0]
    tested = None if test is None else test.frame
    train, val, own = split_table(found.frame, dict(target), test=tested, alike=alike, **how)
    return found.having(train), found.having(val), (found if test is None else test).having(own)


def read_series(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Series as the model file takes them, held against what was learnt.

    Args:
        source: Whatever `find_series` takes.
        info: What `learn_series` gave.
        target: Whether the truth is wanted too; series without it are left out, and said.
        own: Whether what stands beside the answers in a file is wanted too: the columns of a table with a row for each
            series, else the ids and labels.

    Returns:
        `{"series": (rows, steps, channels)}` float32, NaN where missing and after the end; with `target`, also the
        class numbers or values `(rows,)`; with `own`, also a DataFrame.

    Raises:
        UserError: If there are no series, they have other channels or, where they must be equal, other lengths.
    """
    told, name = info["series"], info["target"]["name"]
    exact = told["lengths"] == "equal"
    found = find_series(source, target=name, labelled=target, columns=told["columns"], exact=exact, **info["reading"])
    if exact and found.columns and set(found.columns) & set(told["columns"] or ()):
        _check_steps(found.columns, told["columns"])
    if len(found.channels) != len(told["channels"]):
        raise UserError(
            f"Series must have the channels that they had in training, {len(told['channels'])}. "
            f"Received: {len(found.channels)}"
        )
    if target:
        if found.target is None:
            check_columns(found.frame, [name])
        there = found.frame[name].notna()
        if not there.any():
            raise UserError(
                f"There must be series with a target to score. Received: {name!r}, missing in all {len(found):,}"
            )
        if not there.all():
            log.warning("%s of %s series left out: no %s", f"{(~there).sum():,}", f"{len(found):,}", name)
        found = found.having(found.frame[there])
    values = found.each()
    _report(values, told)
    result: list[Any] = [{INPUT: raw_series(values, info)}]
    if target:
        result.append(read_target(found.frame, info["target"]))
    if own:
        result.append(_own(found))
    return tuple(result) if len(result) > 1 else result[0]


def _cleaned(found: Series, of: str = "") -> tuple[Series, list[str]]:
    """Series that have a target and a value, and what was done."""
    rows, said = len(found), list(found.said)
    absent = found.frame[found.target].isna().to_numpy()
    if absent.all():
        raise UserError(
            f"The target must be there in some series at least. Received: {found.target!r}, missing in all {rows:,}"
        )
    empty = np.array([not np.isfinite(one).any() for one in found.each()])
    if empty.all():
        raise UserError(f"Series must have values. Received: {rows:,} series{of}, all empty")
    for which, why in ((absent, f"no {found.target}"), (empty & ~absent, "no value")):
        if which.any():
            said.append(f"{int(which.sum()):,} of {rows:,} series{of} left out: {why}")
    return found.having(found.frame[~(absent | empty)]), said


def _check_lengths(found: Series, lengths: str) -> None:
    each = sorted({len(one) for one in found.each()})
    if lengths == "equal" and len(each) > 1:
        raise UserError(
            f"With lengths=equal all series must have as many steps; lengths=pad takes any. Received: "
            f"{each[0]:,} to {each[-1]:,} steps"
        )


def _check_steps(there: list[str], columns: list[str]) -> None:
    """Refuse a table that lacks a step."""
    lacking = [name for name in columns if name not in there]
    if lacking:
        raise UserError(
            f"The table must have all steps that series had in training. Received: {len(there):,} of "
            f"{len(columns):,} columns, without {listed(lacking)}"
        )


def _digests(found: Series) -> np.ndarray:
    """What is the same for equal series."""
    return np.array([hash(one[: true_steps(one)].tobytes()) for one in found.each()])


def _report(values: list[np.ndarray], told: Mapping[str, Any]) -> None:
    """Say what of these series is not as it was in training."""
    empty = sum(not np.isfinite(one).any() for one in values)
    if empty:
        log.warning("%s of %s series have no value; they are answered as zeros", f"{empty:,}", f"{len(values):,}")
    if told["lengths"] == "pad":
        long = sum(true_steps(one) > told["length"] for one in values)
        if long:
            log.warning(
                "%s of %s series are longer than any in training; they are cut to %s steps",
                f"{long:,}",
                f"{len(values):,}",
                f"{told['length']:,}",
            )


def _own(found: Series) -> Any:
    """What stands beside the answers."""
    import pandas as pd

    frame = found.frame.reset_index(drop=True)
    if found.columns is None:
        return frame
    values = np.stack([one[:, 0] for one in found.each()])
    return pd.concat([frame, pd.DataFrame(values, columns=found.columns)], axis=1)
