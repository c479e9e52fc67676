"""Inspect and decode many images in parallel; unreadable images are reported and dropped."""

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tfkit.data.image.decode import UnreadableImageError, decode, inspect_image
from tfkit.data.image.files import ImageFiles
from tfkit.data.image.metadata import ImageSchema
from tfkit.errors import UserError

MAX_UNREADABLE_FRACTION = 0.01

INSPECTED_COLUMNS = (
    *("height", "width", "is_grayscale", "digest"),
    *("min_value", "max_value", "low_value", "high_value", "high_bit_depth", "is_float"),
)


def scan_images(images: ImageFiles) -> tuple[ImageFiles, list[str]]:
    """Inspect all images.

    Returns:
        The readable images, with the results of `inspect_image` as columns, and messages about the unreadable ones.
    """
    import pandas as pd

    paths = images.frame[images.path_column].tolist()
    results = _map_in_threads(paths, lambda index: inspect_image(images.read(paths[index])))
    unreadable = {
        path: str(result)
        for path, result in zip(paths, results, strict=True)
        if isinstance(result, UnreadableImageError)
    }
    messages = report_unreadable(unreadable, len(paths))
    is_readable = [not isinstance(result, UnreadableImageError) for result in results]
    frame = images.frame[is_readable].reset_index(drop=True)
    inspected = pd.DataFrame(
        [result for result in results if not isinstance(result, UnreadableImageError)], columns=list(INSPECTED_COLUMNS)
    )
    frame = frame.drop(columns=[column for column in INSPECTED_COLUMNS if column in frame])
    return images.with_frame(pd.concat([frame, inspected], axis=1)), messages


def decode_images(images: ImageFiles, schema: ImageSchema, out: np.ndarray) -> dict[str, str]:
    """Decode images into the array `out`; return unreadable paths with the reason."""
    paths = images.frame[images.path_column].tolist()
    options = schema.model_dump(include={"height", "width", "channels", "levels"})

    def decode_into(index: int) -> None:
        out[index] = decode(images.read(paths[index]), **options)

    results = _map_in_threads(paths, decode_into)
    return {
        path: str(result)
        for path, result in zip(paths, results, strict=True)
        if isinstance(result, UnreadableImageError)
    }


def _map_in_threads(paths: list[str], function: Callable[[int], Any]) -> list[Any]:
    """Call a function with the index of each path, in threads.

    Failures become `UnreadableImageError` results. Threads suffice, because decoding releases the global interpreter
    lock.
    """

    def call(index: int) -> Any:
        try:
            return function(index)
        except UnreadableImageError as error:
            return error
        except (OSError, KeyError) as error:
            return UnreadableImageError(getattr(error, "strerror", None) or str(error))
        except Exception as error:  # a damaged entry of a .zip
            return UnreadableImageError(f"corrupt: {error}")

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # Pillow warns about damage that it can recover from
        return list(threads.map(call, range(len(paths))))


def report_unreadable(unreadable: Mapping[str, str], total: int) -> list[str]:
    """Make the message about unreadable images; raise an error if more than 1% are."""
    if not unreadable:
        return []
    examples = ", ".join(f"{path} ({reason})" for path, reason in list(unreadable.items())[:5])
    suffix = f" and {len(unreadable) - 5:,} more" if len(unreadable) > 5 else ""
    if len(unreadable) > MAX_UNREADABLE_FRACTION * total:
        raise UserError(
            f"At most 1% of the images may be unreadable; repair or remove them. Received: {len(unreadable):,} "
            f"of {total:,}: {examples}{suffix}"
        )
    return [f"{len(unreadable):,} of {total:,} images dropped, unreadable: {examples}{suffix}"]
