"""Rows that do not fit into memory lie in a file without a name, which is gone when nobody holds it any more."""

import os
import tempfile
from typing import Any

import numpy as np

from tfkit.data.splits import Rows
from tfkit.errors import UserError

SHARE = 1 / 8  # of the machine's memory: an array above this is kept in a file


def room(shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """An array of uint8 to be filled, and whether it lies in a file.

    Raises:
        UserError: If the disk has no room for the file.
    """
    size = int(np.prod(shape))
    if size <= SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        return np.empty(shape, "uint8"), False
    with tempfile.TemporaryFile() as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise UserError(f"What does not fit into memory needs room for a file; free some, set TMPDIR to a larger "
                            f"disk, or make the rows smaller. Received: {size / 1e9:,.1f} GB in "
                            f"{tempfile.gettempdir()}: {error.strerror}") from None  # fmt: skip
        return np.memmap(file, "uint8", "r+", shape=shape), True


class Stored(Rows):
    """Rows of an array that lies in a file, named by their places in it; taken as they are needed.

    Args:
        array: What lies in the file, `(all, ...)`.
        places: The place of each row, `(rows,)`.
        y: Targets `(rows,)`.
        weight: Weight of each row, `(rows,)`, or None.
    """

    def __init__(self, array: np.ndarray, places: np.ndarray, y: Any, weight: Any = None):
        super().__init__(None, y, weight)
        self.array, self.places = array, places

    def take(self, numbers: Any) -> tuple[Any, Any, Any]:
        """The rows of these numbers as tensors, read from the file."""
        import tensorflow as tf

        _, y, weight = super().take(numbers)
        if not tf.is_tensor(numbers) or tf.executing_eagerly():
            return tf.constant(self._read(np.asarray(numbers))), y, weight
        x = tf.numpy_function(self._read, [numbers], self.array.dtype, stateful=False)
        return tf.ensure_shape(x, (None, *self.array.shape[1:])), y, weight

    def joined(self, other: Any) -> "Stored":
        """The rows of this split, then those of another of the same file."""
        both = super().joined(other)
        return Stored(self.array, np.concatenate([self.places, other.places]), *both.arrays[1:])

    def weighted(self, weight: Any) -> "Stored":
        """The same rows with other weights."""
        return Stored(self.array, self.places, self.arrays[1], weight)

    def raw(self, numbers: Any) -> dict[str, Any]:
        """The same rows as the user's file has them."""
        return {"pixels": self._read(np.asarray(numbers))}

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        return np.asarray(self.array[self.places[numbers]])
