"""Fit the dilations, biases and channels of MiniRocket kernels to training series."""

from typing import Any

import numpy as np

from tfkit.data.series.dataset import MAX_FEATURE_VALUES, pad_series
from tfkit.data.series.files import SeriesCollection
from tfkit.data.series.metadata import Kernels, MiniRocketFeatures, SeriesMetadata
from tfkit.data.series.preprocessing import INPUT_NAME, PADDING_VALUE, make_preprocessor

MAX_DILATIONS = 32  # per kernel

GOLDEN_RATIO = (5**0.5 + 1) / 2

BIAS_MARGIN = 1e-5  # by which a bias exceeds its quantile, relative to the largest possible convolution of usual values


def fit_kernels(values: Any, lengths: Any = None, *, num_features: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Fit the arguments of `tfkit.layers.MiniRocket` to series, as in the paper.

    Dilations grow exponentially, up to where a kernel is as long as the longest series. A bias is a quantile of the
    convolution of a randomly sampled training series, plus a small margin, so that rounding errors do not decide the
    features of constant segments. With several channels a kernel reads 1 to 9 random channels, small numbers more
    often than large ones.

    Args:
        values: The training series, `(rows, steps, channels)`, as the layer receives them.
        lengths: Valid steps of each series, `(rows,)`; None if all steps are valid.
        num_features: Approximate number of features; a multiple of 84, at least 84.
        seed: Seed of the random choices.

    Returns:
        `dilations`, `biases` and `channels`, the arguments of the layer.

    Example:
        >>> kernels = fit_kernels(np.random.default_rng(0).normal(size=(5, 60, 1)), num_features=1000)
        >>> kernels["dilations"], sum(map(len, kernels["biases"])) * 84, kernels["channels"]
        ([1, 2, 3, 4, 6, 7], 924, None)
    """
    from tfkit.layers.convolution.minirocket import KERNELS, kernel_matrix

    values = np.asarray(values, "float32")
    rows, steps, dim = values.shape
    lengths = np.full(rows, steps) if lengths is None else np.asarray(lengths)
    random = np.random.default_rng(seed)
    dilations, counts = _dilations(int(lengths.max()), max(1, num_features // len(KERNELS)))
    is_valid = np.arange(steps) < lengths[:, None]
    margin = BIAS_MARGIN * 12 * float(np.abs(values[is_valid]).mean())
    quantiles = np.arange(1, counts.sum() * len(KERNELS) + 1) * GOLDEN_RATIO % 1
    channels, biases, first = [], [], 0
    for dilation, count in zip(dilations, counts, strict=True):
        kernel_channels = None if dim == 1 else _sample_channels(dim, len(KERNELS), random)
        channels.append(kernel_channels)
        sampled_rows = random.integers(rows, size=len(KERNELS))
        kernels, dilation_biases = kernel_matrix(dim, kernel_channels), np.zeros((count, len(KERNELS)))
        levels = quantiles[first : first + dilation_biases.size].reshape(dilation_biases.shape)
        for kernel, row in enumerate(sampled_rows):
            y = _convolve(values[row, : lengths[row]], kernels[:, kernel], dilation)
            dilation_biases[:, kernel] = np.quantile(y, levels[:, kernel]) + margin
        biases.append([[float(f"{bias:.7g}") for bias in row_biases] for row_biases in dilation_biases])
        first += dilation_biases.size
    return {"dilations": dilations, "biases": biases, "channels": None if dim == 1 else channels}


def _dilations(steps: int, num_biases: int) -> tuple[list[int], np.ndarray]:
    """Return the dilations, and the number of biases per kernel at each; `num_biases` in total."""
    max_exponent = np.log2(max(steps - 1, 8) / 8)
    candidates = np.logspace(0, max_exponent, min(num_biases, MAX_DILATIONS), base=2).astype(int)
    dilations, frequencies = np.unique(candidates, return_counts=True)
    counts = (frequencies * (num_biases / len(candidates))).astype(int)
    counts[: num_biases - counts.sum()] += 1  # the remainder is smaller than the number of dilations
    return dilations.tolist(), counts


def _sample_channels(dim: int, kernels: int, random: np.random.Generator) -> list[list[int]]:
    """Sample the channels that each kernel reads."""
    sizes = (2 ** random.uniform(0, np.log2(min(dim, 9) + 1), kernels)).astype(int)
    return [sorted(random.choice(dim, size, replace=False).tolist()) for size in sizes]


def _convolve(series: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """Convolve one series `(steps, channels)` with one kernel, with zero padding on both sides."""
    steps, dim = series.shape
    padded = np.pad(series, [(4 * dilation, 4 * dilation), (0, 0)])
    shifted = [padded[tap * dilation : tap * dilation + steps] for tap in range(9)]
    return np.concatenate(shifted, axis=1) @ kernel.reshape(9 * dim)


def fit_minirocket(
    train: SeriesCollection,
    metadata: SeriesMetadata,
    *,
    num_features: int,
    use_differences: bool = True,
    seed: int = 0,
) -> SeriesMetadata:
    """Fit MiniRocket kernels to the training series; return the metadata with them and the scale of their features.

    Args:
        train: The training series.
        metadata: Result of `fit_schema`.
        num_features: Approximate number of features; fewer if those of all series exceed one gigabyte.
        use_differences: Whether half of the features are computed from the first differences of the series, as in
            MultiRocket (Tan et al. 2022, https://arxiv.org/abs/2102.00457).
        seed: Seed of the random choices.
    """
    from tfkit.datasets.batch_predict import predict

    raw = {INPUT_NAME: pad_series(train.arrays(), metadata)}
    x = predict(make_preprocessor(metadata), raw)[INPUT_NAME]
    steps = np.maximum((x != np.float32(PADDING_VALUE)).all(axis=-1).sum(axis=1), 1)
    views = [(x, steps), (np.diff(x, axis=1), np.maximum(steps - 1, 1))][: 1 + use_differences]
    features_per_view = max(84, min(num_features, MAX_FEATURE_VALUES // len(x)) // len(views))
    kernels = [
        Kernels(**fit_kernels(view, lengths, num_features=features_per_view, seed=seed)) for view, lengths in views
    ]
    unscaled = metadata.model_copy(update={"minirocket": MiniRocketFeatures(views=kernels)})
    outputs = predict(make_preprocessor(unscaled), raw)["features"]
    std = outputs.std(axis=0, dtype="float64")
    moments = {"mean": outputs.mean(axis=0, dtype="float64"), "std": np.where(std > 1e-6, std, 1.0)}
    rounded = {name: [float(f"{value:.7g}") for value in moment] for name, moment in moments.items()}
    return metadata.model_copy(update={"minirocket": MiniRocketFeatures(views=kernels, **rounded)})
