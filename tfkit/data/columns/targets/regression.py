"""Targets of the regression task: a number per row, learned with mean 0 and standard deviation 1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import infer_type, numbers
from tfkit.errors import UserError
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

COLUMN_TYPE = "number"
STRATIFIED = False


def infer(
    cells: "pd.Series", source: Any, *, positive_class: str | None = None, label_normalization: str = "none"
) -> Target:
    """Infer the number format of cells with a normalized dtype; `source` are the cells as they were read."""
    for name, value, default in (
        ("positive_class", positive_class, None),
        ("label_normalization", label_normalization, "none"),
    ):
        if value != default:
            raise UserError(f"`{name}` is for a target of classes. Received: {cells.name!r}, which is a number")
    return _infer_number(cells)


def read(cells: "pd.Series", target: Target) -> np.ndarray:
    """Values in the units of the user, `(rows,)` float64."""
    values = numbers.parse(cells, target.number_format)
    _check_finite(cells, values)
    return values


def scale(y: np.ndarray, target: Target) -> np.ndarray:
    """`(y - mean) / scale`, float32."""
    return ((y - target.mean) / target.scale).astype("float32")


def fit_statistics(target: Target, y: np.ndarray) -> Target:
    """Add mean and standard deviation."""
    return target.model_copy(update={"mean": float(y.mean()), "scale": float(y.std()) or 1.0})


def strata(y: np.ndarray, target: Target) -> np.ndarray:
    """All rows are in one stratum: they are split at random."""
    return np.zeros(len(y), "int32")


def soft_targets(y: Any, target: Target) -> Any:
    """Targets that can be averaged: the numbers themselves."""
    return y


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


def is_number(cells: "pd.Series", rule: Mapping[str, Any]) -> bool:
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
