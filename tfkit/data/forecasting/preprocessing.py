"""Preprocessing and postprocessing layers of forecasts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.metadata import ForecastingMetadata

if TYPE_CHECKING:
    import keras


def make_postprocessor(metadata: ForecastingMetadata, factors: Sequence[float] | None = None) -> "keras.Model":
    """Build the postprocessing model: sort quantiles and scale prediction intervals.

    Args:
        metadata: Result of `fit_schema`.
        factors: Scale factor of each interval, the widest first; None for 1 each.

    Returns:
        A `keras.Model` from model outputs to quantiles, both `(windows, horizon, quantiles)`.
    """
    import keras

    from tfkit import layers

    num_intervals = len(metadata.quantiles) // 2
    factors = [1.0] * num_intervals if factors is None else factors
    outputs = keras.Input((metadata.horizon, len(metadata.quantiles)))
    return keras.Model(
        outputs, layers.ConformalQuantiles(factors, dtype="float32", name="bands")(outputs), name="restore"
    )


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
