"""What MiniRocket is told: how far its kernels are spread, and above which values of the training series it counts."""

from typing import Any

import numpy as np

DILATIONS = 32  # of a kernel, at most
GOLDEN = (5**0.5 + 1) / 2
HAIR = 1e-5  # of the largest a convolution of usual values can be: how far a bias lies above what was seen


def learn_kernels(values: Any, lengths: Any = None, *, features: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Dilations, biases and channels of `tfkit.layers.MiniRocket` for these series, as the paper chooses them.

    Dilations grow in powers up to where a kernel is as long as the longest series. A bias is a quantile of the
    convolution of a training series drawn by chance, a hair above, so that rounding decides nothing where a series
    stands still. Of several channels a kernel reads 1 to 9, drawn by chance, few of them more often.

    Args:
        values: The training series, `(rows, steps, channels)`, as the layer will see them.
        lengths: True steps of each, `(rows,)`; None for all.
        features: About how many there are to be; a multiple of 84, at least 84.
        seed: Of what is drawn.

    Example:
        >>> told = learn_kernels(np.random.default_rng(0).normal(size=(5, 60, 1)), features=1000)
        >>> told["dilations"], sum(map(len, told["biases"])) * 84, told["channels"]
        ([1, 2, 3, 4, 6, 7], 924, None)
    """
    from tfkit.layers.minirocket import KERNELS, weights

    values = np.asarray(values, "float32")
    rows, steps, dim = values.shape
    lengths = np.full(rows, steps) if lengths is None else np.asarray(lengths)
    random = np.random.default_rng(seed)
    dilations, counts = _dilations(int(lengths.max()), max(1, features // len(KERNELS)))
    seen = np.arange(steps) < lengths[:, None]
    hair = HAIR * 12 * float(np.abs(values[seen]).mean())
    positions = np.arange(1, counts.sum() * len(KERNELS) + 1) * GOLDEN % 1
    channels, biases, first = [], [], 0
    for dilation, count in zip(dilations, counts, strict=True):
        told = None if dim == 1 else _channels(dim, len(KERNELS), random)
        channels.append(told)
        drawn = random.integers(rows, size=len(KERNELS))
        kernels, found = weights(dim, told), np.zeros((count, len(KERNELS)))
        asked = positions[first : first + found.size].reshape(found.shape)
        for kernel, row in enumerate(drawn):
            y = _convolved(values[row, : lengths[row]], kernels[:, kernel], dilation)
            found[:, kernel] = np.quantile(y, asked[:, kernel]) + hair
        biases.append([[float(f"{value:.7g}") for value in one] for one in found])
        first += found.size
    return {"dilations": dilations, "biases": biases, "channels": None if dim == 1 else channels}


def _dilations(steps: int, each: int) -> tuple[list[int], np.ndarray]:
    """The dilations, and how many biases a kernel has at each: `each` in all."""
    furthest = np.log2(max(steps - 1, 8) / 8)
    spread = np.logspace(0, furthest, min(each, DILATIONS), base=2).astype(int)
    dilations, times = np.unique(spread, return_counts=True)
    counts = (times * (each / len(spread))).astype(int)
    counts[: each - counts.sum()] += 1  # fewer are left than there are dilations
    return dilations.tolist(), counts


def _channels(dim: int, kernels: int, random: Any) -> list[list[int]]:
    """Which channels each kernel reads."""
    sizes = (2 ** random.uniform(0, np.log2(min(dim, 9) + 1), kernels)).astype(int)
    return [sorted(random.choice(dim, size, replace=False).tolist()) for size in sizes]


def _convolved(series: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """One series `(steps, channels)` by one kernel, zeros on both sides."""
    steps, dim = series.shape
    padded = np.pad(series, [(4 * dilation, 4 * dilation), (0, 0)])
    shifted = [padded[tap * dilation : tap * dilation + steps] for tap in range(9)]
    return np.concatenate(shifted, axis=1) @ kernel.reshape(9 * dim)
