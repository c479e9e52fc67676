"""Metadata of tables."""

from typing import ClassVar

from tfkit.metadata import Metadata


class TabularMetadata(Metadata):
    """Metadata of tables.

    Args:
        scaling: How numbers are scaled: robust, standard, minmax, minmax_symmetric or quantile.
        edges: Bin edges of each number, for `tfkit.layers.PiecewiseLinearEmbedding`.
        missing: Indices of the numbers that have a missing indicator.
        sizes: Number of codes of each category, for `tfkit.layers.CategoricalEmbedding`.
    """

    KIND: ClassVar[str] = "tabular"
    ANALYSES: ClassVar[tuple[str, ...]] = ("columns", "slices")

    kind: str = "tabular"
    scaling: str = "robust"
    edges: list[list[float]] = []
    missing: list[int] = []
    sizes: list[int] = []

    @property
    def feature_columns(self) -> list[str]:
        """The columns that the model inputs are computed from, without repetitions."""
        return list(dict.fromkeys(rule["column"] for rule in self.inputs.values()))
