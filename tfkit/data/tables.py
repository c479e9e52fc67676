"""Any rows of a table, from whatever holds them, become what the model file takes, held against what was learnt."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data import cells, columns
from tfkit.data.cleaning import clean, without
from tfkit.data.files import read_frame, read_marked
from tfkit.data.splits import Rows
from tfkit.data.targets import listed, read_target
from tfkit.errors import UserError, nearest

log = logging.getLogger("tfkit")

REPORTS = 10  # columns that are reported one by one


def load_table(table: Any, target: str, *, test_table: Any = None, duplicates: str = "drop",
               **reading: Any) -> tuple[Any, Any, list[str]]:  # fmt: skip
    """Read and clean a table, and a test table where there is one.

    Args:
        table, test_table: Paths, or anything else that `read_frame` takes.
        target: The column to predict.
        duplicates: "drop" or "keep".
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows, the rows of the test table or None, and what was done, in words. All cells are plain (`cells.plain`).

    Raises:
        UserError: If a table cannot be read, or lacks a column.
    """
    frame, marked = read_marked(table, **reading)
    frame = _plain(frame)
    check_columns(frame, [target])
    if len(frame.columns) < 2:
        raise UserError(f"The table must have a column to learn from beside the target. Received: {target!r} alone")
    frame, said = clean(frame, target, duplicates=duplicates, marked=marked.get(target))
    if test_table is None:
        return frame, None, said
    test = _plain(read_frame(test_table, **reading))
    check_columns(test, list(frame.columns), "test table")
    test, more = clean(test[list(frame.columns)], target, duplicates="keep", what="test table")
    frame, shared = without(frame, test)
    return frame, test, said + shared + more


def table_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> Rows:
    """Rows of a table, read, prepared once and kept as a split."""
    from tfkit.loop import predict

    raw, unread = _raw(frame, info)
    for name, count in unread.items():  # fewer are said where the column is learnt
        if count == frame[name].notna().sum():
            log.warning(
                "%s: none of the %d cells of a split is what the training cells are; all count as missing", name, count
            )
    truth = read_target(frame, info["target"])
    if info["task"] == "regression":
        truth = ((truth - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    return Rows(predict(prepare, raw), truth, raw=raw).named(frame.index.to_numpy() + 1)


def read_table(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Rows of a table as the model file takes them, held against what was learnt.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        info: What `learn_table` gave.
        target: Whether the truth is wanted too; rows without it are left out, and said.
        own: Whether the source's own columns are wanted too, to stand beside the answers.

    Returns:
        A dictionary of arrays `(rows, 1)`, float32 with NaN or strings with "" where missing; with `target`, also the
        class numbers or values `(rows,)`; with `own`, also a DataFrame of the cells as they are.

    Raises:
        UserError: If there are no rows (with `target`, none whose truth is known), a needed column is not there, or a
            column holds nothing of what it held.
    """
    cells = read_frame(source, **{**info["reading"], "missing": []}) if own else None
    frame = read_frame(source if cells is None else cells, **info["reading"])
    needed = dict.fromkeys(rule["column"] for rule in info["inputs"].values())
    check_columns(frame, [*needed, *([info["target"]["name"]] if target else [])])
    if target:
        frame = _with_target(frame, info["target"]["name"])
    known = {*info["columns"], info["target"]["name"]}
    extra = [str(name) for name in frame.columns if name not in known]
    reports = [f"Columns that were not there in training are not used: {listed(extra)}"] if extra else []
    truth = read_target(frame, info["target"]) if target else None
    raw, unread = _raw(frame, info)
    reports += [_report_unread(frame[name], info["columns"][name], count) for name, count in unread.items()]
    reports += [report for name, rule in info["inputs"].items() for report in _report_unseen(rule, raw[name][:, 0])]
    for report in reports[:REPORTS]:
        log.warning("%s", report)
    if len(reports) > REPORTS:
        log.warning("... and %d more columns with cells that training did not have", len(reports) - REPORTS)
    more = [found for wanted, found in ((target, truth), (own, cells)) if wanted]
    return (raw, *more) if more else raw


def _with_target(frame: Any, name: str) -> Any:
    """The rows whose truth is known; the others are said."""
    there = frame[name].notna()
    if not there.any():
        raise UserError(f"There must be rows with a target to score. Received: {name!r}, missing in all {len(frame):,}")
    if not there.all():
        log.warning("%s of %s rows left out: no %s", f"{(~there).sum():,}", f"{len(frame):,}", name)
    return frame[there]


def check_columns(frame: Any, names: Iterable[str], what: str = "table") -> None:
    """Refuse a table that lacks one of these columns, and name the nearest."""
    there = dict.fromkeys(str(column) for column in frame.columns)
    lacking = [name for name in dict.fromkeys(names) if name not in there]
    if lacking:
        columns = f"the column {lacking[0]!r}" if len(lacking) == 1 else f"the columns {listed(lacking)}"
        hint = nearest(lacking[0], there) or (
            " If it has more than one column, give delimiter=." if len(there) == 1 else ""
        )
        raise UserError(f"The {what} must have {columns}.{hint} Received: {listed(there)}")


def _plain(frame: Any) -> Any:
    import pandas as pd

    plain = pd.DataFrame({name: cells.plain(column) for name, column in frame.items()}, index=frame.index)
    plain.attrs = frame.attrs
    return plain


def _raw(frame: Any, info: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Rows as the model file takes them, and how many cells of which column do not fit its rule."""
    arrays, unread = {}, {}
    for name in dict.fromkeys(rule["column"] for rule in info["inputs"].values()):
        arrays[name], count = columns.convert(frame[name], info["columns"][name])
        if count:
            unread[name] = count
    return {name: arrays[rule["column"]][rule["part"]].reshape(-1, 1) for name, rule in info["inputs"].items()}, unread


def _report_unread(column: Any, rule: dict[str, Any], unread: int) -> str:
    """What is said of cells that do not fit the rule; where none does, the column is not what it was."""
    values = next(iter(columns.convert(column, rule)[0].values()))
    absent = values == "" if values.dtype == object else np.isnan(values)
    first, present = str(column[column.notna() & absent].iloc[0]), int(column.notna().sum())
    if unread == present and column.dtype.kind != "f":  # infinite numbers are numbers, and missing
        raise UserError(f"The column {column.name!r} must hold what it held in training, {columns.called(rule)}. "
                        f"Received: {unread:,} cells that are not, such as {first!r}")  # fmt: skip
    return (f"{column.name}: {unread:,} of {present:,} cells are not {columns.called(rule)} and count as missing, "
            f"such as {first!r}")  # fmt: skip


def _report_unseen(rule: Mapping[str, Any], values: np.ndarray) -> list[str]:
    """What is said of words that are not in the vocabulary; nothing of a column of numbers."""
    import pandas as pd

    unseen = sorted({*pd.unique(values)} - {*rule["vocabulary"], ""}) if rule["dtype"] == "string" else []
    if not unseen:
        return []
    count = int(pd.Series(values, dtype=object).isin(unseen).sum())
    return [f"{rule['column']}: {count:,} cells hold words that training did not, or once only: {listed(unseen)}"]
