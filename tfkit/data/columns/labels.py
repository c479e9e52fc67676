"""Labels of a target of classes: their type and spellings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tfkit.data.columns.tags import DELIMITERS, combined_labels
from tfkit.errors import format_list
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

TYPED_FILES = {"csv"}  # kinds of files in which a number is written like a string

_MAX_EXAMPLES = 3


def infer_label_type(cells: pd.Series, classes: Sequence[str]) -> str:
    """Infer the type of labels, so that predictions have it: string, integer, float or boolean.

    In a CSV file a label is an integer or a float if Python writes all of them in this way: `7` and not `07`. In other
    sources the type is that of the column.

    Args:
        cells: The cells of the target, with the dtype of the source, or float64 for numbers.
        classes: The strings of `to_strings` for them.

    Example:
        >>> import pandas as pd
        >>> infer_label_type(pd.Series([0.0, 1.0]), ["0", "1"]), infer_label_type(pd.Series(["0", "1"]), ["0", "1"])
        ('integer', 'string')
    """
    is_untyped = cells.attrs.get("file", {}).get("kind") in TYPED_FILES
    is_boolean = cells.dtype.kind == "b" or cells.name in cells.attrs.get("boolean_columns", ())
    if (is_untyped or is_boolean) and set(classes) <= {"False", "True"}:
        return "boolean"
    if cells.dtype.kind not in "iuf" and not is_untyped:
        return "string"
    if all(re.fullmatch(r"0|-?[1-9]\d{0,17}", label) for label in classes):
        return "integer"
    return "float" if all(map(_is_canonical_float, classes)) else "string"


def normalize_label(label: str) -> str:
    """Ignore case and blanks, to join the spellings of a label.

    Example:
        >>> normalize_label("Not  Paid ")
        'not paid'
    """
    return " ".join(label.split()).casefold()


def join_spellings(counts: Mapping[str, int]) -> dict[str, int]:
    """Count labels that differ only in case and blanks together, under their most frequent spelling.

    Example:
        >>> join_spellings({"Yes": 3, "yes": 5, "NO": 2})
        {'yes': 8, 'NO': 2}
    """
    return {
        max(labels, key=lambda label: (counts[label], label)): sum(counts[label] for label in labels)
        for labels in _spellings(counts).values()
    }


def label_warnings(target: Target) -> list[str]:
    """Return a warning if classes differ only in case and blanks, and one if they are combinations of tags."""
    classes = target.classes or []
    messages = []
    several = [labels for labels in _spellings(classes).values() if len(labels) > 1]
    if several:
        examples = " and ".join(format_list(labels) for labels in several[:_MAX_EXAMPLES])
        messages.append(
            f"{sum(map(len, several))} of the {len(classes)} classes of {target.name} differ only in case or blanks "
            f"({examples}); label_normalization=casefold joins them"
        )
    if not target.tag_delimiter:
        for delimiter in DELIMITERS:
            if combined := combined_labels(classes, delimiter):
                messages.append(
                    f"{len(combined)} of the {len(classes)} classes of {target.name} are several tags in a cell, "
                    f"such as {combined[0]!r}; each combination is learned as a class of its own. "
                    "To predict each tag, set task=multilabel"
                )
                break
    return messages


def _spellings(labels: Iterable[str]) -> dict[str, list[str]]:
    """Group labels that differ only in case and blanks."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[normalize_label(label)].append(label)
    return groups


def _is_canonical_float(label: str) -> bool:
    try:
        value = float(label)
    except ValueError:
        return False
    return label in (repr(value), f"{value:.0f}")
