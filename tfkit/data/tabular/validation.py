"""Validate rows against the training schema in chunks; report mismatches once."""

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import infer_type
from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.errors import UserError, format_list

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tfkit")

MAX_REPORTED_COLUMNS = 10  # each with a line of its own

MAX_UNSEEN_CATEGORIES = 100_000  # distinct ones of a column that are stored for the report


def to_raw_inputs(frame: Any, metadata: TabularMetadata) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Convert rows to raw model inputs, and count unreadable cells per column."""
    arrays, unreadable = {}, {}
    for name in metadata.feature_columns:
        arrays[name], count = infer_type.convert_column(frame[name], metadata.columns[name])
        if count:
            unreadable[name] = count
    raw = {}
    for name, rule in metadata.inputs.items():
        values = arrays[rule["column"]][rule["part"]].reshape(-1, 1)
        raw[name] = values if rule["dtype"] == "string" else values.astype(rule["dtype"])
    return raw, unreadable


class SchemaValidator:
    """Validate rows against the training schema and collect mismatches.

    Args:
        metadata: The result of `fit_schema`.
    """

    def __init__(self, metadata: TabularMetadata):
        self.metadata = metadata
        self.extra_columns: dict[str, None] = {}
        self.mismatches: dict[str, _ColumnMismatches] = {}
        self.vocabularies = {
            name: {*rule["vocabulary"], ""} for name, rule in metadata.inputs.items() if rule["dtype"] == "string"
        }
        self.unseen_categories: dict[str, set[str]] = {name: set() for name in self.vocabularies}
        self.unseen_counts = dict.fromkeys(self.vocabularies, 0)

    def convert(self, frame: Any) -> dict[str, np.ndarray]:
        """Convert rows to raw model inputs."""
        training_columns = {*self.metadata.columns, self.metadata.target.name}
        self.extra_columns |= dict.fromkeys(str(name) for name in frame.columns if name not in training_columns)
        raw, unreadable = to_raw_inputs(frame, self.metadata)
        for name in self.metadata.feature_columns:
            mismatches = self.mismatches.setdefault(name, _ColumnMismatches())
            mismatches.update(frame[name], self.metadata.columns[name], unreadable.get(name, 0))
        for name in self.vocabularies:
            self._update_unseen(name, raw[name][:, 0])
        return raw

    def log_mismatches(self) -> None:
        """Log the mismatches of all rows so far.

        Raises:
            UserError: If none of the cells of a column matches the column type of the training data.
        """
        messages = []
        if self.extra_columns:
            messages.append(f"Columns not seen in training are ignored: {format_list(self.extra_columns)}")
        for name, mismatches in self.mismatches.items():
            if mismatches.unreadable:
                messages.append(mismatches.message(name, self.metadata.columns[name]))
        for name, categories in self.unseen_categories.items():
            if categories:
                column = self.metadata.inputs[name]["column"]
                messages.append(
                    f"{column}: {self.unseen_counts[name]:,} cells have categories that were not seen in training, "
                    f"or only once: {format_list(sorted(categories))}"
                )
        for message in messages[:MAX_REPORTED_COLUMNS]:
            log.warning("%s", message)
        if len(messages) > MAX_REPORTED_COLUMNS:
            log.warning("... and %d more columns with unseen or unreadable cells", len(messages) - MAX_REPORTED_COLUMNS)

    def _update_unseen(self, name: str, values: np.ndarray) -> None:
        import pandas as pd

        unseen = [category for category in pd.unique(values) if category not in self.vocabularies[name]]
        if unseen:
            self.unseen_counts[name] += int(pd.Series(values, dtype=object).isin(unseen).sum())
            stored = self.unseen_categories[name]
            stored.update(unseen[: MAX_UNSEEN_CATEGORIES - len(stored)])


class _ColumnMismatches:
    """Count the cells of a column that do not match its schema."""

    def __init__(self) -> None:
        self.unreadable = self.present = 0
        self.example = ""
        self.is_numeric = True

    def update(self, column: "pd.Series", rule: dict[str, Any], unreadable: int) -> None:
        """Add the cells of a chunk; the first mismatch becomes the example."""
        self.present += int(column.notna().sum())
        self.is_numeric = self.is_numeric and column.dtype.kind == "f"
        if unreadable and not self.unreadable:
            values = next(iter(infer_type.convert_column(column, rule)[0].values()))
            self.example, _ = infer_type.first_unreadable(column, values)
        self.unreadable += unreadable

    def message(self, name: str, rule: dict[str, Any]) -> str:
        """Describe the mismatches; raise if none of the cells matches the schema."""
        if self.unreadable == self.present and not self.is_numeric:  # infinite numbers are numbers, and missing
            raise UserError(
                f"The column {name!r} must contain {infer_type.describe_type(rule)}, as in training. "
                f"Received: {self.unreadable:,} cells that are not, such as {self.example!r}"
            )
        return (
            f"{name}: {self.unreadable:,} of {self.present:,} cells are not {infer_type.describe_type(rule)} "
            f"and count as missing, such as {self.example!r}"
        )
