"""Reader of images for prediction and evaluation."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.target import read_target
from tfkit.data.image.dataset import _resize_array
from tfkit.data.image.files import find_images
from tfkit.data.image.scan import decode_images, report_unreadable

log = logging.getLogger("tfkit")


def read_images(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read images in the form of the inputs of the saved model.

    Args:
        source: A folder, a .zip, one image file, a list of paths, a table of paths, or pixels `(rows, height, width)`
            or `(rows, height, width, channels)` uint8.
        info: The result of `learn_images`.
        target: Whether to return the targets too, taken from the class folders or the column of labels.
        own: Whether to return the identifying columns too, to be written beside the predictions.

    Returns:
        `{"pixels": (rows, height, width, channels)}` uint8; with `target`, also the class indices or values `(rows,)`;
        with `own`, also a DataFrame of the paths, or of the table's own columns.

    Raises:
        UserError: If there are no images, more than 1% of them cannot be read, or a label is not a training class.
    """
    if hasattr(source, "dtype") and hasattr(source, "ndim"):
        return _resize_array(np.asarray(source), info, target or own)
    name = info["target"]["name"]
    images, messages = find_images(source, target=name, labelled=target, **info["reading"])
    picture = info["picture"]
    pixels = np.zeros((len(images), picture["height"], picture["width"], picture["channels"]), "uint8")
    unreadable = decode_images(images, picture, pixels)
    for message in messages + report_unreadable(unreadable, len(images)):
        log.warning("%s", message)
    is_readable = np.array([path not in unreadable for path in images.frame[images.path_column]])
    frame = images.frame[is_readable].reset_index(drop=True)
    extras = [read_target(frame, info["target"])] if target else []
    if own:
        has_no_labels = name in frame and frame[name].isna().all()
        extras.append(frame.drop(columns=[name]) if has_no_labels else frame)
    raw = {"pixels": pixels[is_readable] if unreadable else pixels}
    return (raw, *extras) if extras else raw
