"""Schema of images: target, size and pixel statistics, fitted on the training split."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.target import count_classes, infer_target, read_target
from tfkit.data.image.files import ImageFiles
from tfkit.data.image.loading import DEFAULT_MAX_SIDE_PIXELS

CHUNK_ROWS = 1024  # images whose sums are computed at a time


def learn_images(
    train: ImageFiles,
    target: Mapping[str, Any],
    *,
    size: int | None = None,
    channels: str = "auto",
    said: Iterable[str] = (),
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Infer common size, color mode and white level from the training images.

    The size is the median height and the median width, reduced if the longer side has more than `size` pixels; if
    `size` is given, smaller images are enlarged to it too.

    Args:
        train: The training images.
        target: The target description returned by `learn_target`.
        size: Pixels of the longer side; None for the median, at most 64.
        channels: "grey", "rgb", or "auto": color if at least one training image has color.
        said: Messages about earlier steps, stored with the result.
        reading: The delimiter of a table, stored for reading later tables.

    Returns:
        The schema, as plain JSON.
    """
    frame = train.frame
    height, width = float(frame["height"].median()), float(frame["width"].median())
    max_side = max(height, width)
    scale = (size or min(max_side, DEFAULT_MAX_SIDE_PIXELS)) / max_side
    height, width = (max(1, round(side * scale)) for side in (height, width))
    is_grayscale = channels == "grey" or (channels == "auto" and bool(frame["grey"].all()))
    shape = [height, width, 1 if is_grayscale else 3]
    y_true = read_target(frame, target)
    target_statistics = (
        {"counts": count_classes(y_true, target["classes"])}
        if target["classes"]
        else {"mean": float(y_true.mean()), "scale": float(y_true.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **target_statistics},
        "cleaning": list(said),
        "reading": {**(reading or {}), "path_column": train.path_column},
        "inputs": {"pixels": {"dtype": "uint8", "shape": shape}},
        "picture": {
            **dict(zip(("height", "width", "channels"), shape, strict=True)),
            "white": _white_level(float(frame["deepest"].max())),
        },
    }


def infer_label(images: ImageFiles, target: str, *, kind: str = "auto", positive: str | None = None) -> dict[str, Any]:
    """Infer the target from the labels, as `learn_target` does.

    Names of folders are classes, even if they are numbers.
    """
    kind = "class" if images.labels_from_folders and kind == "auto" else kind
    return infer_target(images.frame[target], kind=kind, positive=positive)


def _white_level(max_value: float) -> float:
    """Infer the value of white from the largest value of the training images.

    For 12 bits it is 4095, for 16 bits 65535, for fractions 1.
    """
    if max_value <= 0 or 1 < max_value <= 255:
        return 255.0
    return 1.0 if max_value <= 1 else float(2 ** int(np.ceil(np.log2(max_value + 1))) - 1)


def _channel_statistics(pixels: np.ndarray) -> dict[str, list[float]]:
    """Compute mean and standard deviation of each channel, chunk by chunk."""
    sums, squares = np.zeros(pixels.shape[-1]), np.zeros(pixels.shape[-1])
    for start in range(0, len(pixels), CHUNK_ROWS):
        chunk: np.ndarray = pixels[start : start + CHUNK_ROWS].astype("float64")
        sums += chunk.sum((0, 1, 2))
        squares += (chunk**2).sum((0, 1, 2))
    mean = sums / (pixels.size / pixels.shape[-1])
    std = np.sqrt(np.maximum(squares / (pixels.size / pixels.shape[-1]) - mean**2, 1.0))
    return {"mean": mean.tolist(), "spread": std.tolist()}
