"""Reader of images for prediction and evaluation."""

import logging
from typing import Any

import numpy as np

from tfkit.data.columns.targets import read_target
from tfkit.data.image.files import find_images
from tfkit.data.image.metadata import ImageMetadata
from tfkit.data.image.preprocessing import make_preprocessor
from tfkit.data.image.scan import decode_images, report_unreadable
from tfkit.errors import UserError

log = logging.getLogger("tfkit")


def read(source: Any, metadata: ImageMetadata, *, with_targets: bool = False, with_columns: bool = False) -> Any:
    """Read images in the form of the inputs of the saved model.

    Args:
        source: A folder, a .zip, one image file, a list of paths, a table of paths, or pixels `(rows, height, width)`
            or `(rows, height, width, channels)` uint8.
        metadata: The result of `fit_schema`.
        with_targets: Whether to return the targets too, taken from the class folders or the column of labels.
        with_columns: Whether to return the identifying columns too, to be written beside the predictions.

    Returns:
        `{"pixels": (rows, height, width, channels)}` uint8; with `with_targets`, also the class codes or values
        `(rows,)`; with `with_columns`, also a DataFrame of the paths, or of the columns of the table.

    Raises:
        UserError: If there are no images, more than 1% of them cannot be read, or a label is not a training class.
    """
    if hasattr(source, "dtype") and hasattr(source, "ndim"):
        return _resize_array(np.asarray(source), metadata, with_targets or with_columns)
    name, schema = metadata.target.name, metadata.image
    images, messages = find_images(source, target=name, labeled=with_targets, **metadata.read_options)
    pixels: np.ndarray = np.zeros((len(images), schema.height, schema.width, schema.channels), "uint8")
    unreadable = decode_images(images, schema, pixels)
    for message in messages + report_unreadable(unreadable, len(images)):
        log.warning("%s", message)
    is_readable = np.array([path not in unreadable for path in images.frame[images.path_column]])
    frame = images.frame[is_readable].reset_index(drop=True)
    extras = [read_target(frame, metadata.target)] if with_targets else []
    if with_columns:
        has_no_labels = name in frame and frame[name].isna().all()
        extras.append(frame.drop(columns=[name]) if has_no_labels else frame)
    raw = {"pixels": pixels[is_readable] if unreadable else pixels}
    return (raw, *extras) if extras else raw


def _resize_array(pixels: np.ndarray, metadata: ImageMetadata, with_labels: bool) -> dict[str, np.ndarray]:
    """Resize pixels in memory with the same model that is part of the saved model."""
    from tfkit.datasets.batch_predict import predict

    channels = metadata.image.channels
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    if with_labels or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] != channels or not len(pixels):
        raise UserError(
            f"An array of pixels must be uint8 (rows, height, width, {channels}), and has neither labels nor names. "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    return {"pixels": predict(make_preprocessor(metadata), {"pixels": pixels})}
