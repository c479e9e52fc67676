"""The target column: infer the task, read and encode targets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import infer_type, numbers
from tfkit.data.columns.labels import infer_label_type, join_spellings, normalize_label
from tfkit.data.columns.values import map_distinct, normalize_dtype, to_strings
from tfkit.errors import UserError, did_you_mean, format_list
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd


USER_COLUMN_TYPES = {"classification": "category", "regression": "number"}  # of the target, by the task that is set

TARGET_SETTINGS = frozenset({"task", "positive_class", "label_normalization"})  # of `infer_target`


def infer_target(
    cells: Any, *, task: str = "auto", positive_class: str | None = None, label_normalization: str = "none"
) -> Target:
    """Infer the task from the target column: its classes, or its number format.

    Args:
        cells: The cells of the target, a pandas Series without missing values.
        task: "classification", "regression" or "auto": text, yes/no and up to ten distinct integers are classes.
        positive_class: The positive class of precision, recall and F1, for two classes; None for the rarer one.
        label_normalization: "casefold" to join labels that differ only in case or blanks, or "none".

    Raises:
        UserError: If the target cannot be fitted: a single class, text among numbers, as many classes as rows.
    """
    source, cells = cells, normalize_dtype(cells)
    column_type = USER_COLUMN_TYPES.get(task)
    rule = infer_type.infer_column_type(cells, "category" if column_type == "category" else None)
    if rule["kind"] == "date":
        raise UserError(
            "The target must be a class or a number; convert dates to numbers first, such as days, or set "
            f"task=classification. Received: {cells.name!r}, which contains dates"
        )
    if column_type == "number" or (column_type is None and _is_number(cells, rule)):
        if positive_class is not None:
            raise UserError(
                f"`positive_class` is for a target of two classes. Received: {cells.name!r}, which is a number"
            )
        return _infer_number(cells)
    target = _infer_classes(cells, positive_class, label_normalization)
    types = {"label_type": infer_label_type(source, target.classes or ()), "label_normalization": label_normalization}
    return target.model_copy(update=types)


def read_target(frame: Any, target: Target) -> np.ndarray:
    """Read the targets of rows.

    Returns:
        Class codes `(rows,)` int32, or values in the original units `(rows,)` float64.

    Raises:
        UserError: If a target is missing, is not one of the training classes, or is not a number.
    """
    cells = normalize_dtype(frame[target.name])
    if cells.isna().any():
        raise UserError(
            f"Every row must have a target. Received: {int(cells.isna().sum()):,} of {len(cells):,} rows "
            f"without {target.name!r}"
        )
    if target.classes is None:
        values = numbers.parse(cells, target.number_format)
        _check_finite(cells, values)
        return values
    classes, normalization = target.classes, target.label_normalization
    codes = map_distinct(cells, lambda labels: _codes(labels, classes, normalization), -1)
    if (codes < 0).any():
        raise UserError(
            f"Every class must be one of the training classes, {format_list(classes)}. "
            f"Received in {target.name!r}: {format_list(np.unique(to_strings(cells[codes < 0])))}"
        )
    return codes


def scale_targets(y: np.ndarray, target: Target) -> np.ndarray:
    """Convert the targets of `read_target` to what is learned.

    Returns:
        Class codes `(rows,)` int32, or `(y - mean) / scale` `(rows,)` float32.
    """
    return y if target.classes is not None else ((y - target.mean) / target.scale).astype("float32")


def fit_target_statistics(target: Target, y: np.ndarray) -> Target:
    """Add the counts of the classes, or mean and standard deviation, of the training targets of `read_target`."""
    if target.classes is not None:
        return target.model_copy(update={"counts": count_classes(y, target.classes)})
    return target.model_copy(update={"mean": float(y.mean()), "scale": float(y.std()) or 1.0})


def count_classes(codes: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """Count the rows of each class."""
    return dict(zip(classes, np.bincount(codes, minlength=len(classes)).tolist(), strict=True))


def _is_number(cells: "pd.Series", rule: Mapping[str, Any]) -> bool:
    """Whether to predict the target as a number.

    True for many distinct values, or values that are not integers.
    """
    if rule["kind"] == "yes/no":
        return False
    if "number_format" in rule:
        values = numbers.parse(cells, rule)
        distinct = np.unique(values[np.isfinite(values)])
        return len(distinct) > 10 or bool((distinct % 1 != 0).any()) or len(distinct) > 0.5 * len(values)
    # Text among numbers: a number that the user must fix, if most cells are numbers and many of them are distinct.
    values = numbers.parse(cells, numbers.number_rule()) if rule["kind"] != "constant" else np.zeros(0)
    finite = np.isfinite(values)
    return bool(
        finite.sum() > 0.5 * len(cells) and len(np.unique(values[finite])) > 10 and not infer_type.is_code(cells)
    )


def _infer_number(cells: "pd.Series") -> Target:
    try:
        rule = infer_type.infer_column_type(cells, "number")
    except ValueError:
        rule = numbers.number_rule()  # to find the cells that are not numbers
    values = numbers.parse(cells, rule)
    _check_finite(cells, values)
    if np.ptp(values) == 0:
        raise UserError(f"The target must vary. Received: {cells.name!r}, which is {values[0]:g} in every row")
    return Target(name=str(cells.name), task="regression", number_format={**rule, "kind": "number"})


def _check_finite(cells: "pd.Series", values: np.ndarray) -> None:
    """Raise if a numeric target is not finite, and name the first row."""
    with np.errstate(invalid="ignore"):
        invalid = np.flatnonzero(~(np.abs(values) <= infer_type.MAX_ABS_VALUE))
    if len(invalid):
        row = int(cells.index[invalid[0]]) + 1
        raise UserError(
            f"A numeric target must be a finite number in every row; fix or remove the invalid rows, "
            f"or set task=classification. Received in {cells.name!r}: {str(cells.iloc[invalid[0]])!r} in row {row:,} "
            f"(line {row + 1:,} of a CSV file), the first of {len(invalid):,}"
        )


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
