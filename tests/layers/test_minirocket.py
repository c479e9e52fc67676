"""MiniRocket: against a count of it step by step."""

from itertools import combinations

import keras
import numpy as np
import pytest

from tfkit.layers import MiniRocket

RANDOM = np.random.default_rng(0)
PATTERNS = [[2 if place in places else -1 for place in range(9)] for places in combinations(range(9), 3)]


def share(series, pattern, dilation, bias, whole):
    """The share of steps at which one kernel, on the sum of these channels `(steps, channels)`, is above its bias."""
    values, reach = series.sum(axis=1), 4 * dilation
    steps = range(len(values)) if whole or len(values) <= 2 * reach else range(reach, len(values) - reach)
    above = []
    for step in steps:
        places = [step + (tap - 4) * dilation for tap in range(9)]
        sums = sum(w * values[p] for w, p in zip(pattern, places, strict=True) if 0 <= p < len(values))
        above.append(sums > bias)
    return np.mean(above)


def expected(series, dilations, biases, channels):
    """All features of one series."""
    found = []
    for number, (dilation, rows) in enumerate(zip(dilations, biases, strict=True)):
        for row in rows:
            for kernel, bias in enumerate(row):
                read = [0] if channels is None else channels[number][kernel]
                found.append(share(series[:, read], PATTERNS[kernel], dilation, bias, kernel % 2 == number % 2))
    return np.array(found)


def told(dim):
    """Arguments of a layer for series of so many channels."""
    dilations, rows = [1, 2, 5], [2, 1, 1]
    biases = [RANDOM.normal(size=(count, 84)).round(2).tolist() for count in rows]
    if dim == 1:
        return {"dilations": dilations, "biases": biases, "channels": None}
    chosen = [[sorted(RANDOM.choice(dim, 2, replace=False).tolist()) for _ in range(84)] for _ in dilations]
    return {"dilations": dilations, "biases": biases, "channels": chosen}


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("steps", [60, 41, 12])
def test_features_are_shares_of_steps(dim, steps):
    arguments, x = told(dim), RANDOM.normal(size=(3, steps, dim)).astype("float32")
    found = MiniRocket(**arguments)(x)
    assert found.shape == (3, 4 * 84)
    for row, series in zip(found, x, strict=True):
        np.testing.assert_allclose(row, expected(series, **arguments), atol=1e-5)


def test_a_series_with_padding_is_answered_as_one_without():
    arguments, x = told(2), RANDOM.normal(size=(4, 50, 2)).astype("float32")
    lengths = [50, 43, 30, 3]
    mask = np.arange(50) < np.array(lengths)[:, None]
    found = MiniRocket(**arguments)(np.where(mask[..., None], x, 1e9), mask=mask)
    for row, series, length in zip(found, x, lengths, strict=True):
        np.testing.assert_allclose(row, expected(series[:length], **arguments), atol=1e-5)


def test_level_does_not_matter_inside_a_series():
    """Weights of a kernel add up to 0; only where it hangs over an end does the level count."""
    x = RANDOM.integers(-8, 8, size=(2, 60, 1)).astype("float32")  # so that sums are exact
    arguments = {"dilations": [1, 2], "biases": RANDOM.normal(size=(2, 1, 84)).tolist()}
    inner = np.concatenate([np.arange(84) % 2 == 1, np.arange(84) % 2 == 0])
    one, two = (np.asarray(MiniRocket(**arguments)(part)) for part in (x, x + 100))
    np.testing.assert_array_equal(one[:, inner], two[:, inner])
    assert (one[:, ~inner] != two[:, ~inner]).any()


def test_no_weights_and_no_gradient():
    import tensorflow as tf

    layer = MiniRocket([1], [[[0.0] * 84]])
    x = keras.Variable(RANDOM.normal(size=(2, 20, 1)))
    with tf.GradientTape() as tape:
        total = keras.ops.sum(layer(x))
    assert layer.count_params() == 0
    assert tape.gradient(total, x.value) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dilations": [], "biases": []}, "`dilations` must be at least one number"),
        ({"dilations": [0], "biases": [[[0.0] * 84]]}, "`dilations` must be at least one number, each at least 1"),
        ({"dilations": [1, 2], "biases": [[[0.0] * 84]]}, "and `biases` rows for each. Received: .* of 1"),
        ({"dilations": [1], "biases": [[[0.0] * 83]]}, r"rows of 84 numbers. Received: arrays of \[\(1, 83\)\]"),
        ({"dilations": [1], "biases": [[[0.0] * 84]], "channels": [[[0]] * 3]}, r"84 kernels. Received: \[3\] for 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MiniRocket(**arguments)


def test_several_channels_must_be_told():
    with pytest.raises(ValueError, match="`channels` must be told where a series has more than one"):
        MiniRocket([1], [[[0.0] * 84]])(np.zeros((2, 20, 3), "float32"))
