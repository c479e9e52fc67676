"""How wide a band must be to hold its share: asked of the validation windows, not of those that were learnt."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ENOUGH = 10  # stretches of a horizon, apart from each other, that are enough to make a band narrower too


def restore_windows(info: Mapping[str, Any], factors: Sequence[float] | None = None) -> Any:
    """Told layers, what the model says -> quantiles in their order `(windows, horizon, quantiles)`, bands corrected."""
    import keras

    from tfkit import layers

    bands = len(info["quantiles"]) // 2
    told = [1.0] * bands if factors is None else factors
    answer = keras.Input((info["horizon"], len(info["quantiles"])))
    return keras.Model(answer, layers.QuantileBands(told, dtype="float32", name="bands")(answer), name="restore")


def calibrate_bands(model: Any, data: Any) -> Any:
    """The `restore` whose bands hold their share of the validation windows.

    Values of one time are of one kind, so it is stretches of a horizon that are counted, however many windows lie over
    them. Where they are few a band may become wider, never narrower: small data makes a network too sure.
    """
    from tfkit.datasets.batch_predict import predict

    begin, end = data.info["splits"]["val"]
    stretches = (end - begin) // data.info["horizon"]
    pieces = np.array_split(np.arange(len(data.val)), max(1, len(data.val) // 8192))
    answer = np.concatenate([predict(model, data.val.take(numbers)[0]) for numbers in pieces])
    values, quantiles = data.val.truth()["values"], data.info["quantiles"]
    factors = conformal_factors(values, answer, quantiles, independent=stretches)
    return restore_windows(data.info, factors if stretches >= ENOUGH else [max(1.0, factor) for factor in factors])


def conformal_factors(
    values: np.ndarray, answer: np.ndarray, quantiles: Sequence[float], *, independent: int | None = None
) -> list[float]:
    """What to multiply each band's distances from the median by, so that it holds its share of these values.

    Conformalised quantile regression (Romano et al. 2019, https://arxiv.org/abs/1905.03222): of each value how many
    times wider the band would have to be to reach it, and of these numbers the quantile of the band's share, a little
    more where few are independent: `share * (1 + 1 / independent)`, but no more than halfway to all.

    Args:
        values: `(windows, horizon)`, NaN where not known.
        answer: `(windows, horizon, quantiles)`.
        quantiles: Ascending, the median in the middle.
        independent: How many of the values say something of their own; None for all.

    Returns:
        A factor for each band, the widest first.

    Example:
        >>> answer = np.tile([-1.0, 0.0, 1.0], (1, 100, 1))
        >>> conformal_factors(np.linspace(-2, 2, 100)[None], answer, [0.1, 0.5, 0.9])
        [1.63...]
    """
    answer = np.sort(answer.astype("float64"), axis=-1)
    middle, there = answer[..., len(quantiles) // 2], np.isfinite(values)
    factors = []
    for i in range(len(quantiles) // 2):
        distance = values - middle
        room = np.where(distance < 0, middle - answer[..., i], answer[..., -1 - i] - middle)
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.where(distance == 0, 0.0, np.abs(distance) / room)[there]
        share = quantiles[-1 - i] - quantiles[i]
        share = min(share * (1 + 1 / (independent or max(1, len(needed)))), (1 + share) / 2)
        found = float(np.quantile(needed, share, method="higher")) if len(needed) else 1.0
        factors.append(found if np.isfinite(found) else 1.0)
    return factors
