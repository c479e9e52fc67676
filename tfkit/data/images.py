"""Pictures of any size and kind become rows of one size, and what is learnt of them is learnt from training alone."""

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

LONGEST = 64  # pixels of a picture's longer side, unless more are asked for


def load_images(
    source: Any,
    target: str = "label",
    *,
    test: Any = None,
    path_column: str = "path",
    delimiter: str | None = None,
    duplicates: str = "drop",
) -> tuple[Any, Any, list[str]]:
    """Find pictures and their labels, look at each once, and leave out what is broken or there twice.

    Args:
        source: A folder with a folder for each class, a .zip of one, or a table of paths and labels.
        target: The column of labels; what the label is called where folders say it.
        test: Pictures of the user's own to test on, or None.
        path_column: The column of paths.
        delimiter: Of a table; found where it is left out.
        duplicates: "drop" or "keep" pictures that equal another of the same label.

    Returns:
        The pictures, those of the test or None, and what was done, in words. Each row also has the picture's size, and
        a digest that is the same for equal pixels.

    Raises:
        UserError: If there are none, or more than 1% of them cannot be read.
    """
    same: dict[str, Any] = {"target": target, "path_column": path_column, "delimiter": delimiter}
    found, said = find_pictures(source, **same)
    found, broken = looked_at(found)
    said += broken
    twice = found.frame.duplicated(["digest", target]).to_numpy()
    if duplicates == "drop" and twice.any():
        said.append(f"{int(twice.sum()):,} of {len(found):,} left out: the same picture as another")
        found = found.having(found.frame[~twice])
    told = found.frame.drop_duplicates(["digest", target])["digest"].duplicated()
    if told.any():
        said.append(f"{int(told.sum()):,} pictures have several labels; each stays with its equal in one split")
    if test is None:
        return found, None, said
    own, more = find_pictures(test, **same)
    own, broken = looked_at(own)
    said += [f"test: {words}" for words in more + broken]
    shared = found.frame["digest"].isin(own.frame["digest"]).to_numpy()
    if shared.all():
        raise UserError(f"There must be pictures that are not in the test. Received: {len(found):,}, all in both")
    if shared.any():
        said.append(f"{int(shared.sum()):,} of {len(found):,} left out: they are pictures of the test too")
        found = found.having(found.frame[~shared])
    return found, own, said


def split_images(
    found: Pictures, target: Mapping[str, Any], *, test: Pictures | None = None, **how: Any
) -> tuple[Pictures, Pictures, Pictures]:
    """Training, validation and test pictures, stratified by class or by group; equal ones stay together.

    Args:
        found: What `load_images` found.
        target: What `learn_target` found of the labels.
        test: Test pictures of the user's own, or None to take a share.
        how: val_fraction, test_fraction, seed and group_column of `split_table`.
    """
    import pandas as pd

    alike = pd.factorize(found.frame["digest"])[0]
    tested = None if test is None else test.frame
    train, val, own = split_table(found.frame, dict(target), test=tested, alike=alike, **how)
    return found.having(train), found.having(val), (found if test is None else test).having(own)


