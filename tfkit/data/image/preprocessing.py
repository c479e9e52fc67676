"""Preprocessing layers of images."""

from typing import TYPE_CHECKING

from tfkit.data.image.metadata import ImageMetadata

if TYPE_CHECKING:
    import keras


def make_preprocessor(metadata: ImageMetadata) -> "keras.Model":
    """Make the preprocessing model, which resizes raw pixels to the common size.

    Images that have the common size already, such as all images of `read`, are not changed.

    Returns:
        A `keras.Model` from `{"pixels": (rows, any height, any width, channels)}` uint8 to pixels of one size.
    """
    import keras
    from keras import ops

    # Not `keras.layers.Resizing`: where no `training` argument is passed, as in a SavedModel, it passes training=True
    # to all layers after it.
    schema = metadata.image
    pixels = keras.Input((None, None, schema.channels), name="pixels", dtype="uint8")
    x = ops.image.resize(ops.cast(pixels, "float32"), (schema.height, schema.width), antialias=True)
    return keras.Model({"pixels": pixels}, ops.cast(ops.round(x), "uint8"), name="prepare")
