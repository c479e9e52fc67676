"""MiniRocket, compared with a step-by-step computation."""

from itertools import combinations

import keras
import numpy as np
import pytest

from tfkit.layers import MiniRocket

RANDOM = np.random.default_rng(0)
PATTERNS = [[2 if tap in positions else -1 for tap in range(9)] for positions in combinations(range(9), 3)]


def proportion(series, pattern, dilation, bias, all_steps):
    """Return the proportion of steps at which a kernel, on the sum of the channels, exceeds its bias."""
    values, reach = series.sum(axis=1), 4 * dilation
    steps = range(len(values)) if all_steps or len(values) <= 2 * reach else range(reach, len(values) - reach)
    above = []
    for step in steps:
        positions = [step + (tap - 4) * dilation for tap in range(9)]
        sums = sum(
            weight * values[position]
            for weight, position in zip(pattern, positions, strict=True)
            if 0 <= position < len(values)
        )
        above.append(sums > bias)
    return np.mean(above)


def expected(series, dilations, biases, channels):
    """Compute all features of one series."""
    features = []
    for dilation_index, (dilation, rows) in enumerate(zip(dilations, biases, strict=True)):
        for row in rows:
            for kernel, bias in enumerate(row):
                channel_indices = [0] if channels is None else channels[dilation_index][kernel]
                features.append(
                    proportion(
                        series[:, channel_indices], PATTERNS[kernel], dilation, bias, kernel % 2 == dilation_index % 2
                    )
                )
    return np.array(features)


def layer_arguments(dim):
    """Create random arguments of a layer for series of `dim` channels."""
    dilations, rows = [1, 2, 5], [2, 1, 1]
    biases = [RANDOM.normal(size=(count, 84)).round(2).tolist() for count in rows]
    if dim == 1:
        return {"dilations": dilations, "biases": biases, "channels": None}
    selected_channels = [[sorted(RANDOM.choice(dim, 2, replace=False).tolist()) for _ in range(84)] for _ in dilations]
    return {"dilations": dilations, "biases": biases, "channels": selected_channels}


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("steps", [60, 41, 12])
def test_features_are_proportions_of_steps(dim, steps):
    arguments, x = layer_arguments(dim), RANDOM.normal(size=(3, steps, dim)).astype("float32")
    outputs = MiniRocket(**arguments)(x)
    assert outputs.shape == (3, 4 * 84)
    for row, series in zip(outputs, x, strict=True):
        np.testing.assert_allclose(row, expected(series, **arguments), atol=1e-5)


def test_padding_does_not_change_the_features():
    arguments, x = layer_arguments(2), RANDOM.normal(size=(4, 50, 2)).astype("float32")
    lengths = [50, 43, 30, 3]
    mask = np.arange(50) < np.array(lengths)[:, None]
    outputs = MiniRocket(**arguments)(np.where(mask[..., None], x, 1e9), mask=mask)
    for row, series, length in zip(outputs, x, lengths, strict=True):
        np.testing.assert_allclose(row, expected(series[:length], **arguments), atol=1e-5)


def test_features_inside_a_series_do_not_depend_on_its_level():
    """The weights of a kernel sum to 0; the level matters only at the padded ends."""
    x = RANDOM.integers(-8, 8, size=(2, 60, 1)).astype("float32")  # so that sums are exact
    arguments = {"dilations": [1, 2], "biases": RANDOM.normal(size=(2, 1, 84)).tolist()}
    inner = np.concatenate([np.arange(84) % 2 == 1, np.arange(84) % 2 == 0])
    outputs, shifted_outputs = (np.asarray(MiniRocket(**arguments)(inputs)) for inputs in (x, x + 100))
    np.testing.assert_array_equal(outputs[:, inner], shifted_outputs[:, inner])
    assert (outputs[:, ~inner] != shifted_outputs[:, ~inner]).any()


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
        (
            {"dilations": [1], "biases": [[[0.0] * 84]], "channels": [[[0]] * 3]},
            r"84 kernels for each dilation. Received: \[3\] for 1",
        ),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        MiniRocket(**arguments)


def test_several_channels_need_the_channels_argument():
    with pytest.raises(ValueError, match="`channels` must be set for a series of several channels"):
        MiniRocket([1], [[[0.0] * 84]])(np.zeros((2, 20, 3), "float32"))
