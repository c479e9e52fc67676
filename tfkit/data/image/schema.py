"""Schema of images: target, size, color mode and range of values, fitted on the training split."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from tfkit.data.columns import targets as columns_targets
from tfkit.data.columns.targets import fit_target_statistics, read_target
from tfkit.data.image.files import ImageFiles
from tfkit.data.image.metadata import ImageMetadata, ImageSchema
from tfkit.data.image.value_range import fit_range
from tfkit.metadata import Target

# settings of a recipe that `fit_schema` takes
SCHEMA_SETTINGS = frozenset({"image_size", "color_mode"})

DEFAULT_MAX_SIDE_PIXELS = 64  # longer side of an image, unless `image_size` is given


def infer_target(images: ImageFiles, target: str, *, task: str = "auto", **options: Any) -> Target:
    """Infer task and classes from the labels; see `tfkit.data.columns.targets.infer_target`.

    Names of folders are classes, even if they are numbers.
    """
    task = "classification" if images.labels_from_folders and task == "auto" else task
    return columns_targets.infer_target(images.frame[target], task=task, **options)


def fit_schema(
    train: ImageFiles,
    target: Target,
    *,
    image_size: int | Literal["auto"] = "auto",
    color_mode: str = "auto",
    messages: Iterable[str] = (),
    read_options: Mapping[str, Any] | None = None,
) -> ImageMetadata:
    """Infer common size, color mode and range of values from the training images.

    The size is the median height and the median width, reduced if the longer side has more than `image_size` pixels; if
    `image_size` is given, smaller images are enlarged to it too.

    Args:
        train: The training images.
        target: The result of `infer_target`.
        image_size: Pixels of the longer side; "auto" for the median, at most 64.
        color_mode: "grayscale", "rgb", or "auto": color if at least one training image has color.
        messages: Messages about earlier steps, stored with the result.
        read_options: The delimiter of a table, stored for reading later tables.
    """
    frame = train.frame
    median_height, median_width = float(frame["height"].median()), float(frame["width"].median())
    max_side = max(median_height, median_width)
    scale = (min(max_side, DEFAULT_MAX_SIDE_PIXELS) if image_size == "auto" else image_size) / max_side
    height, width = (max(1, round(side * scale)) for side in (median_height, median_width))
    is_grayscale = color_mode == "grayscale" or (color_mode == "auto" and bool(frame["is_grayscale"].all()))
    channels, levels = 1 if is_grayscale else 3, fit_range(frame)
    return ImageMetadata(
        target=fit_target_statistics(target, read_target(frame, target)),
        notes=[*messages, *_range_messages(levels)],
        read_options={**(read_options or {}), "path_column": train.path_column},
        inputs={"pixels": {"dtype": "uint8", "shape": [height, width, channels]}},
        image=ImageSchema(
            height=height,
            width=width,
            channels=channels,
            levels=levels,
        ),
    )


def _range_messages(levels: tuple[float, float] | None) -> list[str]:
    """Describe a range of values that is not that of unsigned integers."""
    if levels is None or (levels[0] == 0 and np.log2(levels[1] + 1) % 1 == 0):
        return []
    return [f"values of pixels from {levels[0]:,.6g} (black) to {levels[1]:,.6g} (white), the range of training images"]
