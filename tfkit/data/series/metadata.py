"""Metadata of series."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from tfkit.metadata import Metadata

Normalization = Literal["dataset", "instance", "none"]


class SeriesSchema(BaseModel):
    """Length, channels and scale of the training series.

    Args:
        length: Steps of the longest training series.
        variable_length: Whether series are padded and masked.
        channels: Names of the channels.
        step_columns: The step columns of a wide table, in order; None for another source.
        normalization: Standardization by the moments of the training set ("dataset"), of each series ("instance"), or
            "none".
        mean, std: Mean and standard deviation of each channel in training.
    """

    model_config = ConfigDict(extra="forbid")

    length: int = 1
    variable_length: bool = False
    channels: list[str] = ["value"]
    step_columns: list[str] | None = None
    normalization: Normalization = "dataset"
    mean: list[float] = [0.0]
    std: list[float] = [1.0]


class Kernels(BaseModel):
    """Arguments of a `tfkit.layers.MiniRocket` layer."""

    model_config = ConfigDict(extra="forbid")

    dilations: list[int]
    biases: list[list[list[float]]]
    channels: list[list[list[int]]] | None = None


class MiniRocketFeatures(BaseModel):
    """Kernels of the series, and of their differences if there are two; mean and standard deviation of each feature."""

    model_config = ConfigDict(extra="forbid")

    views: list[Kernels]
    mean: list[float] = []
    std: list[float] = []


class SeriesMetadata(Metadata):
    """Metadata of series.

    Args:
        series: Length, channels and scale of the training series.
        minirocket: Fitted kernels and the scale of their features; None for other architectures.
    """

    KIND: ClassVar[str] = "series"
    ANALYSES: ClassVar[tuple[str, ...]] = ("series",)

    kind: str = "series"
    series: SeriesSchema = SeriesSchema()
    minirocket: MiniRocketFeatures | None = None
