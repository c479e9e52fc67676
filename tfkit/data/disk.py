"""A table that is too large for memory lies on disk, and is read like a frame: a column, some rows, or a block."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data import files, parquet
from tfkit.data.blocks import Blocks, Whole
from tfkit.data.cells import EXACT, plain
from tfkit.data.frames import MISSING, marked, names
from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tfkit")

SHARE = 1 / 16  # of the machine's memory: a table above this stays on disk, for reading one takes a few times its size
ROWS = 1_000_000  # training rows at most from which numbers are learnt; they are drawn by chance
FEW = 1000  # words, beyond which a column that is kept is kept as it is
CELLS = 20_000_000  # of these, and so fewer rows where there are many columns
PACKED = 5  # times as large is a text when it is unpacked


def too_large(table: Any) -> bool:
    """Whether a file, or a folder of files, would not fit comfortably into memory."""
    if not isinstance(table, str | os.PathLike):
        return False
    path = Path(table).expanduser()
    try:
        size = sum(map(_size, files.inside(path) if os.path.isdir(path) else [path]))
    except (OSError, UserError):  # what is wrong with it is said by those who read it
        return False
    return size > SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(path: Path) -> float:
    """Bytes that the cells of a file need in memory, as numbers of 8 bytes and words of 24."""
    import pyarrow as pa
    from pyarrow import parquet as arrow

    kind, suffix = files.kind_of(path.name)
    if kind != "parquet" or suffix:
        return path.stat().st_size * (PACKED if suffix else 1)
    try:
        found = arrow.ParquetFile(path)
    except pa.ArrowException:
        return 0
    cells = sum(8 if pa.types.is_primitive(field.type) else 24 for field in found.schema_arrow)
    return found.metadata.num_rows * cells


class DiskTable:
    """Rows of a table that lies on disk. What learns from a frame, or splits one, takes it too.

    Its cells are plain (`cells.plain`). A column that is asked for by its name is read whole, all columns only ever a
    block at a time; `kept` columns stay in memory.

    Args:
        lying: The files.
        places: Numbers of the rows, ascending; None for all.
    """

    def __init__(self, lying: Lying, places: np.ndarray | None = None):
        self.lying = lying
        self.columns = lying.columns
        kind: Any = "int32" if lying.rows < 2**31 else "int64"
        self.places = np.arange(lying.rows, dtype=kind) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, wanted: Any) -> Any:
        """A column by its name, or the rows where a mask says so."""
        import pandas as pd

        if not isinstance(wanted, str):
            return DiskTable(self.lying, self.places[np.asarray(wanted)])
        if wanted in self.lying.kept:
            return self.lying.kept[wanted].take(self.places)
        return pd.concat([block[wanted] for block in self.blocks([wanted])])

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """All rows, a frame of some at a time, under their numbers."""
        return self.lying.read(self.places, columns)

    def first(self, rows: int = parquet.ROWS) -> pd.DataFrame:
        """The first rows."""
        import pandas as pd

        return pd.concat(list(self.lying.read(self.places[:rows])))

    def some(self, *, seed: int = 0) -> pd.DataFrame:
        """Rows that fit into memory, in their order: all, or as many as that drawn by chance."""
        import pandas as pd

        most = max(1, min(ROWS, CELLS // len(self.columns)))
        places = self.places
        if len(places) > most:
            places = places[np.sort(np.random.default_rng(seed).choice(len(places), most, replace=False))]
        return pd.concat(list(self.lying.read(places)))

    def hashes(self, columns: Sequence[str] | None = None) -> np.ndarray:
        """A number for each row, `(rows,)` uint64: equal rows have the same."""

        whole = columns is None or list(columns) == self.columns
        if whole and self.lying.hashes is not None:
            return self.lying.hashes[self.places]
        found: np.ndarray = np.empty(len(self), "uint64")
        start = 0
        for block in self.blocks(None if whole else columns):
            found[start : start + len(block)] = row_hashes(block)
            start += len(block)
        if whole and len(self) == self.lying.rows:
            self.lying.hashes = found
        return found


class Lying:
    """The Parquet files that a table lies in; text becomes one that has no name, and is gone when nobody holds it.

    Args:
        table: A file, or a folder of files.
        reading: delimiter, encoding, missing of `read_frame`.

    Raises:
        UserError: If the files are no tables, or differ in their columns.
    """

    def __init__(self, table: Any, reading: Mapping[str, Any]):
        from pyarrow import parquet as arrow

        missing = reading.get("missing")
        self.words = MISSING if missing is None else ["", *([missing] if isinstance(missing, str) else missing)]
        self.marked: dict[str, dict[str, int]] = {}  # column -> word taken for missing -> how often; of kept columns
        self.kept: dict[str, pd.Series] = {}
        self.hashes: np.ndarray | None = None
        self.encoded: Any = None  # by what the rows were prepared, and the records
        path = Path(table).expanduser()
        found = files.inside(path) if os.path.isdir(path) else [path]
        own = all(files.kind_of(one.name) == ("parquet", "") for one in found)
        self._plain = not own  # whether the cells need no more reading
        parts: list[Any] = list(found) if own else [_as_parquet(found, reading, self.marked)]
        # `pre_buffer` would hold on to all that was ever read
        self._files = [arrow.ParquetFile(part, pre_buffer=False) for part in parts]
        self._called = [_named_columns(file, str(one)) for file, one in zip(self._files, found, strict=False)]
        self.columns = _agreed(self._files, self._called, found)
        self._long = {name for name in self.columns if self._is_long(name)}
        self._starts = [0, *np.cumsum([file.metadata.num_rows for file in self._files]).tolist()]
        self.rows = self._starts[-1]

    def keep(self, name: str) -> None:
        """Hold a column in memory, and know which of its words were taken for missing."""
        import pandas as pd

        cells = pd.concat([block[name] for block in self.read(np.arange(self.rows), [name])], ignore_index=True)
        self.kept[name] = cells.astype("category") if cells.dtype == "str" and cells.nunique() < FEW else cells

    def read(self, places: np.ndarray, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows of ascending numbers, a frame of some at a time; groups of rows that hold none are passed over."""
        wanted = self.columns if columns is None else list(columns)
        for file, called, start in zip(self._files, self._called, self._starts, strict=False):
            for group in range(file.metadata.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                here = _between(places, start, end)
                if len(here):
                    own = [called[name] for name in wanted]
                    found = file.iter_batches(parquet.ROWS, row_groups=[group], columns=own)
                    yield from self._rows(found, start, here, wanted, called)
                start = end

    def _rows(self, batches: Any, start: int, places: np.ndarray, wanted: list[str], called: dict[str, str]) -> Any:
        import pyarrow as pa

        for batch in batches:
            end = start + len(batch)
            here = _between(places, start, end)
            if len(here):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                frame = table.select([called[name] for name in wanted]).to_pandas().set_axis(wanted, axis=1)
                yield self._cells(frame if len(here) == len(frame) else frame.iloc[here - start]).set_axis(here, axis=0)
            start = end

    def _cells(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The cells as `read_frame` would give them, and plain; whole numbers too long for a float are words."""
        import pandas as pd

        if not self._plain:
            frame, said = marked(frame, self.words)
            for name, words in said.items():
                counts = self.marked.setdefault(str(name), {})
                counts |= {word: counts.get(word, 0) + count for word, count in words.items()}
        for name in self._long.intersection(frame):
            frame[name] = frame[name].astype("string").astype("str")
        return pd.DataFrame({name: plain(column) for name, column in frame.items()})

    def _is_long(self, name: str) -> bool:
        """Whether whole numbers without gaps are longer than a float64 can tell apart, by what the files say."""
        import pyarrow as pa

        for file, called in zip(self._files, self._called, strict=True):
            if not pa.types.is_integer(file.schema_arrow.field(called[name]).type):
                return False
            place = _place(file, called[name])
            told = [file.metadata.row_group(i).column(place).statistics for i in range(file.metadata.num_row_groups)]
            if any(one is not None and one.has_min_max and max(abs(one.min), abs(one.max)) > EXACT for one in told):
                return all(one is not None and one.null_count == 0 for one in told)
        return False


def opened(table: Any, target: str, **reading: Any) -> tuple[DiskTable, dict[str, dict[str, int]]]:
    """A table that stays on disk, its target in memory; and which words were taken for missing."""
    lying = Lying(table, reading)
    if target in lying.columns:  # what lacks it is refused by those who come next
        lying.keep(target)
    log.info(
        "Too large for memory, so the table stays on disk: %s rows of %d columns", f"{lying.rows:,}", len(lying.columns)
    )
    return DiskTable(lying), lying.marked


def _between(places: np.ndarray, start: int, end: int) -> np.ndarray:
    return places[np.searchsorted(places, start) : np.searchsorted(places, end)]


def _as_parquet(found: list[Path], reading: Mapping[str, Any], said: dict[str, dict[str, int]]) -> Any:
    """Text of any kind as one Parquet file without a name."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 - held by those who read it
    columns: list[str] | None = None
    with parquet.writing(out) as write:
        for path in found:
            try:
                blocks = Blocks(path, **reading)
            except Whole:  # it says what is wrong, or is one of the few that cannot be read in blocks
                files.read_frame(path, **reading)
                raise UserError(
                    f"A table that is too large for memory must be Parquet, CSV or JSON lines of one type "
                    f"a column. Received: {path}"
                ) from None
            for block in blocks:
                columns = columns or list(block.columns)
                if sorted(columns) != sorted(block.columns):
                    raise files.differing(path, found[0])
                write(block[columns])
            for name, words in blocks.marked.items():
                counts = said.setdefault(str(name), {})
                counts |= {word: counts.get(word, 0) + count for word, count in words.items()}
    out.flush()
    return out


def _named_columns(file: Any, where: str) -> dict[str, str]:
    """Name -> what the file calls it: a named index of pandas first, as a frame has it, one without a name left out."""
    schema = file.schema_arrow
    index = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    called = [name for name in index if not name.startswith("__index_level_")]
    called += [name for name in schema.names if name not in index]
    return dict(zip(names(called, where), called, strict=True))


def _agreed(found: list[Any], called: list[dict[str, str]], paths: list[Path]) -> list[str]:
    """The columns, which must be the same in all files, and hold cells of one kind."""
    first = called[0]
    for file, names_, path in zip(found, called, paths, strict=False):
        if set(names_) != set(first):
            raise files.differing(path, paths[0])
        for name, own in names_.items():
            one, other = (
                _kind(schema.field(column).type)
                for schema, column in ((file.schema_arrow, own), (found[0].schema_arrow, first[name]))
            )
            if one != other:
                raise UserError(
                    f"The files of a folder must hold the same in each column. Received: {name!r}, {other} "
                    f"in {paths[0]} and {one} in {path}"
                )
    return list(first)


def _kind(kind: Any) -> str:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numbers"
    return "dates" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else "words"


def _place(file: Any, name: str) -> int:
    schema = file.metadata.schema
    return next(i for i in range(file.metadata.num_columns) if schema.column(i).path == name)


def row_hashes(frame: Any) -> np.ndarray:
    """A number for each row, `(rows,)` uint64: equal rows have the same, others have not."""
    import pandas as pd

    return pd.util.hash_pandas_object(frame, index=False).to_numpy()
