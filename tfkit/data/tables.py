"""Any rows of a table, from whatever holds them, become what the model file takes, held against what was learnt."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tfkit.data import cells, disk
from tfkit.data.cleaning import clean, without
from tfkit.data.encoding import encoded_rows
from tfkit.data.files import read_frame, read_marked
from tfkit.data.holding import Held, raw_rows
from tfkit.data.splits import Rows
from tfkit.data.targets import listed, read_target
from tfkit.errors import UserError, nearest

log = logging.getLogger("tfkit")


def load_table(
    table: Any, target: str, *, test_table: Any = None, duplicates: str = "drop", **reading: Any
) -> tuple[Any, Any, list[str]]:
    """Read and clean a table, and a test table where there is one.

    Args:
        table, test_table: Paths, or anything else that `read_frame` takes. A table that is too large for memory stays
            on disk (`tfkit.data.disk`).
        target: The column to predict.
        duplicates: "drop" or "keep".
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows, the rows of the test table or None, and what was done, in words. All cells are plain (`cells.plain`).

    Raises:
        UserError: If a table cannot be read, or lacks a column.
    """
    if disk.too_large(table):
        frame, marked = disk.opened(table, target, **reading)
    else:
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
    from tfkit.datasets.batch_predict import predict

    if isinstance(frame, disk.DiskTable):
        return encoded_rows(frame, info, prepare)
    raw, unread = raw_rows(frame, info)
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
    truth = read_target(frame, info["target"]) if target else None
    held = Held(info)
    raw = held.raw(frame)
    held.say()
    more = [found for wanted, found in ((target, truth), (own, cells)) if wanted]
    return (raw, *more) if more else raw


def read_table_blocks(file: Any, info: Mapping[str, Any]) -> Any:
    """What `read_table` gives of a large file with `own`, a block of rows at a time; None where it reads it whole.

    Returns:
        Something to iterate over, raw rows and own columns; its `done` is the share that has been read. At the end it
        says what `read_table` says.
    """
    from tfkit.data.blocks import LEAST, Blocks, Whole, worth_it

    path = worth_it(file, LEAST)
    try:
        return None if path is None else _Held(Blocks(path, **{**info["reading"], "missing": []}), info)
    except Whole:
        return None


class _Held:
    """Blocks of a file, held against what was learnt."""

    def __init__(self, blocks: Any, info: Mapping[str, Any]):
        self.blocks, self.info = blocks, info

    @property
    def done(self) -> float:
        return self.blocks.done

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        held = Held(self.info)
        for own in self.blocks:
            frame = read_frame(own, **self.info["reading"])
            check_columns(frame, dict.fromkeys(rule["column"] for rule in self.info["inputs"].values()))
            frame.index = own.index
            yield held.raw(frame), own
        held.say()


read_table.blocks = read_table_blocks  # type: ignore[attr-defined]


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
