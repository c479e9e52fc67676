"""Losses of classification and regression by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.datasets.array import ArrayDataset
from tfkit.errors import UserError

if TYPE_CHECKING:
    import keras

CLASS_LOSSES = ("cross_entropy", "label_smoothing", "focal")

NUMBER_LOSSES = ("squared", "absolute", "huber", "quantile")


def make_postprocessor(info: Mapping[str, Any]) -> "keras.Sequential":
    """Build the postprocessing model.

    It converts logits to probabilities, or scaled outputs to values in the original units.

    Returns:
        A `keras.Sequential` with outputs `(rows, classes)` or `(rows, 1)`.
    """
    import keras

    target = info["target"]
    if target["classes"]:
        return keras.Sequential(
            [keras.layers.Reshape((len(target["classes"]),)), keras.layers.Softmax()], name="restore"
        )
    scale = keras.layers.Rescaling(target["scale"], target["mean"], dtype="float32")
    return keras.Sequential([keras.layers.Reshape((1,)), scale], name="restore")


def validate_loss(name: str, target: Mapping[str, Any], *, quantile: float = 0.5) -> str:
    """Validate the name of the loss, and replace "auto".

    "auto" is `cross_entropy` for classes and `squared` for numbers.

    Raises:
        UserError: If the loss does not fit the target.
    """
    names = CLASS_LOSSES if target["classes"] else NUMBER_LOSSES
    name = names[0] if name == "auto" else name
    if name not in names:
        description = "has classes" if target["classes"] else "is a number"
        raise UserError(
            f"`loss` must fit the target: {target['name']!r} {description}, so it can be {', '.join(names)}. "
            f"Received: loss={name}"
        )
    if name == "quantile" and not 0 < quantile < 1:
        raise UserError(f"`quantile` must be above 0 and below 1. Received: quantile={quantile}")
    return name


def make_loss(name: str, info: Mapping[str, Any], *, quantile: float = 0.5) -> Any:
    """Create the loss with a name that `validate_loss` accepts."""
    import keras

    from tfkit import losses

    return {
        "cross_entropy": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "label_smoothing": lambda: losses.SparseLabelSmoothingCrossentropy(0.1),
        "focal": lambda: losses.SparseCategoricalFocalCrossentropy(2.0),
        "squared": keras.losses.MeanSquaredError,
        "absolute": keras.losses.MeanAbsoluteError,
        "huber": keras.losses.Huber,
        "quantile": lambda: losses.QuantileLoss(quantile),
    }[validate_loss(name, info["target"], quantile=quantile)]()


def balance_classes(rows: ArrayDataset, info: Mapping[str, Any]) -> ArrayDataset:
    """Weight rows by inverse class frequency.

    All classes then have the same total weight.

    Raises:
        UserError: If the target is a number.
    """
    if not info["target"]["classes"]:
        raise UserError(
            f"`class_weights` needs a target of classes. Received: {info['target']['name']}, which is a number"
        )
    y = rows.arrays[1]
    counts = np.bincount(y, minlength=len(info["target"]["classes"]))
    weights = len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return rows.weighted(weights[y].astype("float32"))
