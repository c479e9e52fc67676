"""Bootstrap intervals of metrics and of paired differences."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfkit.evaluation.scoring import compute_metrics, task_metrics
from tfkit.metadata import Metadata
from tfkit.tasks.registry import get_task

MAX_CHUNK_WEIGHTS = 1_000_000  # bootstrap weights in memory at once: 8 MB, and a few times that for temporaries

MAX_BOOTSTRAP_CELLS = 200_000_000  # rows * ranked classes * bootstrap samples: a few seconds

MIN_SAMPLES = 100  # bootstrap samples at least


def bootstrap_intervals(
    y_true: Any, y_pred: Any, metadata: Metadata, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, list[float]]:
    """Compute percentile bootstrap intervals of all metrics, resampling rows.

    Very large test sets, whose intervals are narrow, get fewer samples: as many as keep rows * classes * samples
    below 200 million (classes count if there are more than two), but at least 100. A metric that is undefined, or
    undefined in more than half of the samples, is left out.

    Args:
        y_true, y_pred, metadata: As in `compute_metrics`.
        samples: Number of bootstrap samples.
        seed: Random seed. The same seed resamples the same rows, so that two models can be compared.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper end of the interval of each metric by name.

    Example:
        >>> bootstrap_intervals([1.0, 2.0, 4.0], [1.5, 2.5, 4.5], Metadata())["mean_absolute_error"]
        [0.5, 0.5]
    """
    names, metrics = compute_metrics(y_true, y_pred, metadata), task_metrics(y_true, y_pred, metadata)
    samples_by_name: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for weights in _bootstrap_weights(
        len(y_true), _num_samples(samples, len(y_true), metadata), seed, metadata.block_length
    ):
        values = {name: value for metric in metrics for name, value in metric(weights).items()}
        for name in names:
            samples_by_name[name].append(values[name])
    spans = {
        name: _percentile_interval(np.concatenate(chunks), level) for name, chunks in samples_by_name.items() if chunks
    }
    return {name: interval for name, interval in spans.items() if interval is not None}


def paired_difference_interval(
    y_true: Any,
    a: Any,
    b: Any,
    metadata: Metadata,
    name: str,
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[float] | None:
    """Compute the paired bootstrap interval of a metric of `a` minus that of `b`.

    Both models are scored on the same resampled rows, which removes the variance they share, so that small differences
    become significant.

    Args:
        y_true, metadata: As in `compute_metrics`.
        a, b: Predictions of the two models, as `y_pred` in `compute_metrics`.
        name: Name of the metric.
        samples, seed, level: As in `bootstrap_intervals`.

    Returns:
        Lower and upper end; None if the metric is undefined.

    Example:
        >>> y_true, first, second = [1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [1.5, 2.5, 4.5]
        >>> paired_difference_interval(y_true, first, second, Metadata(), "mean_absolute_error")
        [0.5, 0.5]
    """
    metric_functions = []
    for y_pred in (a, b):
        ones = np.ones((len(y_true), 1))
        candidates = [metric for metric in task_metrics(y_true, y_pred, metadata) if name in metric(ones)]
        if not candidates or not np.isfinite(candidates[0](ones)[name][0]):
            return None
        metric_functions.append(candidates[0])
    metric_a, metric_b = metric_functions
    chunks = _bootstrap_weights(len(y_true), _num_samples(samples, len(y_true), metadata), seed, metadata.block_length)
    gaps = [metric_a(weights)[name] - metric_b(weights)[name] for weights in chunks]
    return _percentile_interval(np.concatenate(gaps), level) if gaps else None


def _num_samples(samples: int, rows: int, metadata: Metadata) -> int:
    """Return the number of bootstrap samples, fewer for very large test sets."""
    columns = get_task(metadata.task).num_bootstrap_columns(metadata)
    return min(samples, max(MIN_SAMPLES, MAX_BOOTSTRAP_CELLS // max(rows * columns, 1)))


def _bootstrap_weights(rows: int, samples: int, seed: int, block_length: int = 1) -> Iterator[np.ndarray]:
    """Yield bootstrap weights (counts of rows), `(rows, chunk of samples)`.

    Neighboring windows overlap in time, so blocks of `block_length` windows are resampled together (circular block
    bootstrap, Politis and Romano 1992). Fewer than two blocks cannot give an interval; then nothing is yielded.
    """
    rng, chunk = np.random.default_rng(seed), max(1, MAX_CHUNK_WEIGHTS // max(rows, 1))
    for first in range(0, samples if rows >= (1 if block_length == 1 else 2 * block_length) else 0, chunk):
        size = min(chunk, samples - first)
        counts = [np.bincount(_bootstrap_indices(rng, rows, block_length), minlength=rows) for _ in range(size)]
        yield np.ascontiguousarray(np.array(counts, "float64").T)


def _bootstrap_indices(rng: np.random.Generator, rows: int, block_length: int) -> np.ndarray:
    """Resample row indices with replacement, in circular blocks."""
    if block_length == 1:
        return rng.integers(0, rows, rows)
    starts = rng.integers(0, rows, -(-rows // block_length))
    return ((starts[:, None] + np.arange(block_length)) % rows).ravel()[:rows]


def _percentile_interval(values: np.ndarray, level: float) -> list[float] | None:
    """Return the percentile interval; None if most values are not finite."""
    finite = values[np.isfinite(values)]
    if 2 * len(finite) < len(values):
        return None
    low, high = np.percentile(finite, [50 * (1 - level), 50 * (1 + level)])
    return [float(low), float(high)]
