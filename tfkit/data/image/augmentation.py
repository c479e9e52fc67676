"""Random augmentation of batches of training images: affine maps, color jitter, MixUp and CutMix."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfkit.data.columns.targets import soft_targets
from tfkit.metadata import Metadata

# settings of a recipe that `augment_images` takes
AUGMENTATION_SETTINGS = frozenset({"translation", "rotation", "zoom", "flip", "color_jitter", "mixup", "cutmix"})

FLIP_AXES = {"none": (False, False), "horizontal": (True, False), "vertical": (False, True), "both": (True, True)}

LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # perceived brightness of red, green and blue (ITU-R BT.601)


def augment_images(
    metadata: Metadata,
    *,
    translation: float = 0.0,
    rotation: float = 0.0,
    zoom: float = 0.0,
    flip: str = "none",
    color_jitter: float = 0.0,
    mixup: float = 0.0,
    cutmix: float = 0.0,
) -> Callable[..., Any] | None:
    """Make the function that augments batches of training images.

    All geometric changes of an image are one affine map with linear interpolation; positions outside of the image take
    the nearest pixel of the edge. MixUp and CutMix combine an image with another one of its batch, and their targets in
    the same proportions.

    Args:
        metadata: The result of `fit_schema`.
        translation: Largest translation, as a fraction of height and width.
        rotation: Largest rotation, in degrees.
        zoom: Largest change of scale, as a fraction.
        flip: none, horizontal (left and right are swapped), vertical or both; each applied to half of the images.
        color_jitter: Largest relative change of brightness, contrast and (of color images) saturation.
        mixup: Parameter of the Beta distribution of the weights with which two images are averaged; 0 turns MixUp off
            (Zhang et al. 2018, https://arxiv.org/abs/1710.09412).
        cutmix: The same for the area of a box that is replaced by the same box of another image; 0 turns CutMix off
            (Yun et al. 2019, https://arxiv.org/abs/1905.04899). With both, each is applied to half of the images.

    Returns:
        `(pixels, y, weight, seed) -> (pixels, y, weight)` for `tfkit.fit`, where `seed` is that of TensorFlow's
        stateless functions; None if all settings are off. Mixed classes become class probabilities `(rows, classes)`.
    """
    has_affine = bool(translation or rotation or zoom or flip != "none")
    if not (has_affine or color_jitter or mixup or cutmix):
        return None
    target = metadata.target

    def augment(x: Any, y: Any, weight: Any, seed: Any) -> Any:
        import tensorflow as tf

        uniform = tf.random.stateless_uniform((tf.shape(x)[0], 12), seed)
        if has_affine:
            x = _random_affine(x, uniform[:, :6], translation, rotation, zoom, FLIP_AXES[flip])
        if color_jitter:
            x = _color_jitter(tf.cast(x, "float32"), uniform[:, 6:9], color_jitter)
        if mixup or cutmix:
            x, fraction = _mix(tf.cast(x, "float32"), uniform[:, 9:12], seed, mixup, cutmix)
            y = soft_targets(y, target)
            y, weight = (None if values is None else _blend(values, fraction) for values in (y, weight))
        return (x if x.dtype == tf.uint8 else tf.cast(tf.round(tf.clip_by_value(x, 0.0, 255.0)), "uint8")), y, weight

    return augment


def _random_affine(
    x: Any, uniform: Any, translation: float, rotation: float, zoom: float, flip: tuple[bool, bool]
) -> Any:
    """Apply to each image its own affine map about the center of the image.

    Args:
        x: Images `(rows, height, width, channels)`.
        uniform: Random values `(rows, 6)` in `[0, 1)`: horizontal and vertical translation, rotation, zoom, horizontal
            and vertical flip.
        translation, rotation, zoom: As in `augment_images`.
        flip: Whether to flip horizontally and vertically.
    """
    import tensorflow as tf

    height, width = x.shape[1], x.shape[2]
    shift_x, shift_y, turn, log_scale, flip_x, flip_y = tf.unstack(2.0 * uniform - 1.0, axis=1)
    angle, scale = turn * float(np.deg2rad(rotation)), tf.exp(log_scale * float(np.log1p(zoom)))
    ones = tf.ones_like(scale)
    scale_x, scale_y = (
        scale * (tf.sign(value) if enabled else ones) for enabled, value in zip(flip, (flip_x, flip_y), strict=True)
    )
    a, b = tf.cos(angle) * scale_x, -tf.sin(angle) * scale_y
    c, d = tf.sin(angle) * scale_x, tf.cos(angle) * scale_y
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    offset_x = center_x - a * center_x - b * center_y + shift_x * translation * width
    offset_y = center_y - c * center_x - d * center_y + shift_y * translation * height
    zeros = tf.zeros_like(ones)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack([a, b, offset_x, c, d, offset_y, zeros, zeros], axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _color_jitter(x: Any, uniform: Any, strength: float) -> Any:
    """Change brightness, contrast and saturation of each image by up to `strength`.

    `uniform` are random values `(rows, 3)` in `[0, 1)`.
    """
    import tensorflow as tf

    brightness, contrast, saturation = tf.unstack((2.0 * uniform - 1.0)[:, None, None, None, :] * strength, axis=-1)
    offset = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True) * (brightness - contrast)
    if x.shape[-1] != 3:
        return x * (1.0 + contrast) + offset
    # gray + (x - gray) * (1 + saturation), with few passes over the pixels
    gray = tf.tensordot(x, tf.constant(LUMA_WEIGHTS)[:, None], 1)
    return x * ((1.0 + contrast) * (1.0 + saturation)) + (offset - saturation * (1.0 + contrast) * gray)


def _mix(x: Any, uniform: Any, seed: Any, mixup: float, cutmix: float) -> tuple[Any, Any]:
    """Combine each image with another of the batch, by MixUp or CutMix.

    Returns:
        The images, and the fraction `(rows,)` that remains of each.
    """
    import tensorflow as tf

    rows, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    masks = []  # weight of the image itself at each pixel, (rows, height, width), for each method
    if mixup:
        masks.append(tf.broadcast_to(_sample_beta(rows, mixup, seed, 1)[:, None, None], (rows, height, width)))
    if cutmix:
        box_side = tf.sqrt(1.0 - _sample_beta(rows, cutmix, seed, 2))
        outside_y, outside_x = (
            tf.abs(tf.range(length, dtype="float32") + 0.5 - center[:, None] * length)
            >= 0.5 * box_side[:, None] * length
            for length, center in ((height, uniform[:, 0]), (width, uniform[:, 1]))
        )
        masks.append(tf.cast(outside_y[:, :, None] | outside_x[:, None, :], "float32"))
    mask = masks[0] if len(masks) == 1 else tf.where(uniform[:, 2, None, None] < 0.5, masks[0], masks[1])
    return _blend(x, mask[..., None]), tf.reduce_mean(mask, axis=(1, 2))


def _sample_beta(rows: Any, alpha: float, seed: Any, offset: int) -> Any:
    """Sample `(rows,)` values of a symmetric Beta distribution.

    `offset` makes the seeds of MixUp and CutMix differ.
    """
    import tensorflow as tf

    pair = tf.random.stateless_gamma((rows, 2), seed + tf.constant([offset, 0], seed.dtype), alpha)
    return tf.math.divide_no_nan(pair[:, 0], pair[:, 0] + pair[:, 1])


def _blend(values: Any, fraction: Any) -> Any:
    """Average each row with its partner in the reversed batch.

    `fraction` is the weight of the row itself; its axes are the first axes of `values`.
    """
    import tensorflow as tf

    trailing_ones = tf.ones(len(values.shape) - len(fraction.shape), "int32")
    fraction = tf.reshape(fraction, tf.concat([tf.shape(fraction), trailing_ones], 0))
    return fraction * values + (1.0 - fraction) * tf.reverse(values, [0])
