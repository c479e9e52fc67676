"""Preprocessing and postprocessing layers of forecasts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.metadata import ForecastingMetadata

if TYPE_CHECKING:
    import keras


ORIGIN = "origin"  # model input: the last known value of each window


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
        outputs and quantiles `(windows, horizon, quantiles)`. If values are read as float64, outputs and past values
        are relative to `origin` `(windows, 1)`, the last known value; the quantiles are not, and are float64.
    """
    import keras
    from keras import ops

    from tfkit import layers

    num_intervals = len(metadata.quantiles) // 2
    margins = [0.0] * num_intervals if margins is None else margins
    inputs = {
        "outputs": keras.Input((metadata.horizon, len(metadata.quantiles)), name="outputs"),
        "values": keras.Input((metadata.context_length,), name="values"),
    }
    minimum = None if metadata.is_relative else metadata.minimum
    bands = layers.ConformalQuantiles(margins, unit=unit, minimum=minimum, dtype="float32", name="bands")
    quantiles = bands(inputs["outputs"], inputs["values"])
    if metadata.is_relative:
        inputs[ORIGIN] = origin = keras.Input((1,), dtype="float64", name=ORIGIN)
        quantiles = ops.cast(quantiles, "float64") + origin[..., None]
        if metadata.minimum is not None:
            past = ops.cast(inputs["values"], "float64") + origin
            is_bounded = ops.min(past, axis=1, keepdims=True)[..., None] >= metadata.minimum
            quantiles = ops.where(is_bounded, ops.maximum(quantiles, metadata.minimum), quantiles)
    return keras.Model(inputs, quantiles, name="restore")


def make_preprocessor(metadata: ForecastingMetadata) -> "keras.Model":
    """Build the preprocessing model: cyclic encoding of calendar features, standardized known covariates.

    Values that are read as float64 become relative to the last known one, `origin` `(windows, 1)` float64.
    """
    import keras
    from keras import ops

    from tfkit import layers

    inputs = {
        name: keras.Input(rule["shape"], dtype=rule["dtype"], name=name) for name, rule in metadata.inputs.items()
    }
    x = dict(inputs)
    if metadata.is_relative:
        x[ORIGIN] = inputs["values"][:, -1:]
        x["values"] = ops.cast(inputs["values"] - x[ORIGIN], "float32")
    if "calendar" in inputs:
        periods = [frequencies.CALENDAR_PERIODS[name] for name in metadata.inputs["calendar"]["features"]]
        x["calendar"] = layers.CyclicEncoding(periods, dtype="float32", name="cycles")(inputs["calendar"])
    if metadata.covariate_moments:
        moments = metadata.covariate_moments.model_dump()
        if metadata.inputs["known"]["dtype"] == "float64":
            x["known"] = layers.Center(moments["mean"], dtype="float32", name="center_known")(inputs["known"])
            moments["mean"] = [0.0] * len(moments["mean"])
        scale = keras.layers.Normalization(axis=-1, name="scale_known", dtype="float32", **moments)
        x["known"] = scale(x["known"])
    return keras.Model(inputs, x, name="prepare")
