"""Datasets of images."""

from collections.abc import Iterable

import numpy as np

from tfkit.data.columns.targets import read_target, scale_targets
from tfkit.data.image.files import ImageFiles
from tfkit.data.image.metadata import ImageMetadata
from tfkit.data.image.scan import decode_images
from tfkit.datasets.array import ArrayDataset
from tfkit.datasets.memmap import MemmapDataset, allocate
from tfkit.errors import UserError

CHUNK_ROWS = 1024  # images whose sums are computed at a time


def make_dataset(splits: Iterable[ImageFiles], metadata: ImageMetadata) -> list[ArrayDataset]:
    """Decode splits of images into datasets.

    Pixels are decoded once: into memory, or into a memory-mapped file if they do not fit. The first split is the
    training split; mean and standard deviation are computed from its pixels and stored in `metadata.image`.
    """
    splits, schema = list(splits), metadata.image
    pixels, is_on_disk = allocate((sum(map(len, splits)), schema.height, schema.width, schema.channels))
    datasets: list[ArrayDataset] = []
    start = 0
    for split in splits:
        end = start + len(split)
        for path, reason in decode_images(split, schema, pixels[start:end]).items():
            raise UserError(f"All images must have the range of the training images. Received: {path} ({reason})")
        y = read_target(split.frame, metadata.target)
        targets = scale_targets(y, metadata.target)
        if is_on_disk:
            datasets.append(MemmapDataset(pixels, np.arange(start, end), targets))
        else:
            datasets.append(ArrayDataset(pixels[start:end], targets, raw={"pixels": pixels[start:end]}))
        datasets[-1].with_row_ids(split.frame[split.path_column].astype(str).to_numpy()).with_target_values(y)
        start = end
    schema.mean, schema.std = channel_statistics(pixels[: len(splits[0])])
    return datasets


def channel_statistics(pixels: np.ndarray) -> tuple[list[float], list[float]]:
    """Compute mean and standard deviation of each channel, chunk by chunk."""
    sums, squares = np.zeros(pixels.shape[-1]), np.zeros(pixels.shape[-1])
    for start in range(0, len(pixels), CHUNK_ROWS):
        chunk: np.ndarray = pixels[start : start + CHUNK_ROWS].astype("float64")
        sums += chunk.sum((0, 1, 2))
        squares += (chunk**2).sum((0, 1, 2))
    mean = sums / (pixels.size / pixels.shape[-1])
    std = np.sqrt(np.maximum(squares / (pixels.size / pixels.shape[-1]) - mean**2, 1.0))
    return mean.tolist(), std.tolist()
