"""The target column: infer the task, read and encode targets by the module of the task in this package."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np

from tfkit.data.columns import infer_type
from tfkit.data.columns.targets import multilabel, regression
from tfkit.data.columns.values import normalize_dtype
from tfkit.errors import UserError
from tfkit.metadata import Target

TARGET_SETTINGS = frozenset({"task", "positive_class", "label_normalization"})  # of `infer_target`


class TargetEncoding(Protocol):
    """What a module of this package has; its name is that of the task.

    COLUMN_TYPE: The type of the target column, as in `infer_column_type`, if the user sets the task.
    STRATIFIED: Whether `strata` are needed, because the splits keep their frequencies.
    """

    COLUMN_TYPE: str
    STRATIFIED: bool

    def infer(
        self, cells: Any, source: Any, *, positive_class: str | None = None, label_normalization: str = "none"
    ) -> Target:
        """Infer classes or format from cells with a normalized dtype; `source` are the cells as they were read."""

    def read(self, cells: Any, target: Target) -> np.ndarray:
        """Read targets; raise if a cell cannot be one."""

    def scale(self, y: np.ndarray, target: Target) -> np.ndarray:
        """Convert targets to what is learned."""

    def fit_statistics(self, target: Target, y: np.ndarray) -> Target:
        """Add statistics of the training targets."""

    def strata(self, y: np.ndarray, target: Target) -> np.ndarray:
        """Codes `(rows,)` whose frequencies should be equal in all splits."""

    def soft_targets(self, y: Any, target: Target) -> Any:
        """Learned targets as TensorFlow numbers that can be averaged, as MixUp does."""


def get_encoding(task: str) -> TargetEncoding:
    """The module of this package for a task.

    Example:
        >>> get_encoding("regression").COLUMN_TYPE
        'number'
    """
    return cast(TargetEncoding, import_module(f"tfkit.data.columns.targets.{task}"))


def infer_target(
    cells: Any, *, task: str = "auto", positive_class: str | None = None, label_normalization: str = "none"
) -> Target:
    """Infer the task from the target column: its classes, or its number format.

    Args:
        cells: The cells of the target, a pandas Series without missing values.
        task: "classification", "regression", "multilabel" or "auto": cells with several tags, such as lists or
            `red|round`, are multilabel; text, yes/no and up to ten distinct integers are classes.
        positive_class: The positive class of precision, recall and F1, for two classes; None for the rarer one.
        label_normalization: "casefold" to join labels that differ only in case or blanks, or "none".

    Raises:
        UserError: If the target cannot be fitted: a single class, text among numbers, as many classes as rows.
    """
    source, cells = cells, normalize_dtype(cells)
    column_type = None if task == "auto" else get_encoding(task).COLUMN_TYPE
    rule = infer_type.infer_column_type(cells, "category" if column_type == "category" else None)
    if rule["kind"] == "date":
        raise UserError(
            "The target must be a class or a number; convert dates to numbers first, such as days, or set "
            f"task=classification. Received: {cells.name!r}, which contains dates"
        )
    if task == "auto":
        is_tagged = positive_class is None and _is_text(rule) and multilabel.is_multilabel(cells, label_normalization)
        is_number = regression.is_number(cells, rule)
        task = "regression" if is_number else "multilabel" if is_tagged else "classification"
    options: dict[str, Any] = {"positive_class": positive_class, "label_normalization": label_normalization}
    return get_encoding(task).infer(cells, source, **options)


def _is_text(rule: Mapping[str, Any]) -> bool:
    """Whether the type of a column is text, not numbers or yes and no."""
    return "number_format" not in rule and rule["kind"] not in ("yes/no", "constant")


def read_target(frame: Any, target: Target) -> np.ndarray:
    """Read the targets of rows.

    Returns:
        Class codes `(rows,)` int32, values in the original units `(rows,)` float64, or tags `(rows, tags)` uint8.

    Raises:
        UserError: If a target is missing, is not one of the training classes, or is not a number.
    """
    cells = normalize_dtype(frame[target.name])
    if cells.isna().any():
        raise UserError(
            f"Every row must have a target. Received: {int(cells.isna().sum()):,} of {len(cells):,} rows "
            f"without {target.name!r}"
        )
    return get_encoding(target.task).read(cells, target)


def scale_targets(y: np.ndarray, target: Target) -> np.ndarray:
    """Convert the targets of `read_target` to what is learned.

    Returns:
        Class codes `(rows,)` int32, `(y - mean) / scale` `(rows,)` float32, or tags `(rows, tags)` float32.
    """
    return get_encoding(target.task).scale(y, target)


def fit_target_statistics(target: Target, y: np.ndarray) -> Target:
    """Add the counts of classes or tags, or mean and standard deviation, of training targets of `read_target`."""
    return get_encoding(target.task).fit_statistics(target, y)


def strata(frame: Any, target: Target) -> np.ndarray | None:
    """Codes of rows `(rows,)` whose frequencies should be equal in all splits; None if rows are split at random."""
    encoding = get_encoding(target.task)
    return encoding.strata(read_target(frame, target), target) if encoding.STRATIFIED else None


def soft_targets(y: Any, target: Target) -> Any:
    """Learned targets as TensorFlow numbers that can be averaged, as MixUp does: class probabilities, or numbers."""
    return get_encoding(target.task).soft_targets(y, target)
