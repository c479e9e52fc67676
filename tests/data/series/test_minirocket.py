"""Tests of fitting MiniRocket kernels, compared with the paper."""

import numpy as np
import pytest

from tfkit.data.series.minirocket import fit_kernels
from tfkit.layers import MiniRocket

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("steps", [2, 9, 30, 500])
@pytest.mark.parametrize("features", [84, 1000, 10_000])
def test_number_of_features_and_maximum_kernel_length(steps, features):
    kernels = fit_kernels(RANDOM.normal(size=(3, steps, 1)), num_features=features)
    assert sum(map(len, kernels["biases"])) == features // 84
    assert kernels["dilations"] == sorted(set(kernels["dilations"]))
    assert kernels["dilations"][0] == 1
    assert max(kernels["dilations"]) * 8 < max(steps, 9)


def test_dilations_of_the_paper():
    """For 150 steps and 10,000 features, equal to the code of the authors (minirocket.py, fit_dilations)."""
    dilations = np.logspace(0, np.log2(149 / 8), 32, base=2).astype(int)
    kernels = fit_kernels(RANDOM.normal(size=(2, 150, 1)))
    assert kernels["dilations"] == sorted(set(dilations.tolist()))
    assert [len(rows) for rows in kernels["biases"]][-1] == int((dilations == dilations.max()).sum() * 119 / 32)


def test_biases_are_quantiles_so_that_features_are_uniform():
    """On the series used for fitting, a feature of all steps is the proportion above its quantile."""
    x = RANDOM.normal(size=(1, 3000, 1)).astype("float32")
    kernels = fit_kernels(x, num_features=84 * 20)
    proportions = np.asarray(MiniRocket(**kernels)(x)).ravel()
    assert abs(proportions.mean() - 0.5) < 0.01
    assert np.histogram(proportions, 10, (0, 1))[0].min() > 84 * 20 / 10 * 0.8


def test_padding_is_ignored():
    x = RANDOM.normal(size=(6, 40, 2)).astype("float32")
    padded = np.concatenate([x, np.full((6, 9, 2), -1e9, "float32")], axis=1)
    assert fit_kernels(padded, np.full(6, 40), num_features=500) == fit_kernels(x, num_features=500)


def test_channels_and_series_depend_on_the_seed():
    x = RANDOM.normal(size=(6, 40, 12)).astype("float32")
    kernels, same_seed, different_seed = (fit_kernels(x, num_features=500, seed=seed) for seed in (1, 1, 2))
    assert kernels == same_seed != different_seed
    channels = [indices for dilation_channels in kernels["channels"] for indices in dilation_channels]
    assert {len(indices) for indices in channels} == set(range(1, 10))
    assert all(indices == sorted(set(indices)) and indices[0] >= 0 and indices[-1] < 12 for indices in channels)


def test_features_of_constant_series_do_not_depend_on_rounding():
    """Convolution and bias are 0 up to rounding errors: these must not decide which one is larger."""
    constant = np.repeat(RANDOM.normal(size=(8, 1, 1)), 60, axis=1).astype("float32")
    kernels = fit_kernels(constant, num_features=84 * 8)
    layer = MiniRocket(**kernels)
    dilation_indices = [index for index, rows in enumerate(kernels["biases"]) for _ in rows]
    is_unpadded = np.concatenate([np.arange(84) % 2 != index % 2 for index in dilation_indices])
    features, perturbed = (
        np.asarray(layer(series))[:, is_unpadded] for series in (constant, constant * np.float32(1 + 1e-6))
    )
    np.testing.assert_array_equal(features, perturbed)
