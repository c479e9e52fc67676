"""Load, split, preprocess and read labeled images; their common size is inferred from the training split."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.image_files import Pictures, find_pictures
from tfkit.data.looking import decoded, left_out, looked_at
from tfkit.data.splits import Rows
from tfkit.data.splitting import split_table
from tfkit.data.stored import Stored, room
from tfkit.data.targets import count_classes, learn_target, read_target
from tfkit.errors import UserError

log = logging.getLogger("tfkit")

DEFAULT_MAX_SIDE_PIXELS = 64  # longer side of an image, unless `size` is given
CHUNK_ROWS = 1024  # images whose sums are computed at a time


def load_images(
    source: Any,
    target: str = "label",
    *,
    test: Any = None,
    path_column: str = "path",
    delimiter: str | None = None,
    duplicates: str = "drop",
) -> tuple[Pictures, Pictures | None, list[str]]:
    """Find labeled images, inspect each once, and drop unreadable and duplicate ones.

    Args:
        source: A folder with one folder per class, a .zip of one, or a table of paths and labels.
        target: The column of labels; for folders, the name given to the label.
        test: The user's own test images, in the same forms as `source`, or None.
        path_column: The column of paths.
        delimiter: Delimiter of a table; detected if None.
        duplicates: "drop" or "keep" images that equal another image of the same label.

    Returns:
        The images, the test images or None, and messages about what was dropped. Each row also has the size of the
        image, and a digest that is the same for equal pixels.

    Raises:
        UserError: If there are no images, or more than 1% of them cannot be read.
    """
    options: dict[str, Any] = {"target": target, "path_column": path_column, "delimiter": delimiter}
    images, messages = find_pictures(source, **options)
    images, unreadable_messages = looked_at(images)
    messages += unreadable_messages
    is_duplicate = images.frame.duplicated(["digest", target]).to_numpy()
    if duplicates == "drop" and is_duplicate.any():
        messages.append(f"{int(is_duplicate.sum()):,} of {len(images):,} images dropped: duplicates of another image")
        images = images.with_frame(images.frame[~is_duplicate])
    has_label_conflict = images.frame.drop_duplicates(["digest", target])["digest"].duplicated()
    if has_label_conflict.any():
        messages.append(
            f"{int(has_label_conflict.sum()):,} images have several labels; all copies of an image stay in one split"
        )
    if test is None:
        return images, None, messages
    test_images, test_messages = find_pictures(test, **options)
    test_images, unreadable_messages = looked_at(test_images)
    messages += [f"test: {message}" for message in test_messages + unreadable_messages]
    in_test = images.frame["digest"].isin(test_images.frame["digest"]).to_numpy()
    if in_test.all():
        raise UserError(
            f"There must be training images that are not test images. Received: {len(images):,} images, "
            f"all of them test images too"
        )
    if in_test.any():
        messages.append(f"{int(in_test.sum()):,} of {len(images):,} images dropped: they are test images too")
        images = images.with_frame(images.frame[~in_test])
    return images, test_images, messages


def split_images(
    images: Pictures, target: Mapping[str, Any], *, test: Pictures | None = None, **options: Any
) -> tuple[Pictures, Pictures, Pictures]:
    """Split images into training, validation and test sets.

    The split is stratified by class, or by group. Images with equal pixels stay in one split.

    Args:
        images: The images returned by `load_images`.
        target: The target description returned by `learn_target`.
        test: The user's own test images, or None to take a fraction of `images`.
        options: val_fraction, test_fraction, seed and group_column of `split_table`.
    """
    import pandas as pd

    duplicate_ids = pd.factorize(images.frame["digest"])[0]
    test_frame = None if test is None else test.frame
    train_rows, val_rows, test_rows = split_table(
        images.frame, dict(target), test=test_frame, alike=duplicate_ids, **options
    )
    test_source = images if test is None else test
    return images.with_frame(train_rows), images.with_frame(val_rows), test_source.with_frame(test_rows)


def learn_images(
    train: Pictures,
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


def image_rows(splits: Iterable[Pictures], info: dict[str, Any]) -> list[Rows]:
    """Decode splits of images into datasets.

    Pixels are decoded once: into memory, or into a memory-mapped file if they do not fit. The first split is the
    training split; mean and standard deviation are computed from its pixels and stored in `info["picture"]`.
    """
    splits = list(splits)
    total, picture = sum(map(len, splits)), info["picture"]
    pixels, on_disk = room((total, picture["height"], picture["width"], picture["channels"]))
    datasets: list[Rows] = []
    start = 0
    for split in splits:
        end = start + len(split)
        decoded(split, picture, pixels[start:end])
        targets = read_target(split.frame, info["target"])
        if info["task"] == "regression":
            targets = ((targets - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
        if on_disk:
            datasets.append(Stored(pixels, np.arange(start, end), targets))
        else:
            datasets.append(Rows(pixels[start:end], targets, raw={"pixels": pixels[start:end]}))
        datasets[-1].named(split.frame[split.path_column].astype(str).to_numpy())
        start = end
    picture |= _channel_statistics(pixels[: len(splits[0])])
    return datasets


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
    images, messages = find_pictures(source, target=name, labelled=target, **info["reading"])
    picture = info["picture"]
    pixels = np.zeros((len(images), picture["height"], picture["width"], picture["channels"]), "uint8")
    unreadable = decoded(images, picture, pixels)
    for message in messages + left_out(unreadable, len(images)):
        log.warning("%s", message)
    is_readable = np.array([path not in unreadable for path in images.frame[images.path_column]])
    frame = images.frame[is_readable].reset_index(drop=True)
    extras = [read_target(frame, info["target"])] if target else []
    if own:
        has_no_labels = name in frame and frame[name].isna().all()
        extras.append(frame.drop(columns=[name]) if has_no_labels else frame)
    raw = {"pixels": pixels[is_readable] if unreadable else pixels}
    return (raw, *extras) if extras else raw


def learn_label(images: Pictures, target: str, *, kind: str = "auto", positive: str | None = None) -> dict[str, Any]:
    """Infer the target from the labels, as `learn_target` does.

    Names of folders are classes, even if they are numbers.
    """
    kind = "class" if images.labels_from_folders and kind == "auto" else kind
    return learn_target(images.frame[target], kind=kind, positive=positive)


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
