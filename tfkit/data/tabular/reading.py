"""Reader of tables for prediction and evaluation."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.targets import read_target
from tfkit.data.files.read import read_frame, read_messages
from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.data.tabular.row_reader import RowReader, as_single_row
from tfkit.data.tabular.validation import SchemaValidator
from tfkit.errors import UserError
from tfkit.metadata import Metadata

if TYPE_CHECKING:
    import pandas as pd

    from tfkit.data.files.chunks import ChunkReader

log = logging.getLogger("tfkit")


def read(source: Any, metadata: TabularMetadata, *, with_targets: bool = False, with_columns: bool = False) -> Any:
    """Read rows as the saved model takes them, validated against the training schema.

    Args:
        source: Any source that `read_frame` accepts.
        metadata: The result of `fit_schema`.
        with_targets: Whether to return the targets too. Rows without a target are dropped, with a warning.
        with_columns: Whether to return the columns of the source too, to write them next to the predictions.

    Returns:
        A dictionary of arrays `(rows, 1)`, numbers with NaN or strings with "" where missing; with targets, also the
        class codes or values `(rows,)`; with columns, also a DataFrame of the unchanged cells.

    Raises:
        UserError: If there are no rows (or no rows with a target), a required column is missing, or none of the cells
            of a column matches the column type of the training data; if the metadata is not that of a table.
    """
    _require_tabular(metadata)
    if not with_targets and not with_columns and (row := as_single_row(source)) is not None:
        reader = metadata.__dict__.setdefault("_row_reader", RowReader(metadata))
        if (raw_row := reader.read(row)) is not None:
            return raw_row
    options, target = metadata.read_options, metadata.target
    options = {**options, "list_columns": [target.name]}
    columns = read_frame(source, **{**options, "na_values": []}) if with_columns else None
    frame = read_frame(source if columns is None else columns, **options)
    for message in read_messages(frame if columns is None else columns):
        log.info("%s", message)
    require_columns(frame, [*metadata.feature_columns, *([target.name] if with_targets else [])])
    if with_targets:
        frame = _drop_missing_target(frame, target.name)
    y = read_target(frame, target) if with_targets else None
    validator = SchemaValidator(metadata)
    raw = validator.convert(frame)
    validator.log_mismatches()
    extras = [value for is_requested, value in ((with_targets, y), (with_columns, columns)) if is_requested]
    return (raw, *extras) if extras else raw


def stream(file: Any, metadata: TabularMetadata) -> "_ValidatedChunks | None":
    """Read a large file in chunks, like `read` with columns.

    Returns:
        None if the file must be read at once. Otherwise an iterable of pairs: model inputs and source columns of a
        chunk. Its attribute `fraction_read` is the fraction of the file that has been read. After the last chunk it
        logs the same warnings as `read`.
    """
    from tfkit.data.files.chunks import MIN_CHUNKED_BYTES, ChunkReader, NotChunkableError, chunkable_path

    _require_tabular(metadata)
    path = chunkable_path(file, MIN_CHUNKED_BYTES)
    try:
        if path is None:
            return None
        return _ValidatedChunks(ChunkReader(path, **{**metadata.read_options, "na_values": []}), metadata)
    except NotChunkableError:
        return None


def _require_tabular(metadata: Metadata) -> None:
    """Raise if the metadata is not that of a table, as in a damaged run."""
    if not isinstance(metadata, TabularMetadata):
        raise UserError(
            f"The metadata of a table must be of kind 'tabular'; train again if the run is damaged. "
            f"Received: kind {metadata.kind!r}"
        )


def _drop_missing_target(frame: Any, name: str) -> Any:
    """Drop rows without a target and log how many."""
    is_present = frame[name].notna()
    if not is_present.any():
        raise UserError(f"Scoring needs rows with a target. Received: {name!r}, missing in all {len(frame):,}")
    if not is_present.all():
        log.warning("%s of %s rows dropped: %s is missing", f"{(~is_present).sum():,}", f"{len(frame):,}", name)
    return frame[is_present]


class _ValidatedChunks:
    """Chunks of a file, converted to validated model inputs."""

    def __init__(self, chunks: "ChunkReader", metadata: TabularMetadata):
        self.chunks, self.metadata = chunks, metadata

    @property
    def fraction_read(self) -> float:
        """The fraction of the file that has been read, in `[0, 1]`."""
        return self.chunks.fraction_read

    def __iter__(self) -> Iterator[tuple[dict[str, np.ndarray], "pd.DataFrame"]]:
        validator = SchemaValidator(self.metadata)
        for columns in self.chunks:
            frame = read_frame(columns, **self.metadata.read_options)
            require_columns(frame, self.metadata.feature_columns)
            frame.index = columns.index
            yield validator.convert(frame), columns
        validator.log_mismatches()
