"""The column to predict: what it is, how it is read, and how an answer becomes one of its cells again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data import columns, numbers
from tfkit.data.cells import by_distinct, plain, spelled
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
    cells = plain(cells)
    rule = columns.infer(cells, "category" if kind == "class" else None)
    if rule["kind"] == "date":
        raise UserError(
            f"The target must be a class or a number; make a number of it first, such as days, or set "
            f"kind=class. Received: {cells.name!r}, which holds dates"
        )
    if kind == "number" or (kind == "auto" and _is_number(cells, rule)):
        if positive is not None:
            raise UserError(f"`positive` is for a target of two classes. Received: {cells.name!r}, which is a number")
        return _learn_values(cells)
    return _learn_classes(cells, positive)


def read_target(frame: Any, target: Mapping[str, Any]) -> np.ndarray:
    """The truth: class numbers `(rows,)` int32, or values in the user's units `(rows,)` float64.

    Raises:
        UserError: If a row has no target, or one that is no class that was learnt, or no number.
    """
    cells = plain(frame[target["name"]])
    if cells.isna().any():
        raise UserError(
            f"Every row must have a target. Received: {int(cells.isna().sum()):,} of {len(cells):,} rows "
            f"without {target['name']!r}"
        )
    if target["task"] == "regression":
        values = numbers.read(cells, target)
        _refuse_others(cells, values)
        return values
    codes = by_distinct(cells, lambda words: _codes(words, target["classes"]), -1)
    if (codes < 0).any():
        raise UserError(
            f"Every class must be one of those that were learnt, {listed(target['classes'])}. "
            f"Received in {target['name']!r}: {listed(np.unique(spelled(cells[codes < 0])))}"
        )
    return codes


def count_classes(codes: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """Class -> how many rows it has."""
    return dict(zip(classes, np.bincount(codes, minlength=len(classes)).tolist(), strict=True))


def _is_number(cells: Any, rule: Mapping[str, Any]) -> bool:
    """Whether a target is to be predicted as a number: many values, or values between whole ones."""
    if rule["kind"] == "yes/no":
        return False
    if "written" in rule:
        values = numbers.read(cells, rule)
        distinct = np.unique(values[np.isfinite(values)])
        return len(distinct) > 10 or bool((distinct % 1 != 0).any()) or len(distinct) > 0.5 * len(values)
    # text among numbers: a number that must be mended, where most cells and many distinct ones are numbers
    values = numbers.read(cells, numbers.rule_of()) if rule["kind"] != "constant" else np.zeros(0)
    known = np.isfinite(values)
    return bool(known.sum() > 0.5 * len(cells) and len(np.unique(values[known])) > 10 and not columns.is_code(cells))


def _learn_values(cells: Any) -> dict[str, Any]:
    try:
        rule = columns.infer(cells, "number")
    except ValueError:
        rule = numbers.rule_of()  # to find the cells that are none
    values = numbers.read(cells, rule)
    _refuse_others(cells, values)
    if np.ptp(values) == 0:
        raise UserError(f"The target must vary. Received: {cells.name!r}, which is {values[0]:g} in every row")
    return {"name": str(cells.name), "task": "regression", **rule, "kind": "number", "classes": None, "positive": None}


def _refuse_others(cells: Any, values: np.ndarray) -> None:
    """Refuse cells of a number target that are no finite numbers, and say where the first stands."""
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~(np.abs(values) <= columns.LARGEST))
    if len(bad):
        row = int(cells.index[bad[0]]) + 1
        raise UserError(
            f"A target that is a number must be a finite number in every row; mend or remove the others, "
            f"or set kind=class. Received in {cells.name!r}: {str(cells.iloc[bad[0]])!r} in row {row:,} "
            f"(line {row + 1:,} of a CSV file), the first of {len(bad):,}"
        )


def _learn_classes(cells: Any, positive: str | None) -> dict[str, Any]:
    import pandas as pd

    name, counts = str(cells.name), pd.Series(spelled(cells), dtype=object).value_counts().to_dict()
    if len(counts) < 2:
        raise UserError(
            f"The target must have at least two classes. Received: {name!r}, {next(iter(counts))!r} in every row"
        )
    if len(counts) > max(0.5 * len(cells), 10):
        raise UserError(
            f"The target's classes must repeat, to be learnt; a number is predicted with kind=number. "
            f"Received: {name!r} with {len(counts):,} classes in {len(cells):,} rows, such as "
            f"{listed(list(counts)[:3])}"
        )
    classes = sorted(counts, key=_natural)
    if positive is not None and positive not in classes:
        raise UserError(
            f"`positive` must be one of the target's classes.{nearest(positive, classes)} "
            f"Received: {positive!r}; there are {listed(classes)}"
        )
    if positive is not None and len(classes) > 2:
        raise UserError(f"`positive` is for a target of two classes. Received: {name!r}, which has {len(classes)}")
    if len(classes) == 2 and positive is None:
        positive = min(classes, key=lambda label: (counts[label], label))
    return {
        "name": name,
        "task": "binary" if len(classes) == 2 else "multiclass",
        "classes": classes,
        "positive": positive,
    }


def _codes(words: Any, classes: Sequence[str]) -> np.ndarray:
    """The number of each class, -1 where there is no such class; of yes and no however they are written."""
    known = {label: code for code, label in enumerate(classes)}
    if pair := columns.yes_no_pair(classes):
        known = {**dict.fromkeys(columns.NO, known[pair[0]]), **dict.fromkeys(columns.YES, known[pair[1]]), **known}
        return np.array([known.get(word, known.get(word.lower(), -1)) for word in spelled(words)], "int32")
    return np.array([known.get(word, -1) for word in spelled(words)], "int32")


def _natural(label: str) -> tuple[int, float, str]:
    """Numbers in their order, then words in theirs."""
    try:
        number = float(label)
    except ValueError:
        number = np.nan
    return (0, number, label) if np.isfinite(number) else (1, 0.0, label)


def restore_table(info: Mapping[str, Any]) -> Any:
    """Told layers, what the model says -> the user's units: probabilities `(rows, classes)`, or values `(rows, 1)`."""
    import keras

    target = info["target"]
    if target["classes"]:
        return keras.Sequential(
            [keras.layers.Reshape((len(target["classes"]),)), keras.layers.Softmax()], name="restore"
        )
    scale = keras.layers.Rescaling(target["scale"], target["mean"], dtype="float32")
    return keras.Sequential([keras.layers.Reshape((1,)), scale], name="restore")


