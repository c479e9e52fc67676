"""Reader of tables for prediction and evaluation."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.target import read_target
from tfkit.data.files.read import read_frame
from tfkit.data.tabular.validation import SchemaValidator

if TYPE_CHECKING:
    import pandas as pd

    from tfkit.data.files.chunks import Blocks
from tfkit.data.columns.names import require_columns
from tfkit.data.tabular.loading import _drop_missing_target, _feature_columns


def read_table(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read rows as the saved model takes them, validated against the training schema.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        info: The result of `learn_table`.
        target: Whether to return the targets too. Rows without a target are dropped, with a warning.
        own: Whether to return the columns of the source too, to write them next to the predictions.

    Returns:
        A dictionary of arrays `(rows, 1)`, float32 with NaN or strings with "" where missing; with `target`, also the
        class codes or values `(rows,)`; with `own`, also a DataFrame of the unchanged cells.

    Raises:
        UserError: If there are no rows (with `target`, no rows with a target), a required column is missing, or none of
            the cells of a column matches the column type of the training data.
    """
    source_columns = read_frame(source, **{**info["reading"], "missing": []}) if own else None
    frame = read_frame(source if source_columns is None else source_columns, **info["reading"])
    require_columns(frame, [*_feature_columns(info), *([info["target"]["name"]] if target else [])])
    if target:
        frame = _drop_missing_target(frame, info["target"]["name"])
    y = read_target(frame, info["target"]) if target else None
    validator = SchemaValidator(info)
    raw = validator.raw(frame)
    validator.say()
    extras = [value for is_requested, value in ((target, y), (own, source_columns)) if is_requested]
    return (raw, *extras) if extras else raw


def read_table_blocks(file: Any, info: Mapping[str, Any]) -> "_ValidatedChunks | None":
    """Read a large file in chunks, like `read_table` with `own`.

    Returns:
        None if the file must be read at once. Otherwise an iterable of pairs: model inputs and source columns of a
        chunk. Its attribute `done` is the fraction of the file that has been read. After the last chunk it logs the
        same warnings as `read_table`.
    """
    from tfkit.data.files.chunks import LEAST, Blocks, Whole, worth_it

    path = worth_it(file, LEAST)
    try:
        return None if path is None else _ValidatedChunks(Blocks(path, **{**info["reading"], "missing": []}), info)
    except Whole:
        return None


class _ValidatedChunks:
    """Chunks of a file, converted to validated model inputs."""

    def __init__(self, chunks: "Blocks", info: Mapping[str, Any]):
        self.chunks, self.info = chunks, info

    @property
    def done(self) -> float:
        """The fraction of the file that has been read, in `[0, 1]`."""
        return self.chunks.done

    def __iter__(self) -> Iterator[tuple[dict[str, np.ndarray], "pd.DataFrame"]]:
        validator = SchemaValidator(self.info)
        for source_columns in self.chunks:
            frame = read_frame(source_columns, **self.info["reading"])
            require_columns(frame, _feature_columns(self.info))
            frame.index = source_columns.index
            yield validator.raw(frame), source_columns
        validator.say()


read_table.blocks = read_table_blocks  # type: ignore[attr-defined]