def learn_images(
    train: Pictures,
    target: Mapping[str, Any],
    *,
    size: int | None = None,
    channels: str = "auto",
    said: Iterable[str] = (),
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is learnt from the training pictures, as plain JSON: the size of all, grey or colour, what white is.

    The size is the middle one of the heights and of the widths, made smaller where the longer side has more than `size`
    pixels; with `size` given it is also made larger.

    Args:
        train: The training pictures.
        target: What `learn_target` found of the labels.
        size: Pixels of the longer side; None for as found, at most 64.
        channels: "grey", "rgb", or "auto": colour where a training picture has some.
        said: What was done before, in words, to be kept with the rest.
        reading: delimiter of a table, to be kept for later ones.
    """
    frame = train.frame
    height, width = float(frame["height"].median()), float(frame["width"].median())
    longer = max(height, width)
    scale = (size or min(longer, LONGEST)) / longer
    height, width = (max(1, round(side * scale)) for side in (height, width))
    grey = channels == "grey" or (channels == "auto" and bool(frame["grey"].all()))
    shape = [height, width, 1 if grey else 3]
    truth = read_target(frame, target)
    answers = (
        {"counts": count_classes(truth, target["classes"])}
        if target["classes"]
        else {"mean": float(truth.mean()), "scale": float(truth.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **answers},
        "cleaning": list(said),
        "reading": {**(reading or {}), "path_column": train.path},
        "inputs": {"pixels": {"dtype": "uint8", "shape": shape}},
        "picture": {
            **dict(zip(("height", "width", "channels"), shape, strict=True)),
            "white": _white(float(frame["deepest"].max())),
        },
    }


def prepare_images(info: Mapping[str, Any]) -> Any:
    """Told layers from raw pixels to what the model takes: pictures of any size are brought to the learnt one.

    Those that have it already, as all have that `read_images` gives, stay as they are.

    Returns:
        A `keras.Model` from `{"pixels": (rows, any height, any width, channels)}` uint8 to pixels of one size.
    """
    import keras
    from keras import ops

    # Not `keras.layers.Resizing`: it says training=True to all layers after it where nothing else was said, as in a
    # SavedModel.
    picture = info["picture"]
    pixels = keras.Input((None, None, picture["channels"]), name="pixels", dtype="uint8")
    x = ops.image.resize(ops.cast(pixels, "float32"), (picture["height"], picture["width"]), antialias=True)
    return keras.Model({"pixels": pixels}, ops.cast(ops.round(x), "uint8"), name="prepare")


def image_rows(parts: Iterable[Pictures], info: dict[str, Any]) -> list[Rows]:
    """Splits of pictures, decoded once: in memory, or in a file where that is too small for them.

    The first of the parts is the training split; of its pixels mean and deviation are learnt.
    """
    parts = list(parts)
    total, picture = sum(map(len, parts)), info["picture"]
    pixels, stored = room((total, picture["height"], picture["width"], picture["channels"]))
    splits: list[Rows] = []
    start = 0
    for part in parts:
        end = start + len(part)
        decoded(part, picture, pixels[start:end])
        truth = read_target(part.frame, info["target"])
        if info["task"] == "regression":
            truth = ((truth - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
        if stored:
            splits.append(Stored(pixels, np.arange(start, end), truth))
        else:
            splits.append(Rows(pixels[start:end], truth, raw={"pixels": pixels[start:end]}))
        splits[-1].named(part.frame[part.path].astype(str).to_numpy())
        start = end
    picture |= _moments(pixels[: len(parts[0])])
    return splits


def read_images(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Pictures as the model file takes them.

    Args:
        source: A folder, a .zip, one picture, a list of paths, a table of paths, or pixels `(rows, height, width)` or
            `(rows, height, width, channels)` uint8.
        info: What `learn_images` gave.
        target: Whether the truth is wanted too: what the folders or the column of labels say.
        own: Whether what names the pictures is wanted too, to stand beside the answers.

    Returns:
        `{"pixels": (rows, height, width, channels)}` uint8; with `target`, also the class numbers or values `(rows,)`;
        with `own`, also a DataFrame of the paths, or of the table's own columns.

    Raises:
        UserError: If there are no pictures, more than 1% of them cannot be read, or a label is none that was learnt.
    """
    if hasattr(source, "dtype") and hasattr(source, "ndim"):
        return _of_pixels(np.asarray(source), info, target or own)
    name = info["target"]["name"]
    found, said = find_pictures(source, target=name, labelled=target, **info["reading"])
    picture = info["picture"]
    pixels = np.zeros((len(found), picture["height"], picture["width"], picture["channels"]), "uint8")
    broken = decoded(found, picture, pixels)
    for words in said + left_out(broken, len(found)):
        log.warning("%s", words)
    kept = np.array([path not in broken for path in found.frame[found.path]])
    frame = found.frame[kept].reset_index(drop=True)
    more = [read_target(frame, info["target"])] if target else []
    if own:
        unknown = name in frame and frame[name].isna().all()
        more.append(frame.drop(columns=[name]) if unknown else frame)
    raw = {"pixels": pixels[kept] if broken else pixels}
    return (raw, *more) if more else raw


def learn_label(found: Pictures, target: str, *, kind: str = "auto", positive: str | None = None) -> Any:
    """What `learn_target` learns of the labels; a folder is a class even where it is called like a number."""
    kind = "class" if found.folders and kind == "auto" else kind
    return learn_target(found.frame[target], kind=kind, positive=positive)


def _of_pixels(pixels: np.ndarray, info: Mapping[str, Any], more: bool) -> dict[str, np.ndarray]:
    """Pixels in memory, brought to the learnt size by what the model file does."""
    from tfkit.datasets.batch_predict import predict

    channels = info["picture"]["channels"]
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    if more or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] != channels or not len(pixels):
        raise UserError(
            f"Pixels must be uint8 (rows, height, width, {channels}), and have neither labels nor names. "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    return {"pixels": predict(prepare_images(info), {"pixels": pixels})}


def _white(deepest: float) -> float:
    """The value that is white: of 12 bits 4095, of 16 bits 65535, of fractions 1."""
    if deepest <= 0 or 1 < deepest <= 255:
        return 255.0
    return 1.0 if deepest <= 1 else float(2 ** int(np.ceil(np.log2(deepest + 1))) - 1)


def _moments(pixels: np.ndarray) -> dict[str, list[float]]:
    """Mean and deviation of each channel of the training pixels, a block at a time."""
    sums, squares = np.zeros(pixels.shape[-1]), np.zeros(pixels.shape[-1])
    for start in range(0, len(pixels), 1024):
        block: np.ndarray = pixels[start : start + 1024].astype("float64")
        sums += block.sum((0, 1, 2))
        squares += (block**2).sum((0, 1, 2))
    mean = sums / (pixels.size / pixels.shape[-1])
    spread = np.sqrt(np.maximum(squares / (pixels.size / pixels.shape[-1]) - mean**2, 1.0))
    return {"mean": mean.tolist(), "spread": spread.tolist()}
