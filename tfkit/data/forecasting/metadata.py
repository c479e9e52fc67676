"""Metadata of forecasting, and the rules by which a table becomes series."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from tfkit.metadata import Metadata


class TableRules(BaseModel):
    """How the rows of a table become series on a regular time grid.

    Args:
        time: The time column (`column`), and the format of its cells.
        series_id_column: The series id of each row of a long table; None for a wide table, one series per column.
        target_columns: The number format of each column to forecast.
        known_covariates: The number format of each column whose future values are known.
        frequency: The time step, see `tfkit.data.columns.frequencies`; empty to infer it.
        season_length: Steps of the seasonal cycle.
        fill_missing: How missing values are filled: "ffill", "linear", or "error" to raise an error.
        read_options: Arguments of `read_frame`.
        notes: Messages about changes to the data.
    """

    time: dict[str, Any] = {}
    series_id_column: str | None = None
    target_columns: dict[str, dict[str, Any]] = {}
    known_covariates: dict[str, dict[str, Any]] = {}
    frequency: dict[str, Any] = {}
    season_length: int = 1
    fill_missing: Literal["ffill", "linear", "error"] = "ffill"
    read_options: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)


class SeriesStatistics(BaseModel):
    """Statistics of each series in training.

    Args:
        names: Names of the series.
        mean, scale: Mean and standard deviation; a scale of 0 for a constant series.
        naive_error: Mean absolute error of the seasonal naive forecast.
        excluded: Names of the series that have no windows: too short, or constant.
    """

    model_config = ConfigDict(extra="forbid")

    names: list[str] = []
    mean: list[float] = []
    scale: list[float] = []
    naive_error: list[float] = []
    excluded: list[str] = []


class CovariateMoments(BaseModel):
    """Mean and variance of each known covariate in training."""

    model_config = ConfigDict(extra="forbid")

    mean: list[float]
    variance: list[float]


class ForecastingMetadata(Metadata, TableRules):
    """Metadata of forecasting.

    Args:
        horizon: Steps to forecast.
        context_length: Past steps that the model sees.
        quantiles: Quantiles to predict for every step, ascending, the median in the middle.
        splits: The time index of the first target of each split, and of the end of its targets (exclusive).
        series: Statistics of each series.
        covariate_moments: Mean and variance of the known covariates; None if there are none.
        minimum: Bound of the values, 0 for counts and other values that are never negative; None if there is none.
    """

    KIND: ClassVar[str] = "forecasting"
    ANALYSES: ClassVar[tuple[str, ...]] = ("forecast",)

    kind: str = "forecasting"
    horizon: int = 1
    context_length: int = 1
    quantiles: list[float] = [0.5]
    splits: dict[str, tuple[int, int]] = {}
    series: SeriesStatistics = SeriesStatistics()
    covariate_moments: CovariateMoments | None = None
    minimum: float | None = None

    @property
    def is_relative(self) -> bool:
        """Whether the values are read as float64, and the network sees them relative to the last known value."""
        return self.inputs.get("values", {}).get("dtype") == "float64"

    @property
    def auto_settings(self) -> dict[str, Any]:
        """Values of the settings that are inferred from the data."""
        return {
            "horizon": self.horizon,
            "context_length": self.context_length,
            "season_length": self.season_length,
            "calendar_features": self.inputs.get("calendar", {}).get("features", []),
        }
