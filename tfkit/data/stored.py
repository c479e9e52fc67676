"""Rows that do not fit into memory lie in a file without a name, which is gone when nobody holds it any more."""

import math
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.splits import Rows
from tfkit.errors import UserError

BLOCK = 4096  # rows that are copied at a time
SHARE = 1 / 8  # of the machine's memory: an array above this is kept in a file


def room(shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """An array of uint8 to be filled, and whether it lies in a file.

    Raises:
        UserError: If the disk has no room for the file.
    """
    if fits(math.prod(shape)):
        return np.empty(shape, "uint8"), False
    return lying(shape, "uint8"), True


def fits(size: int) -> bool:
    """Whether an array of so many bytes is kept in memory."""
    return size <= SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def record_of(rows: Mapping[str, np.ndarray]) -> np.dtype:
    """One record for each row, of a field for each array."""
    return np.dtype([(name, values.dtype, values.shape[1:]) for name, values in rows.items()])


def lying(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array that lies in a file, to be filled.

    Raises:
        UserError: If the disk has no room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"What does not fit into memory needs room for a file; free some, set TMPDIR to a larger "
                f"disk, or make the rows smaller. Received: {size / 1e9:,.1f} GB in "
                f"{tempfile.gettempdir()}: {getattr(error, 'strerror', error)}"
            ) from None
        return np.memmap(file, dtype, "r+", shape=shape)


class Stored(Rows):
    """Rows of an array that lies in a file, named by their places in it; taken as they are needed.

    Args:
        array: What lies in the file, `(all, ...)`; of records, `x` is a dictionary of their fields.
        places: The place of each row, `(rows,)`.
        y: Targets `(rows,)`.
        weight: Weight of each row, `(rows,)`, or None.
        raw: From places to the same rows as the user's file has them; None for what lies there, called pixels.
    """

    def __init__(self, array: np.ndarray, places: np.ndarray, y: Any, weight: Any = None, *, raw: Any = None):
        super().__init__(None, y, weight)
        self.array, self.places, self.read_raw = array, places, raw

    def take(self, numbers: Any) -> tuple[Any, Any, Any]:
        """The rows of these numbers as tensors, read from the file."""
        import tensorflow as tf

        _, y, weight = super().take(numbers)
        names = self.array.dtype.names
        parts = {name: self.array.dtype[name] for name in names} if names else {"": self.array.dtype}
        if not tf.is_tensor(numbers) or tf.executing_eagerly():
            found = [tf.constant(part) for part in self._read(np.asarray(numbers))]
        else:
            found = tf.numpy_function(self._read, [numbers], [part.base for part in parts.values()], stateful=False)
            shapes = [(None, *self.array.shape[1:], *part.shape) for part in parts.values()]
            found = [tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)]
        return dict(zip(names, found, strict=True)) if names else found[0], y, weight

    def joined(self, other: Any) -> "Stored":
        """The rows of this split, then those of another; where they lie in two files, in a new one."""
        targets = super().joined(other).arrays[1:]
        if other.array is self.array:
            return Stored(self.array, np.concatenate([self.places, other.places]), *targets, raw=self.read_raw)
        array = lying((len(self) + len(other), *self.array.shape[1:]), self.array.dtype)
        start = 0
        for part in (self, other):
            for first in range(0, len(part), BLOCK):
                places = part.places[first : first + BLOCK]
                array[start : start + len(places)] = part.array[places]
                start += len(places)

        def raw(places: np.ndarray) -> dict[str, np.ndarray]:
            ours = places < len(self)
            found = self.raw(places[ours]), other.raw(places[~ours] - len(self))
            order = np.argsort(np.concatenate([np.flatnonzero(ours), np.flatnonzero(~ours)]))
            return {name: np.concatenate([one[name] for one in found])[order] for name in found[0]}

        return Stored(array, np.arange(len(array)), *targets, raw=None if self.read_raw is None else raw)

    def weighted(self, weight: Any) -> "Stored":
        """The same rows with other weights."""
        return Stored(self.array, self.places, self.arrays[1], weight, raw=self.read_raw)

    def raw(self, numbers: Any) -> dict[str, Any]:
        """The same rows as the user's file has them."""
        if self.read_raw is not None:
            return self.read_raw(self.places[np.asarray(numbers)])
        return {"pixels": self._read(np.asarray(numbers))[0]}

    def _read(self, numbers: np.ndarray) -> list[np.ndarray]:
        rows = np.take(self.array, self.places[numbers], axis=0)
        return [np.ascontiguousarray(rows[name]) for name in rows.dtype.names] if rows.dtype.names else [rows]
