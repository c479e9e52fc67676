"""Targets of the classification task: one class per row, as its code."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import infer_type
from tfkit.data.columns.labels import infer_label_type, join_spellings, normalize_label
from tfkit.data.columns.values import map_distinct, to_strings
from tfkit.errors import UserError, did_you_mean, format_list
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

COLUMN_TYPE = "category"
STRATIFIED = True


def infer(
    cells: "pd.Series", source: Any, *, positive_class: str | None = None, label_normalization: str = "none"
) -> Target:
    """Find the classes of cells with a normalized dtype; `source` are the cells as they were read."""
    target = _infer_classes(cells, positive_class, label_normalization)
    types = {"label_type": infer_label_type(source, target.classes or ()), "label_normalization": label_normalization}
    return target.model_copy(update=types)


def read(cells: "pd.Series", target: Target) -> np.ndarray:
    """Class codes `(rows,)` int32."""
    classes, normalization = target.classes or [], target.label_normalization
    codes = map_distinct(cells, lambda labels: _codes(labels, classes, normalization), -1)
    if (codes < 0).any():
        raise UserError(
            f"Every class must be one of the training classes, {format_list(classes)}. "
            f"Received in {target.name!r}: {format_list(np.unique(to_strings(cells[codes < 0])))}"
        )
    return codes


def scale(y: np.ndarray, target: Target) -> np.ndarray:
    """Class codes are learned as they are."""
    return y


def fit_statistics(target: Target, y: np.ndarray) -> Target:
    """Add the training rows of each class."""
    return target.model_copy(update={"counts": count_classes(y, target.classes or ())})


def strata(y: np.ndarray, target: Target) -> np.ndarray:
    """Codes whose frequencies are equal in all splits: the classes."""
    return y


def soft_targets(y: Any, target: Target) -> Any:
    """Targets that can be averaged, in TensorFlow: class probabilities `(rows, classes)`."""
    import tensorflow as tf

    return tf.one_hot(y, len(target.classes or ()))


def count_classes(codes: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """Count the rows of each class."""
    return dict(zip(classes, np.bincount(codes, minlength=len(classes)).tolist(), strict=True))


def _infer_classes(cells: "pd.Series", positive_class: str | None, label_normalization: str) -> Target:
    import pandas as pd

    name, counts = str(cells.name), pd.Series(to_strings(cells), dtype=object).value_counts().to_dict()
    if label_normalization == "casefold":
        counts = join_spellings(counts)
    if len(counts) < 2:
        raise UserError(
            f"The target must have at least two classes. Received: {name!r}, {next(iter(counts))!r} in every row"
        )
    if len(counts) > max(0.5 * len(cells), 10):
        raise UserError(
            f"The classes of the target must occur in several rows; to predict a number, set task=regression. "
            f"Received: {name!r} with {len(counts):,} classes in {len(cells):,} rows, such as "
            f"{format_list(list(counts)[:3])}"
        )
    classes = sorted(counts, key=_sort_key)
    if positive_class is not None and positive_class not in classes:
        raise UserError(
            f"`positive_class` must be one of the target's classes.{did_you_mean(positive_class, classes)} "
            f"Received: {positive_class!r}; there are {format_list(classes)}"
        )
    if positive_class is not None and len(classes) > 2:
        raise UserError(
            f"`positive_class` is for a target of two classes. Received: {name!r}, which has {len(classes)}"
        )
    if len(classes) == 2 and positive_class is None:
        positive_class = min(classes, key=lambda label: (counts[label], label))
    return Target(name=name, task="classification", classes=classes, positive_class=positive_class)


def _codes(labels: Any, classes: Sequence[str], label_normalization: str = "none") -> np.ndarray:
    """Encode labels as class codes, -1 for unknown labels.

    Yes and no match in any spelling.
    """
    codes = {label: code for code, label in enumerate(classes)}
    if label_normalization == "casefold":
        normalized = {normalize_label(label): code for label, code in codes.items()}
        return np.array([normalized.get(normalize_label(label), -1) for label in to_strings(labels)], "int32")
    if pair := infer_type.boolean_labels(classes):
        codes = {
            **dict.fromkeys(infer_type.FALSE_STRINGS, codes[pair[0]]),
            **dict.fromkeys(infer_type.TRUE_STRINGS, codes[pair[1]]),
            **codes,
        }
        return np.array([codes.get(label, codes.get(label.lower(), -1)) for label in to_strings(labels)], "int32")
    return np.array([codes.get(label, -1) for label in to_strings(labels)], "int32")


def _sort_key(label: str) -> tuple[int, float, str]:
    """Sort numbers by value, then text alphabetically."""
    try:
        number = float(label)
    except ValueError:
        number = np.nan
    return (0, number, label) if np.isfinite(number) else (1, 0.0, label)
