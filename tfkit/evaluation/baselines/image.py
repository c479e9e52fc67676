"""Baseline of images: logistic or ridge regression on downscaled grayscale pixels."""

from typing import Any

import numpy as np

from tfkit.evaluation.baselines.table import Split, linear
from tfkit.metadata import Metadata

MAX_SIDE_PIXELS = 16  # side of a downscaled image

CHUNK_ROWS = 1024  # images in memory at once


def linear_pixels(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Fit `linear` on grayscale pixels, downscaled to at most 16 x 16.

    Each pixel of the downscaled image is the mean of a block of pixels.

    Example:
        >>> from tfkit.metadata import Target
        >>> class Rows(list):
        ...     def take(self, indices):
        ...         return np.full((len(indices), 32, 32, 3), 255, "uint8") * (indices[:, None, None, None] % 2 == 1), (
        ...             np.array(self)[indices]), None
        >>> metadata = Metadata(target=Target(task="classification", classes=["dark", "light"]))
        >>> linear_pixels(Rows([0, 1] * 50), Rows([0, 1]), metadata).argmax(axis=1).tolist()
        [0, 1]
    """
    return linear(_PixelColumns(train), _PixelColumns(test), metadata, seed=seed)


class _PixelColumns:
    """A dataset of images as a table of downscaled grayscale pixels."""

    def __init__(self, split: Split):
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def take(self, indices: np.ndarray, /) -> Any:
        """Return the rows with these indices, read in chunks."""
        chunks = []
        for start in range(0, len(indices), CHUNK_ROWS):
            x, y, weight = self.split.take(indices[start : start + CHUNK_ROWS])
            chunks.append((_downscale(np.asarray(x)), y, weight))
        x, y, weight = zip(*chunks, strict=True)
        return {"numbers": np.concatenate(x)}, np.concatenate(y), None if weight[0] is None else np.concatenate(weight)


def _downscale(pixels: np.ndarray) -> np.ndarray:
    """Average images over nearly equal blocks to `(rows, at most 256)`."""
    values = pixels.astype("float32").mean(axis=-1)
    for axis in (1, 2):
        length = values.shape[axis]
        edges = np.arange(min(MAX_SIDE_PIXELS, length)) * length // min(MAX_SIDE_PIXELS, length)
        counts = np.diff([*edges, length]).astype("float32")
        counts = counts[:, None] if axis == 1 else counts
        values = np.add.reduceat(values, edges, axis=axis) / counts
    return values.reshape(len(values), -1)
