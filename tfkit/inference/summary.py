"""One sentence about predictions: how many of each class, or their range."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tfkit.console import format_number

if TYPE_CHECKING:
    import pandas as pd

MAX_CLASSES = 8  # that are named, the most frequent first


MAX_ROWS = 12  # of a forecast that are shown


def format_first_rows(frame: "pd.DataFrame") -> str:
    """The first rows of a table as text, and how many there are.

    Example:
        >>> import pandas as pd
        >>> print(format_first_rows(pd.DataFrame({"day": ["Mon", "Tue"], "predicted": [1.5, 2.25]})))
        day  predicted
        Mon        1.5
        Tue       2.25
    """
    text: str = frame.head(MAX_ROWS).to_string(index=False, float_format=lambda value: f"{value:,.4g}", justify="right")
    return text + (f"\n... {len(frame):,} rows" if len(frame) > MAX_ROWS else "")


class PredictionSummary:
    """Collects predictions, chunk by chunk.

    Example:
        >>> import pandas as pd
        >>> summary = PredictionSummary()
        >>> summary.add(pd.Series(["no", "yes", "no"]))
        >>> summary.add(pd.Series(["no"]))
        >>> summary.text()
        '4 rows: 3 no, 1 yes'
    """

    def __init__(self) -> None:
        self.num_rows = 0
        self._counts: Counter[str] = Counter()
        self._values: list[np.ndarray] = []

    def add(self, predicted: "pd.Series") -> None:
        """Add the column `predicted` of some rows: labels, lists of tags, or numbers."""
        self.num_rows += len(predicted)
        if predicted.dtype.kind == "f":
            self._values.append(predicted.to_numpy("float32"))
        else:
            labels = predicted.explode() if predicted.map(type).eq(list).any() else predicted
            self._counts.update({str(label): int(count) for label, count in labels.value_counts().items()})

    def text(self) -> str:
        """The sentence; counts of tags may add up to more than the rows."""
        rows = f"{self.num_rows:,} row{'s' * (self.num_rows != 1)}"
        if self._counts:
            shown = [f"{count:,} {label}" for label, count in self._counts.most_common(MAX_CLASSES)]
            more = len(self._counts) - MAX_CLASSES
            return f"{rows}: {', '.join(shown)}{f' and {more:,} more classes' if more > 0 else ''}"
        if not self._values:
            return rows
        values = np.concatenate(self._values)
        low, median, high = (format_number(float(value)) for value in np.nanquantile(values, [0, 0.5, 1]))
        return f"{rows}: predictions from {low} to {high}, median {median}"
