"""The column to predict: what it is, how it is read, and how an answer becomes one of its cells again."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data import columns
from tfkit.data.splits import Rows
from tfkit.errors import UserError, nearest

CLASS_LOSSES = ("cross_entropy", "label_smoothing", "focal")
NUMBER_LOSSES = ("squared", "absolute", "huber", "quantile")


def learn_target(cells: Any, *, kind: str = "auto", positive: str | None = None) -> dict[str, Any]:
    """What is to be predicted: its task, and its classes or how it is written.

    Args:
        cells: The target's cells, a pandas Series without missing ones.
        kind: "class", "number" or "auto": words, yes/no and up to ten whole numbers are classes.
        positive: The class that precision, recall and F1 are about, where there are two; None for the rarer one.

    Raises:
        UserError: If the target cannot be learnt: a single class, text among numbers, as many classes as rows.
    """
    import pandas as pd

    name = str(cells.name)
    cells = columns.words(cells)
    rule = columns.infer(cells, "category" if kind == "class" else None)
    if rule["kind"] == "date":
        raise UserError(f"The target must be a class or a number; make a number of it first, such as days. "
                        f"Received: {name!r}, which holds dates")  # fmt: skip
    if kind == "number" or (kind == "auto" and _is_number(cells, rule)):
        return _number_target(cells, name)
    text = pd.Series(columns._plain_words(cells))
    counts = text.value_counts()
    if len(counts) < 2:
        raise UserError(f"The target must have at least two classes. Received: {name!r}, which is {counts.index[0]!r} in every row")
    if len(counts) > max(0.5 * len(text), 10):
        raise UserError(f"The target's classes must repeat, to be learnt; a number is predicted with kind=number. "
                        f"Received: {name!r} with {len(counts):,} classes in {len(text):,} rows, such as "
                        f"{listed(counts.index[:3])}")  # fmt: skip
    classes = sorted(counts.index, key=_natural)
    if positive is not None and positive not in classes:
        raise UserError(f"`positive` must be one of the target's classes.{nearest(positive, classes)} "
                        f"Received: {positive!r}; there are {listed(classes)}")  # fmt: skip
    task = "binary" if len(classes) == 2 else "multiclass"
    rarer = min(classes, key=lambda label: (counts[label], label))
    return {"name": name, "task": task, "classes": classes, "positive": positive or (rarer if task == "binary" else None),
            "counts": {label: int(counts[label]) for label in classes}}  # fmt: skip


def read_target(frame: Any, target: Mapping[str, Any]) -> np.ndarray:
    """The truth: class numbers, or values in the user's units."""
    cells = columns.words(frame[target["name"]])
    if cells.isna().any():
        raise UserError(f"Every row must have a target. Received: {int(cells.isna().sum())} rows without {target['name']!r}")
    if target["task"] == "regression":
        return columns._numbers(cells, target)
    codes = {label: code for code, label in enumerate(target["classes"])}
    text = columns._plain_words(cells)
    unknown = sorted({word for word in text if word not in codes})
    if unknown:
        raise UserError(f"Every class must be one of those that were learnt, {listed(target['classes'])}. "
                        f"Received in {target['name']!r}: {listed(unknown)}")  # fmt: skip
    return np.array([codes[word] for word in text], "int32")


def _is_number(cells: Any, rule: Mapping[str, Any]) -> bool:
    if rule["kind"] in ("yes/no", "date", "text"):
        return False
    if rule["kind"] in ("number", "identifier", "constant") and (cells.dtype.kind == "f" or "written" in rule):
        values = columns._numbers(cells, rule if "written" in rule else {"written": "1234.5", "signs": False})
        distinct = np.unique(values[np.isfinite(values)])
        return len(distinct) > 10 or bool((distinct % 1 != 0).any()) or len(distinct) > 0.5 * len(values)
    # text among numbers: a number that must be mended, where most of many distinct cells are numbers
    values = columns._numbers(cells, {"written": "1234.5", "signs": False})
    return bool(np.isfinite(values).mean() > 0.5 and len(np.unique(values[np.isfinite(values)])) > 10)


def _number_target(cells: Any, name: str) -> dict[str, Any]:
    try:
        rule = columns.infer(cells, "number")
    except ValueError:
        rule = {"kind": "number", "written": "1234.5", "signs": False}
    values = columns._numbers(cells, rule)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        where = f"{str(cells.iloc[bad[0]])!r} in row {int(cells.index[bad[0]]) + 1}"
        raise UserError(f"A target that is a number must be a finite number in every row; mend or remove the others, or set "
                        f"kind=class. Received: {name!r} with {len(bad):,} others, the first {where}")  # fmt: skip
    if np.ptp(values) == 0:
        raise UserError(f"The target must vary. Received: {name!r}, which is {values[0]:g} in every row")
    return {"name": name, "task": "regression", **rule, "kind": "number", "classes": None, "positive": None}


def _natural(label: str) -> tuple[int, float, str]:
    """Numbers in their order, then words in theirs."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def restore_table(info: Mapping[str, Any]) -> Any:
    """Told layers from what the model says to the user's units: probabilities `(rows, classes)` or values `(rows, 1)`."""
    import keras

    target = info["target"]
    if target["classes"]:
        return keras.Sequential([keras.layers.Reshape((len(target["classes"]),)), keras.layers.Softmax()], name="restore")
    scale = keras.layers.Rescaling(target["scale"], target["mean"], dtype="float32")
    return keras.Sequential([keras.layers.Reshape((1,)), scale], name="restore")


def table_loss(name: str, info: Mapping[str, Any], *, quantile: float = 0.5) -> Any:
    """The loss of that name for one model's answer; "auto" is cross-entropy for classes, squared for numbers.

    Raises:
        UserError: If the loss does not fit the target.
    """
    import keras

    from tfkit import losses

    fits = CLASS_LOSSES if info["target"]["classes"] else NUMBER_LOSSES
    name = fits[0] if name == "auto" else name
    if name not in fits:
        kind = "classes" if info["target"]["classes"] else "a number"
        raise UserError(f"`loss` must fit the target: {info['target']['name']} is {kind}, so it can be {', '.join(fits)}. "
                        f"Received: loss={name}")  # fmt: skip
    if name == "quantile" and not 0 < quantile < 1:
        raise UserError(f"`quantile` must be above 0 and below 1. Received: quantile={quantile}")
    return {
        "cross_entropy": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "label_smoothing": lambda: losses.SmoothedCrossentropy(0.1),
        "focal": lambda: losses.SparseFocal(2.0),
        "squared": keras.losses.MeanSquaredError,
        "absolute": keras.losses.MeanAbsoluteError,
        "huber": keras.losses.Huber,
        "quantile": lambda: losses.Pinball(quantile),
    }[name]()


def with_class_weights(rows: Rows, info: Mapping[str, Any]) -> Rows:
    """The same rows, weighted so that all classes count the same together.

    Raises:
        UserError: If the target is a number.
    """
    if not info["target"]["classes"]:
        raise UserError(f"`class_weights` needs a target of classes. Received: {info['target']['name']}, which is a number")
    x, y, _ = rows.arrays
    counts = np.bincount(y, minlength=len(info["target"]["classes"]))
    weights = len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return Rows(x, y, weights[y].astype("float32"), raw=rows.raw_arrays)


def listed(words: Iterable[Any], most: int = 8) -> str:
    """Words for a message, the first few of them."""
    words = [repr(str(word)) for word in words]
    return ", ".join(words[:most]) + (f" and {len(words) - most:,} more" if len(words) > most else "")
