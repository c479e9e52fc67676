"""Preprocessing and postprocessing layers of forecasts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.metadata import ForecastingMetadata

if TYPE_CHECKING:
    import keras


def make_postprocessor(
    metadata: ForecastingMetadata, margins: Sequence[float] | None = None, unit: str = "std"
) -> "keras.Model":
    """Build the postprocessing model: sort quantiles, add the margins of prediction intervals.

    Args:
        metadata: Result of `fit_schema`.
        margins: Margin of each interval in units of the window, the widest first; None for 0 each.
        unit: The unit of the margins, see `tfkit.layers.ConformalQuantiles`.

    Returns:
        A `keras.Model` from a dictionary of model outputs (`outputs`) and past values (`values`) to quantiles, both
        outputs and quantiles `(windows, horizon, quantiles)`.
    """
    import keras

    from tfkit import layers

    num_intervals = len(metadata.quantiles) // 2
    margins = [0.0] * num_intervals if margins is None else margins
    outputs = keras.Input((metadata.horizon, len(metadata.quantiles)), name="outputs")
    values = keras.Input((metadata.context_length,), name="values")
    bands = layers.ConformalQuantiles(margins, unit=unit, minimum=metadata.minimum, dtype="float32", name="bands")
    return keras.Model({"outputs": outputs, "values": values}, bands(outputs, values), name="restore")


def make_preprocessor(metadata: ForecastingMetadata) -> "keras.Model":
    """Build the preprocessing model: cyclic encoding of calendar features, standardized known covariates."""
    import keras

    from tfkit import layers

    inputs = {name: keras.Input(rule["shape"], dtype="float32", name=name) for name, rule in metadata.inputs.items()}
    x = dict(inputs)
    if "calendar" in inputs:
        periods = [frequencies.CALENDAR_PERIODS[name] for name in metadata.inputs["calendar"]["features"]]
        x["calendar"] = layers.CyclicEncoding(periods, dtype="float32", name="cycles")(inputs["calendar"])
    if metadata.covariate_moments:
        moments = metadata.covariate_moments.model_dump()
        x["known"] = keras.layers.Normalization(axis=-1, name="scale_known", dtype="float32", **moments)(
            inputs["known"]
        )
    return keras.Model(inputs, x, name="prepare")