def check_loss(name: str, target: Mapping[str, Any], *, quantile: float = 0.5) -> str:
    """The name of the loss, "auto" settled: cross-entropy for classes, squared for numbers.

    Raises:
        UserError: If the loss does not fit the target.
    """
    fits = CLASS_LOSSES if target["classes"] else NUMBER_LOSSES
    name = fits[0] if name == "auto" else name
    if name not in fits:
        what = "has classes" if target["classes"] else "is a number"
        raise UserError(
            f"`loss` must fit the target: {target['name']!r} {what}, so it can be {', '.join(fits)}. "
            f"Received: loss={name}"
        )
    if name == "quantile" and not 0 < quantile < 1:
        raise UserError(f"`quantile` must be above 0 and below 1. Received: quantile={quantile}")
    return name


def table_loss(name: str, info: Mapping[str, Any], *, quantile: float = 0.5) -> Any:
    """The loss of that name for one model's answer; see `check_loss`."""
    import keras

    from tfkit import losses

    return {
        "cross_entropy": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "label_smoothing": lambda: losses.SmoothedCrossentropy(0.1),
        "focal": lambda: losses.SparseFocal(2.0),
        "squared": keras.losses.MeanSquaredError,
        "absolute": keras.losses.MeanAbsoluteError,
        "huber": keras.losses.Huber,
        "quantile": lambda: losses.Pinball(quantile),
    }[check_loss(name, info["target"], quantile=quantile)]()


def with_class_weights(rows: Rows, info: Mapping[str, Any]) -> Rows:
    """The same rows, weighted so that all classes count the same together.

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


def listed(words: Iterable[Any], most: int = 8) -> str:
    """Words for a message: the first few of them, long ones cut."""
    words = [repr(word if len(word) <= 60 else f"{word[:59]}…") for word in map(str, words)]
    return ", ".join(words[:most]) + (f" and {len(words) - most:,} more" if len(words) > most else "")
