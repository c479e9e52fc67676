"""Baselines of time series: nearest neighbor and linear model."""

from typing import Any

import numpy as np

from tfkit.evaluation.baselines.table import Split, linear
from tfkit.metadata import Metadata
from tfkit.tasks.registry import get_task

MAX_STEPS = 512  # steps of a series for the nearest neighbor

MAX_LINEAR_STEPS = 64  # steps of a series for the linear model

CHUNK_ROWS = 256  # test series in memory at once


def nearest_neighbor(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Predict the target of the nearest training series (Euclidean distance).

    Each channel is divided by its standard deviation in training, or each series by its own if the recipe scales that
    way. Missing values are interpolated linearly. Series of unequal length, or with more than 512 steps, are resampled
    to one length. With n training series and k classes, the predicted class has the probability (n + 1) / (n + k).

    Example:
        >>> import tfkit
        >>> from tfkit.data.series.metadata import SeriesMetadata
        >>> from tfkit.metadata import Target
        >>> up, down = np.arange(8.0).reshape(1, 8, 1), -np.arange(8.0).reshape(1, 8, 1)
        >>> rows = tfkit.ArrayDataset(np.zeros(2), np.array([0, 1]), raw={"series": np.concatenate([up, down])})
        >>> metadata = SeriesMetadata(target=Target(task="classification", classes=["up", "down"]))
        >>> nearest_neighbor(rows, rows, metadata).argmax(axis=1)
        array([0, 1])
    """
    x, y, steps = _load_values(train, metadata, MAX_STEPS)
    x_test, _, _ = _load_values(test, metadata, MAX_STEPS, steps)
    x, x_test = x.reshape(len(x), -1), x_test.reshape(len(x_test), -1)
    squared_norms, neighbors = (x**2).sum(axis=1), []
    for start in range(0, len(x_test), CHUNK_ROWS):
        neighbors.append((squared_norms - 2 * x_test[start : start + CHUNK_ROWS] @ x.T).argmin(axis=1))
    return get_task(metadata.task).predict_neighbors(y[np.concatenate(neighbors)], len(y), metadata)


def linear_series(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Fit `linear` on up to 64 values of each channel and its statistics.

    The statistics are mean, standard deviation, minimum, maximum and mean absolute difference of neighboring steps.

    Example:
        >>> import tfkit
        >>> from tfkit.data.series.metadata import SeriesMetadata
        >>> from tfkit.metadata import Target
        >>> x = np.random.default_rng(0).normal(size=(40, 20, 1)) + np.array([0, 3] * 20)[:, None, None]
        >>> rows = tfkit.ArrayDataset(np.zeros(40), np.array([0, 1] * 20), raw={"series": x})
        >>> metadata = SeriesMetadata(target=Target(task="classification", classes=["low", "high"]))
        >>> linear_series(rows, rows, metadata).argmax(axis=1)[:4]
        array([0, 1, 0, 1])
    """
    _, _, steps = _load_values(train, metadata, MAX_LINEAR_STEPS)
    return linear(_SeriesColumns(train, metadata, steps), _SeriesColumns(test, metadata, steps), metadata, seed=seed)


class _SeriesColumns:
    """A dataset of time series as a table of values and statistics."""

    def __init__(self, split: Split, metadata: Metadata, steps: int):
        self.split = split
        values, self.y, _ = _load_values(split, metadata, MAX_LINEAR_STEPS, steps)
        differences = np.abs(np.diff(values, axis=1))
        statistics = [values.mean(1), values.std(1), values.min(1), values.max(1), differences.mean(1)]
        self.columns = np.concatenate([values.reshape(len(values), -1), *statistics], axis=1).astype("float32")

    def __len__(self) -> int:
        return len(self.split)

    def take(self, indices: np.ndarray, /) -> Any:
        """Return the rows with these indices."""
        _, _, weight = self.split.take(indices)
        return {"numbers": self.columns[indices]}, self.y[indices], weight


def _load_values(
    split: Any, metadata: Metadata, max_steps: int, steps: int | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return scaled series `(rows, steps, channels)`, targets, and number of steps."""
    indices = np.arange(len(split))
    raw, y = split.raw_inputs(indices)["series"], np.asarray(split.take(indices)[1])
    lengths = [_length(series) for series in raw]
    steps = steps or min(max_steps, int(np.median(lengths)))
    values = np.stack([_resample(series[:length], steps) for series, length in zip(raw, lengths, strict=True)])
    scaling = metadata.series
    if scaling.normalization == "instance":
        deviation = values.std(axis=1, keepdims=True)
        values = (values - values.mean(axis=1, keepdims=True)) / np.where(deviation > 1e-6, deviation, 1.0)
    elif scaling.normalization == "dataset":
        values = (values - scaling.mean) / scaling.std
    return values, y, steps


def _length(series: np.ndarray) -> int:
    """Return the length of a series without trailing padding."""
    finite = np.flatnonzero(np.isfinite(series).any(axis=1))
    return int(finite[-1]) + 1 if len(finite) else 1


def _resample(series: np.ndarray, steps: int) -> np.ndarray:
    """Interpolate a series `(length, channels)` linearly to `steps` steps."""
    positions, resampled = np.linspace(0, len(series) - 1, steps), np.zeros((steps, series.shape[1]))
    for channel, values in enumerate(series.T):
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite):
            resampled[:, channel] = np.interp(positions, finite, values[finite])
    return resampled
