"""Training pictures are moved, recoloured and mixed as they are taken, so that a net sees each of them once only."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

FLIPS = {"none": (False, False), "horizontal": (True, False), "vertical": (False, True), "both": (True, True)}
GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue are to the eye (ITU-R BT.601)


def augment_images(
    info: Mapping[str, Any],
    *,
    shift: float = 0.0,
    rotation: float = 0.0,
    zoom: float = 0.0,
    flip: str = "none",
    colour: float = 0.0,
    mixup: float = 0.0,
    cutmix: float = 0.0,
) -> Callable[..., Any] | None:
    """What is done to each batch of training pictures; None where that is nothing.

    All moves of a picture are one affine map, read by linear interpolation; what comes from outside is the nearest
    pixel of the edge. What is mixed are a picture and another of its batch, with their targets in the same shares.

    Args:
        info: What `learn_images` found.
        shift: How far a picture moves at most, as a share of its height and width.
        rotation: How far it is turned at most, in degrees.
        zoom: By what share it is made larger or smaller at most.
        flip: none, horizontal (left and right change places), vertical or both; each in half of the pictures.
        colour: By what share brightness, contrast and (of colour) saturation change at most.
        mixup: Parameter of the Beta distribution of the shares in which two pictures are laid over each other; 0 for
            never (Zhang et al. 2018, https://arxiv.org/abs/1710.09412).
        cutmix: The same for the area of a box of the other picture laid on one; 0 for never (Yun et al. 2019,
            https://arxiv.org/abs/1905.04899). With both, each takes half of the pictures.

    Returns:
        `(pixels, y, weight, random) -> (pixels, y, weight)` for `tfkit.fit`; mixed classes become shares of each,
        `(rows, classes)`.
    """
    moves = bool(shift or rotation or zoom or flip != "none")
    if not (moves or colour or mixup or cutmix):
        return None
    classes = info["target"]["classes"]

    def augment(x: Any, y: Any, weight: Any, random: Any) -> Any:
        import tensorflow as tf

        chance = tf.random.stateless_uniform((tf.shape(x)[0], 12), random)
        if moves:
            x = _moved(x, chance[:, :6], shift, rotation, zoom, FLIPS[flip])
        if colour:
            x = _recoloured(tf.cast(x, "float32"), chance[:, 6:9], colour)
        if mixup or cutmix:
            x, share = _mixed(tf.cast(x, "float32"), chance[:, 9:12], random, mixup, cutmix)
            y = tf.one_hot(y, len(classes)) if classes else y
            y, weight = (None if each is None else _between(each, share) for each in (y, weight))
        return (x if x.dtype == tf.uint8 else tf.cast(tf.round(tf.clip_by_value(x, 0.0, 255.0)), "uint8")), y, weight

    return augment


def _moved(x: Any, chance: Any, shift: float, rotation: float, zoom: float, flip: tuple[bool, bool]) -> Any:
    """Each picture through an affine map of its own, about its middle."""
    import tensorflow as tf

    height, width = x.shape[1], x.shape[2]
    across, down, turn, larger, mirror, tumble = tf.unstack(2.0 * chance - 1.0, axis=1)
    angle, scale = turn * float(np.deg2rad(rotation)), tf.exp(larger * float(np.log1p(zoom)))
    one = tf.ones_like(scale)
    across_scale, down_scale = (
        scale * (tf.sign(chance) if on else one) for on, chance in zip(flip, (mirror, tumble), strict=True)
    )
    a, b = tf.cos(angle) * across_scale, -tf.sin(angle) * down_scale
    c, d = tf.sin(angle) * across_scale, tf.cos(angle) * down_scale
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    to_x = middle_x - a * middle_x - b * middle_y + across * shift * width
    to_y = middle_y - c * middle_x - d * middle_y + down * shift * height
    nothing = tf.zeros_like(one)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack([a, b, to_x, c, d, to_y, nothing, nothing], axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _recoloured(x: Any, chance: Any, colour: float) -> Any:
    """Each picture brighter or darker, with more or less contrast, with more or less saturation."""
    import tensorflow as tf

    brighter, contrast, saturation = tf.unstack((2.0 * chance - 1.0)[:, None, None, None, :] * colour, axis=-1)
    more = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True) * (brighter - contrast)
    if x.shape[-1] != 3:
        return x * (1.0 + contrast) + more
    # grey + (x - grey) * (1 + saturation), with few passes over the pixels
    grey = tf.tensordot(x, tf.constant(GREY)[:, None], 1)
    return x * ((1.0 + contrast) * (1.0 + saturation)) + (more - saturation * (1.0 + contrast) * grey)


def _mixed(x: Any, chance: Any, random: Any, mixup: float, cutmix: float) -> tuple[Any, Any]:
    """Each picture with another of the batch, and what share of it is left, `(rows,)`."""
    import tensorflow as tf

    rows, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    kept = []
    if mixup:
        kept.append(tf.broadcast_to(_beta(rows, mixup, random, 1)[:, None, None], (rows, height, width)))
    if cutmix:
        side = tf.sqrt(1.0 - _beta(rows, cutmix, random, 2))
        down, across = (
            tf.abs(tf.range(length, dtype="float32") + 0.5 - place[:, None] * length) >= 0.5 * side[:, None] * length
            for length, place in ((height, chance[:, 0]), (width, chance[:, 1]))
        )
        kept.append(tf.cast(down[:, :, None] | across[:, None, :], "float32"))
    own = kept[0] if len(kept) == 1 else tf.where(chance[:, 2, None, None] < 0.5, kept[0], kept[1])
    return _between(x, own[..., None]), tf.reduce_mean(own, axis=(1, 2))


def _beta(rows: Any, alpha: float, random: Any, number: int) -> Any:
    """Shares `(rows,)` of a symmetric Beta distribution."""
    import tensorflow as tf

    pair = tf.random.stateless_gamma((rows, 2), random + tf.constant([number, 0], random.dtype), alpha)
    return tf.math.divide_no_nan(pair[:, 0], pair[:, 0] + pair[:, 1])


def _between(values: Any, share: Any) -> Any:
    """Each row and that in its place from the end of the batch, in the shares."""
    import tensorflow as tf

    share = tf.reshape(share, tf.concat([tf.shape(share), tf.ones(len(values.shape) - len(share.shape), "int32")], 0))
    return share * values + (1.0 - share) * tf.reverse(values, [0])
