"""Datasets of images."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.target import read_target
from tfkit.data.image.files import ImageFiles
from tfkit.data.image.preprocessing import prepare_images
from tfkit.data.image.scan import decode_images
from tfkit.data.image.schema import _channel_statistics
from tfkit.datasets.array import ArrayDataset
from tfkit.datasets.memmap import MemmapDataset, allocate
from tfkit.errors import UserError


def image_rows(splits: Iterable[ImageFiles], info: dict[str, Any]) -> list[ArrayDataset]:
    """Decode splits of images into datasets.

    Pixels are decoded once: into memory, or into a memory-mapped file if they do not fit. The first split is the
    training split; mean and standard deviation are computed from its pixels and stored in `info["picture"]`.
    """
    splits = list(splits)
    total, picture = sum(map(len, splits)), info["picture"]
    pixels, on_disk = allocate((total, picture["height"], picture["width"], picture["channels"]))
    datasets: list[ArrayDataset] = []
    start = 0
    for split in splits:
        end = start + len(split)
        decode_images(split, picture, pixels[start:end])
        targets = read_target(split.frame, info["target"])
        if info["task"] == "regression":
            targets = ((targets - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
        if on_disk:
            datasets.append(MemmapDataset(pixels, np.arange(start, end), targets))
        else:
            datasets.append(ArrayDataset(pixels[start:end], targets, raw={"pixels": pixels[start:end]}))
        datasets[-1].named(split.frame[split.path_column].astype(str).to_numpy())
        start = end
    picture |= _channel_statistics(pixels[: len(splits[0])])
    return datasets


def _resize_array(pixels: np.ndarray, info: Mapping[str, Any], with_labels: bool) -> dict[str, np.ndarray]:
    """Resize pixels in memory with the same model that is part of the saved model."""
    from tfkit.datasets.batch_predict import predict

    channels = info["picture"]["channels"]
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    if with_labels or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] != channels or not len(pixels):
        raise UserError(
            f"An array of pixels must be uint8 (rows, height, width, {channels}), and has neither labels nor names. "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    return {"pixels": predict(prepare_images(info), {"pixels": pixels})}
