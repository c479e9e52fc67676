"""What a network for whole series must beat: the nearest training series, and a weighted sum of their values."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.baselines.tables import Split, linear

STEPS = 512  # of a series that is compared, at most
FEW = 64  # values of a channel that are weighted, at most
BLOCK = 256  # test series at once


def nearest_series(train: Split, test: Split, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Answer with the truth of the training series that is nearest: the sum of squared differences, step by step.

    Each channel is divided by its deviation in training (where the page scales each series by itself, each series is).
    Gaps are filled along straight lines; series of unequal length, and those of more than 512 steps, are resampled to
    one length. Of a class the answer is all but sure: of n training series it has n + 1 of n + k shares.

    Example:
        >>> import tfkit
        >>> up, down = np.arange(8.0).reshape(1, 8, 1), -np.arange(8.0).reshape(1, 8, 1)
        >>> rows = tfkit.Rows(np.zeros(2), np.array([0, 1]), raw={"series": np.concatenate([up, down])})
        >>> info = {"task": "binary", "target": {"classes": ["up", "down"], "positive": "up"},
        ...         "series": {"scale": "none"}}
        >>> nearest_series(rows, rows, info).argmax(axis=1)
        array([0, 1])
    """
    x, y, steps = _values(train, info, STEPS)
    asked, _, _ = _values(test, info, STEPS, steps)
    x, asked = x.reshape(len(x), -1), asked.reshape(len(asked), -1)
    size, found = (x**2).sum(axis=1), []
    for start in range(0, len(asked), BLOCK):
        found.append((size - 2 * asked[start : start + BLOCK] @ x.T).argmin(axis=1))
    answer = y[np.concatenate(found)]
    if info["task"] == "regression":
        return answer * info["target"]["scale"] + info["target"]["mean"]
    count = len(info["target"]["classes"])
    return (len(y) * np.eye(count)[answer] + 1) / (len(y) + count)


def linear_series(train: Split, test: Split, info: Mapping[str, Any], *, seed: int = 0) -> np.ndarray:
    """Answer with a weighted sum of up to 64 values of each channel, and of its mean, deviation and ends: see `linear`.

    Example:
        >>> import tfkit
        >>> x = np.random.default_rng(0).normal(size=(40, 20, 1)) + np.array([0, 3] * 20)[:, None, None]
        >>> rows = tfkit.Rows(np.zeros(40), np.array([0, 1] * 20), raw={"series": x})
        >>> info = {"task": "binary", "target": {"classes": ["low", "high"], "positive": "low"},
        ...         "series": {"scale": "none"}}
        >>> linear_series(rows, rows, info).argmax(axis=1)[:4]
        array([0, 1, 0, 1])
    """
    _, _, steps = _values(train, info, FEW)
    return linear(_Summed(train, info, steps), _Summed(test, info, steps), info, seed=seed)


class _Summed:
    """A split whose rows are values and summaries of series, as columns of a table."""

    def __init__(self, split: Split, info: Mapping[str, Any], steps: int):
        self.split = split
        values, self.y, _ = _values(split, info, FEW, steps)
        told = [values.mean(1), values.std(1), values.min(1), values.max(1), np.abs(np.diff(values, axis=1)).mean(1)]
        self.numbers = np.concatenate([values.reshape(len(values), -1), *told], axis=1).astype("float32")

    def __len__(self) -> int:
        return len(self.split)

    def take(self, numbers: np.ndarray, /) -> Any:
        """The rows of these numbers."""
        _, _, weight = self.split.take(numbers)
        return {"numbers": self.numbers[numbers]}, self.y[numbers], weight


def _values(split: Any, info: Mapping[str, Any], most: int, steps: int | None = None) -> tuple[Any, Any, int]:
    """Series of one length `(rows, steps, channels)` on one scale, their truth, and the length."""
    numbers = np.arange(len(split))
    raw, y = split.raw(numbers)["series"], np.asarray(split.take(numbers)[1])
    lengths = [_length(one) for one in raw]
    steps = steps or min(most, int(np.median(lengths)))
    values = np.stack([_resampled(one[:length], steps) for one, length in zip(raw, lengths, strict=True)])
    told = info["series"]
    if told["scale"] == "each":
        deviation = values.std(axis=1, keepdims=True)
        values = (values - values.mean(axis=1, keepdims=True)) / np.where(deviation > 1e-6, deviation, 1.0)
    elif told["scale"] == "train":
        values = (values - told["mean"]) / told["spread"]
    return values, y, steps


def _length(series: np.ndarray) -> int:
    known = np.flatnonzero(np.isfinite(series).any(axis=1))
    return int(known[-1]) + 1 if len(known) else 1


def _resampled(series: np.ndarray, steps: int) -> np.ndarray:
    """One series `(steps, channels)` at evenly spaced places, along straight lines."""
    places, found = np.linspace(0, len(series) - 1, steps), np.zeros((steps, series.shape[1]))
    for channel, values in enumerate(series.T):
        known = np.flatnonzero(np.isfinite(values))
        if len(known):
            found[:, channel] = np.interp(places, known, values[known])
    return found
