"""What MiniRocket is told: as the paper has it, and of the training series alone."""

import numpy as np
import pytest

from tfkit.data.series_kernels import learn_kernels
from tfkit.layers import MiniRocket

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("steps", [2, 9, 30, 500])
@pytest.mark.parametrize("features", [84, 1000, 10_000])
def test_as_many_features_as_were_asked_for_and_no_kernel_longer_than_the_series(steps, features):
    told = learn_kernels(RANDOM.normal(size=(3, steps, 1)), features=features)
    assert sum(map(len, told["biases"])) == features // 84
    assert told["dilations"] == sorted(set(told["dilations"]))
    assert told["dilations"][0] == 1
    assert max(told["dilations"]) * 8 < max(steps, 9)


def test_dilations_of_the_paper():
    """For 150 steps and 10,000 features, as the authors' own code gives them (minirocket.py, fit_dilations)."""
    spread = np.logspace(0, np.log2(149 / 8), 32, base=2).astype(int)
    told = learn_kernels(RANDOM.normal(size=(2, 150, 1)))
    assert told["dilations"] == sorted(set(spread.tolist()))
    assert [len(rows) for rows in told["biases"]][-1] == int((spread == spread.max()).sum() * 119 / 32)


def test_biases_are_quantiles_so_that_features_are_spread_evenly():
    """Of the very series that biases come from, a feature that counts all steps is the share above its quantile."""
    x = RANDOM.normal(size=(1, 3000, 1)).astype("float32")
    told = learn_kernels(x, features=84 * 20)
    shares = np.asarray(MiniRocket(**told)(x)).ravel()
    assert abs(shares.mean() - 0.5) < 0.01
    assert np.histogram(shares, 10, (0, 1))[0].min() > 84 * 20 / 10 * 0.8


def test_padding_is_not_learnt_from():
    x = RANDOM.normal(size=(6, 40, 2)).astype("float32")
    padded = np.concatenate([x, np.full((6, 9, 2), -1e9, "float32")], axis=1)
    assert learn_kernels(padded, np.full(6, 40), features=500) == learn_kernels(x, features=500)


def test_the_seed_draws_channels_and_series():
    x = RANDOM.normal(size=(6, 40, 12)).astype("float32")
    one, again, other = (learn_kernels(x, features=500, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    numbers = [kernel for told in one["channels"] for kernel in told]
    assert {len(told) for told in numbers} == set(range(1, 10))
    assert all(told == sorted(set(told)) and told[0] >= 0 and told[-1] < 12 for told in numbers)


def test_rounding_decides_nothing_where_a_series_stands_still():
    """There a convolution is 0 but for rounding, and so is the bias: one must not be above the other by chance."""
    still = np.repeat(RANDOM.normal(size=(8, 1, 1)), 60, axis=1).astype("float32")
    told = learn_kernels(still, features=84 * 8)
    layer = MiniRocket(**told)
    numbers = [number for number, rows in enumerate(told["biases"]) for _ in rows]
    inner = np.concatenate([np.arange(84) % 2 != number % 2 for number in numbers])
    one, two = (np.asarray(layer(part))[:, inner] for part in (still, still * np.float32(1 + 1e-6)))
    np.testing.assert_array_equal(one, two)
