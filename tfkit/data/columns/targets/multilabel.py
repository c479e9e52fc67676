"""Targets of the multilabel task: any number of tags per row, as zeros and ones."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.labels import join_spellings, normalize_label
from tfkit.data.columns.tags import DELIMITERS, LISTS, infer_delimiter, parse_list, split_tags
from tfkit.data.columns.values import to_strings
from tfkit.errors import UserError, format_list
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

COLUMN_TYPE = "category"
STRATIFIED = True


def is_multilabel(cells: "pd.Series", label_normalization: str) -> bool:
    """Whether cells that are not numbers or dates contain several tags each."""
    return infer_delimiter(_distinct_labels(to_strings(cells), label_normalization)) is not None


def infer(
    cells: "pd.Series", source: Any, *, positive_class: str | None = None, label_normalization: str = "none"
) -> Target:
    """Find the tags of cells with a normalized dtype; `source` is not used."""
    if positive_class is not None:
        raise UserError(
            f"`positive_class` is for a target of two classes. Received: {cells.name!r}, which has several tags in a "
            "cell; to learn each combination as a class, set task=classification"
        )
    labels = to_strings(cells)
    distinct = _distinct_labels(labels, label_normalization)
    delimiter = infer_delimiter(distinct) or _most_frequent_delimiter(distinct, str(cells.name))
    tags = Counter(tag for label in labels for tag in split_tags(label, delimiter))
    counts = join_spellings(tags) if label_normalization == "casefold" else dict(tags)
    if len(counts) < 2:
        raise UserError(f"The target must have at least two tags. Received: {cells.name!r}, {format_list(counts)}")
    if len(counts) > max(0.5 * len(labels), 10):
        raise UserError(
            "The tags of the target must occur in several rows; to learn each cell as a class, set "
            f"task=classification. Received: {cells.name!r} with {len(counts):,} tags in {len(labels):,} rows, such as "
            f"{format_list(list(counts)[:3])}"
        )
    is_integer = delimiter == LISTS and all(type(tag) is int for label in distinct for tag in parse_list(label) or ())
    target = Target(
        name=str(cells.name),
        task="multilabel",
        classes=sorted(counts, key=lambda tag: (int(tag), tag) if is_integer else (0, tag)),
        label_type="integer" if is_integer else "string",
    )
    return target.model_copy(update={"label_normalization": label_normalization, "tag_delimiter": delimiter})


def read(cells: "pd.Series", target: Target) -> np.ndarray:
    """Tags `(rows, tags)` uint8, 1 where a row has the tag."""
    import pandas as pd

    tags, delimiter = target.classes or [], target.tag_delimiter or LISTS
    normalize = normalize_label if target.label_normalization == "casefold" else str
    codes = {normalize(tag): code for code, tag in enumerate(tags)}
    label_codes, distinct = pd.factorize(to_strings(cells))
    rows: np.ndarray = np.zeros((len(distinct), len(tags)), "uint8")
    unknown: dict[str, None] = {}
    for row, label in enumerate(distinct):
        for tag in split_tags(label, delimiter):
            if (code := codes.get(normalize(tag))) is None:
                unknown[tag] = None
            else:
                rows[row, code] = 1
    if unknown:
        raise UserError(
            f"Every tag must be one of the training tags, {format_list(tags)}. "
            f"Received in {target.name!r}: {format_list(sorted(unknown))}"
        )
    return rows[label_codes]


def scale(y: np.ndarray, target: Target) -> np.ndarray:
    """Tags are learned as float32 zeros and ones."""
    return y.astype("float32")


def fit_statistics(target: Target, y: np.ndarray) -> Target:
    """Add the training rows of each tag."""
    counts = dict(zip(target.classes or (), y.sum(axis=0, dtype="int64").tolist(), strict=True))
    return target.model_copy(update={"counts": counts})


def strata(y: np.ndarray, target: Target) -> np.ndarray:
    """The rarest tag of each row, so that rare tags are in all splits; rows without tags are a stratum of their own."""
    frequencies = np.where(y > 0, y.sum(axis=0, dtype="int64"), np.iinfo("int64").max)
    return np.where(y.any(axis=1), frequencies.argmin(axis=1), y.shape[1]).astype("int32")


def soft_targets(y: Any, target: Target) -> Any:
    """Targets that can be averaged: zeros and ones are probabilities already."""
    return y


def _distinct_labels(labels: Any, label_normalization: str) -> list[str]:
    return list(dict.fromkeys(map(normalize_label, labels) if label_normalization == "casefold" else labels))


def _most_frequent_delimiter(labels: list[str], name: str) -> str:
    """The delimiter that occurs in most labels, of a column that the user has declared as tags."""
    counts = {delimiter: sum(delimiter in label for label in labels) for delimiter in DELIMITERS}
    delimiter = max(counts, key=lambda delimiter: counts[delimiter])
    if not counts[delimiter]:
        raise UserError(
            f"A multilabel target needs cells with several tags, such as red|round or a list; for one class in each "
            f"row, set task=classification. Received: {name!r} with {format_list(labels[:3])}"
        )
    return delimiter
