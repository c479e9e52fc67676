"""Preprocessing layers of images."""

from collections.abc import Mapping
from typing import Any


def prepare_images(info: Mapping[str, Any]) -> Any:
    """Make the preprocessing model, which resizes raw pixels to the common size.

    Images that have the common size already, such as all images of `read_images`, are not changed.

    Returns:
        A `keras.Model` from `{"pixels": (rows, any height, any width, channels)}` uint8 to pixels of one size.
    """
    import keras
    from keras import ops

    # Not `keras.layers.Resizing`: where no `training` argument is passed, as in a SavedModel, it passes training=True
    # to all layers after it.
    picture = info["picture"]
    pixels = keras.Input((None, None, picture["channels"]), name="pixels", dtype="uint8")
    x = ops.image.resize(ops.cast(pixels, "float32"), (picture["height"], picture["width"]), antialias=True)
    return keras.Model({"pixels": pixels}, ops.cast(ops.round(x), "uint8"), name="prepare")
