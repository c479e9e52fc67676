"""Vocabularies of categorical columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np

MIN_CATEGORY_COUNT = 2  # a category seen less often than this in training is encoded as unseen


def fit_vocabulary(values: np.ndarray) -> tuple[dict[str, Any], list[str]]:
    """Fit the vocabulary of a categorical column, in alphabetical order.

    Rare categories share the code of unseen categories, so that training fits an embedding for that code.

    Args:
        values: `(rows,)`, strings with "" where missing.

    Returns:
        A dictionary with the vocabulary, and a list of messages that describe the column.
    """
    return fit_vocabulary_from_counts(count_categories(values))


def count_categories(values: np.ndarray) -> dict[str, int]:
    """Count how often each category occurs."""
    import pandas as pd

    return pd.Series(values, dtype=object).value_counts().to_dict()


def fit_vocabulary_from_counts(category_counts: Mapping[str, int]) -> tuple[dict[str, Any], list[str]]:
    """Fit the vocabulary like `fit_vocabulary`, from the count of each category."""
    counts = dict(category_counts)
    missing = counts.pop("", 0)
    vocabulary = sorted(category for category in counts if counts[category] >= MIN_CATEGORY_COUNT)
    rare = len(counts) - len(vocabulary)
    messages = [f"{len(vocabulary):,} categories"]
    messages += [f"{rare:,} rare categories merged into one"] if rare else []
    messages += [f"{missing:,} missing: encoded as a separate category"] if missing else []
    return {"dtype": "string", "vocabulary": vocabulary}, messages
