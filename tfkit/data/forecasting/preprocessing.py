"""Preprocessing and postprocessing layers of forecasts."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfkit.data.columns import frequencies


def restore_windows(info: Mapping[str, Any], factors: Sequence[float] | None = None) -> Any:
    """Build the postprocessing model: sort quantiles and scale prediction intervals.

    Args:
        info: Result of `learn_history`.
        factors: Scale factor of each interval, the widest first; None for 1 each.

    Returns:
        A `keras.Model` from model outputs to quantiles, both `(windows, horizon, quantiles)`.
    """
    import keras

    from tfkit import layers

    num_intervals = len(info["quantiles"]) // 2
    factors = [1.0] * num_intervals if factors is None else factors
    outputs = keras.Input((info["horizon"], len(info["quantiles"])))
    return keras.Model(
        outputs, layers.ConformalQuantiles(factors, dtype="float32", name="bands")(outputs), name="restore"
    )


def prepare_windows(info: Mapping[str, Any]) -> Any:
    """Build the preprocessing model: cyclic encoding of calendar features, standardized known covariates."""
    import keras

    from tfkit import layers

    inputs = {name: keras.Input(rule["shape"], dtype="float32", name=name) for name, rule in info["inputs"].items()}
    x = dict(inputs)
    if "calendar" in inputs:
        periods = [frequencies.PERIODS[name] for name in info["inputs"]["calendar"]["parts"]]
        x["calendar"] = layers.CyclicEncoding(periods, dtype="float32", name="cycles")(inputs["calendar"])
    if "known" in inputs:
        config = {**info["known"], "dtype": "float32"}
        x["known"] = keras.layers.Normalization(axis=-1, name="scale_known", **config)(inputs["known"])
    return keras.Model(inputs, x, name="prepare")
