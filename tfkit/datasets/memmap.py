"""Memory-mapped dataset backed by an unlinked temporary file."""

import math
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfkit.datasets.array import ArrayDataset
from tfkit.errors import UserError

CHUNK_ROWS = 4096  # rows that are copied at a time

MEMORY_FRACTION = 1 / 8  # of the physical memory: a larger array is stored in a file


def allocate(shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """Allocate an array of uint8 in memory or in a file.

    Returns:
        The array, and whether it is memory-mapped.

    Raises:
        UserError: If the disk has too little free space for the file.
    """
    if fits_in_memory(math.prod(shape)):
        return np.empty(shape, "uint8"), False
    return allocate_memmap(shape, "uint8"), True


def fits_in_memory(size: int) -> bool:
    """Whether an array of this many bytes is kept in memory."""
    return size <= MEMORY_FRACTION * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def record_dtype(rows: Mapping[str, np.ndarray]) -> np.dtype:
    """Return the structured dtype of a row, with one field for each array."""
    return np.dtype([(name, values.dtype, values.shape[1:]) for name, values in rows.items()])


def allocate_memmap(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Allocate a memory-mapped array in an unlinked temporary file.

    Raises:
        UserError: If the disk has too little free space for the file.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"Data that does not fit into memory needs disk space for a temporary file; free some, set TMPDIR to "
                f"a larger disk, or make the rows smaller. Received: {size / 1e9:,.1f} GB in "
                f"{tempfile.gettempdir()}: {getattr(error, 'strerror', error)}"
            ) from None
        return np.memmap(file, dtype, "r+", shape=shape)


class MemmapDataset(ArrayDataset):
    """Dataset whose inputs are read from a memory-mapped array when taken.

    Args:
        array: The memory-mapped array, `(total_rows, ...)`; if its dtype is structured, `x` is a dictionary of its
            fields.
        indices: The index of each row in the array, `(rows,)`.
        y: Targets `(rows,)`.
        weight: Sample weights `(rows,)`, or None.
        raw: Function from indices in the array to the raw inputs of these rows; None if the array itself is the raw
            input `pixels`.
    """

    def __init__(
        self,
        array: np.ndarray,
        indices: np.ndarray,
        y: Any,
        weight: Any = None,
        *,
        raw: Callable[[np.ndarray], dict[str, Any]] | None = None,
    ):
        super().__init__(None, y, weight)
        self.array, self.indices, self.read_raw = array, indices, raw

    def take(self, indices: Any) -> tuple[Any, Any, Any]:
        """Read rows from the file and return them as tensors."""
        import tensorflow as tf

        _, y, weight = super().take(indices)
        names = self.array.dtype.names
        fields = {name: self.array.dtype[name] for name in names} if names else {"": self.array.dtype}
        if not tf.is_tensor(indices) or tf.executing_eagerly():
            x = [tf.constant(values) for values in self._read(np.asarray(indices))]
        else:
            x = tf.numpy_function(self._read, [indices], [field.base for field in fields.values()], stateful=False)
            shapes = [(None, *self.array.shape[1:], *field.shape) for field in fields.values()]
            x = [tf.ensure_shape(values, shape) for values, shape in zip(x, shapes, strict=True)]
        return dict(zip(names, x, strict=True)) if names else x[0], y, weight

    def concatenate(self, dataset: Any) -> "MemmapDataset":
        """Concatenate two datasets.

        If they are in two files, the rows are copied to a new file.
        """
        targets = super().concatenate(dataset).arrays[1:]
        if dataset.array is self.array:
            return MemmapDataset(
                self.array, np.concatenate([self.indices, dataset.indices]), *targets, raw=self.read_raw
            )
        array = allocate_memmap((len(self) + len(dataset), *self.array.shape[1:]), self.array.dtype)
        end = 0
        for source in (self, dataset):
            for start in range(0, len(source), CHUNK_ROWS):
                indices = source.indices[start : start + CHUNK_ROWS]
                array[end : end + len(indices)] = source.array[indices]
                end += len(indices)

        def raw(indices: np.ndarray) -> dict[str, np.ndarray]:
            is_first = indices < len(self)
            sources = self.raw_inputs(indices[is_first]), dataset.raw_inputs(indices[~is_first] - len(self))
            order = np.argsort(np.concatenate([np.flatnonzero(is_first), np.flatnonzero(~is_first)]))
            return {name: np.concatenate([source[name] for source in sources])[order] for name in sources[0]}

        return MemmapDataset(array, np.arange(len(array)), *targets, raw=None if self.read_raw is None else raw)

    def with_sample_weight(self, weight: Any) -> "MemmapDataset":
        """Return the same rows with other sample weights."""
        return MemmapDataset(self.array, self.indices, self.arrays[1], weight, raw=self.read_raw)

    def raw_inputs(self, indices: Any) -> dict[str, Any]:
        """Return the raw inputs of rows."""
        if self.read_raw is not None:
            return self.read_raw(self.indices[np.asarray(indices)])
        return {"pixels": self._read(np.asarray(indices))[0]}

    def _read(self, indices: np.ndarray) -> list[np.ndarray]:
        rows = np.take(self.array, self.indices[indices], axis=0)
        return [np.ascontiguousarray(rows[name]) for name in rows.dtype.names] if rows.dtype.names else [rows]
