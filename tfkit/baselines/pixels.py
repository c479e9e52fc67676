"""What a network for pictures must beat: a weighted sum of their pixels, made small."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.baselines.tables import Split, linear

SIDE = 16  # pixels of a small picture along each side, at most


def linear_pixels(train: Split, test: Split, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Answer with a weighted sum of the pixels of the picture, made grey and at most 16 by 16: see `linear`.

    Each pixel of the small picture is the mean of those that it stands for.

    Example:
        >>> class Rows(list):
        ...     def take(self, numbers):
        ...         return np.full((len(numbers), 32, 32, 3), 255, "uint8") * (numbers[:, None, None, None] % 2 == 1), (
        ...             np.array(self)[numbers]), None
        >>> info = {"task": "binary", "target": {"classes": ["dark", "light"], "positive": "dark"}}
        >>> linear_pixels(Rows([0, 1] * 50), Rows([0, 1]), info).argmax(axis=1).tolist()
        [0, 1]
    """
    return linear(_Small(train), _Small(test), info, seed=seed)


class _Small:
    """A split whose rows are the pixels of small grey pictures, as columns of a table."""

    def __init__(self, split: Split):
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def take(self, numbers: np.ndarray, /) -> Any:
        """The rows of these numbers, some thousand pictures at a time."""
        parts = []
        for start in range(0, len(numbers), 1024):
            x, y, weight = self.split.take(numbers[start : start + 1024])
            parts.append((_small(np.asarray(x)), y, weight))
        x, y, weight = zip(*parts, strict=True)
        return {"numbers": np.concatenate(x)}, np.concatenate(y), None if weight[0] is None else np.concatenate(weight)


def _small(pixels: np.ndarray) -> np.ndarray:
    """`(rows, height, width, channels)` -> `(rows, at most 256)`: means of blocks of nearly equal size."""
    values = pixels.astype("float32").mean(axis=-1)
    for axis in (1, 2):
        length = values.shape[axis]
        edges = np.arange(min(SIDE, length)) * length // min(SIDE, length)
        counts = np.diff([*edges, length]).astype("float32")
        counts = counts[:, None] if axis == 1 else counts
        values = np.add.reduceat(values, edges, axis=axis) / counts
    return values.reshape(len(values), -1)
