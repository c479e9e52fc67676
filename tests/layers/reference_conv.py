"""NumPy reference of the convolutional layers in float64, one unpadded row at a time."""

from itertools import product

import numpy as np

RANDOM = np.random.default_rng(0)


def built(layer, shape):
    """Build the layer with a random value for every weight and statistic, so that each affects the result."""
    layer.build(shape)
    for weight in layer.weights:
        if "seed" not in weight.path:
            positive = "variance" in weight.path or "gamma" in weight.path
            scale = np.prod(weight.shape[:-1]) ** -0.5 if weight.path.endswith("kernel") else 1.0
            weight.assign(
                RANDOM.uniform(0.5, 2.0, weight.shape) if positive else scale * RANDOM.normal(size=weight.shape)
            )
    return layer


def weights(layer):
    """Return the weights by their path inside the layer, such as `first/conv/kernel`."""
    return {
        variable.path.split("/", 1)[1]: variable.numpy().astype("float64")
        for variable in layer.weights
        if "seed" not in variable.path
    }


def sublayer_weights(w, name):
    """Return the weights of one sub-layer."""
    return {path[len(name) + 1 :]: value for path, value in w.items() if path.startswith(name + "/")}


def series(lengths, dim, padding_value=np.nan):
    """Create random rows of the given lengths, and the padded array with its mask; padding is `padding_value`."""
    rows = [RANDOM.normal(size=(length, dim)).astype("float32") for length in lengths]
    x = np.full((len(rows), max(lengths) + 2, dim), padding_value, "float32")
    for index, row in enumerate(rows):
        x[index, : len(row)] = row
    mask = np.arange(x.shape[1]) < np.array(lengths)[:, None]
    return [row.astype("float64") for row in rows], x, mask


def convolve(row, kernel, strides=1, dilation=1, padding="same"):
    """Convolve one row without a batch axis; each output is the sum over all kernel taps."""
    rank, size = row.ndim - 1, kernel.shape[0]
    span = (size - 1) * dilation
    before = {"same": span // 2, "causal": span, "valid": 0}[padding]
    after = span - before if padding == "same" else 0
    row = np.pad(row, [(before, after)] * rank + [(0, 0)])
    steps = [range(0, size - span, strides) for size in row.shape[:-1]]
    outputs = np.zeros((*map(len, steps), kernel.shape[-1]))
    for position in product(*(range(len(steps_on_axis)) for steps_on_axis in steps)):
        for tap in product(range(size), repeat=rank):
            input_position = tuple(
                index * strides + tap_index * dilation for index, tap_index in zip(position, tap, strict=True)
            )
            outputs[position] += row[input_position] @ kernel[tap]
    return outputs


def normalize(rows, w, training=False):
    """Apply batch normalization if there are moving statistics, layer normalization otherwise."""
    if "moving_mean" not in w:
        rows = [(row - row.mean(-1, keepdims=True)) / np.sqrt(row.var(-1, keepdims=True) + 1e-3) for row in rows]
        return [row * w["gamma"] + w["beta"] for row in rows]
    all_steps = np.concatenate([row.reshape(-1, row.shape[-1]) for row in rows])
    mean, variance = (all_steps.mean(0), all_steps.var(0)) if training else (w["moving_mean"], w["moving_variance"])
    return [(row - mean) / np.sqrt(variance + 1e-3) * w["gamma"] + w["beta"] for row in rows]


def normalize_groups(rows, w, groups):
    """Apply group normalization: a mean and a variance for each row and each group of channels."""
    outputs = []
    for row in rows:
        arrays = [(array - array.mean()) / np.sqrt(array.var() + 1e-3) for array in np.split(row, groups, axis=-1)]
        outputs.append(np.concatenate(arrays, axis=-1) * w["gamma"] + w["beta"])
    return outputs


def conv_block(rows, w, *, training=False, activation=np.tanh, groups=None, **options):
    rows = [convolve(row, w["conv/kernel"], **options) + w.get("conv/bias", 0.0) for row in rows]
    if groups:
        rows = normalize_groups(rows, sublayer_weights(w, "norm"), groups)
    elif sublayer_weights(w, "norm"):
        rows = normalize(rows, sublayer_weights(w, "norm"), training)
    return [activation(row) for row in rows]


def linear(x):
    return x


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def excite(rows, w):
    outputs = []
    for row in rows:
        mean = row.reshape(-1, row.shape[-1]).mean(0)
        hidden = np.maximum(mean @ w["squeeze/kernel"] + w["squeeze/bias"], 0.0)
        outputs.append(row * sigmoid(hidden @ w["excite/kernel"] + w["excite/bias"]))
    return outputs


def residual_block(rows, w, *, strides=1, training=False, **options):
    first = conv_block(rows, sublayer_weights(w, "first"), strides=strides, training=training, **options)
    branch = conv_block(first, sublayer_weights(w, "second"), training=training, activation=linear, **options)
    if sublayer_weights(w, "excitation"):
        branch = excite(branch, sublayer_weights(w, "excitation"))
    shortcut = rows
    if sublayer_weights(w, "projection"):
        shortcut = conv_block(
            rows, sublayer_weights(w, "projection"), strides=strides, training=training, activation=linear
        )
    return [np.tanh(branch_row + shortcut_row) for branch_row, shortcut_row in zip(branch, shortcut, strict=True)]


def inception_block(rows, w, *, training=False):
    conv_inputs = [convolve(row, w["narrow/kernel"]) for row in rows] if "narrow/kernel" in w else rows
    branches = [
        [convolve(row, w[f"conv_{index}/kernel"]) + w.get(f"conv_{index}/bias", 0.0) for row in conv_inputs]
        for index in range(sum(path.endswith("kernel") for path in w if path.startswith("conv_")) - 1)
    ]
    padded = [np.pad(row, ((1, 1), (0, 0)), constant_values=-np.inf) for row in rows]
    highest = [np.maximum(np.maximum(array[:-2], array[1:-1]), array[2:]) for array in padded]
    branches.append(
        [convolve(pooled_row, w["conv_highest/kernel"]) + w.get("conv_highest/bias", 0.0) for pooled_row in highest]
    )
    rows = [np.concatenate(arrays, axis=-1) for arrays in zip(*branches, strict=True)]
    if sublayer_weights(w, "norm"):
        rows = normalize(rows, sublayer_weights(w, "norm"), training)
    return [np.tanh(row) for row in rows]


def pool(rows, kind):
    flattened = [row.reshape(-1, row.shape[-1]) for row in rows]
    return np.stack([row.mean(0) if kind == "mean" else row.max(0) for row in flattened])


def assert_rows(actual, expected):
    """Assert that the outputs of all unmasked steps are as expected; padded steps are ignored."""
    for actual_row, expected_row in zip(np.asarray(actual), expected, strict=True):
        np.testing.assert_allclose(
            actual_row[tuple(map(slice, expected_row.shape))], expected_row, rtol=1e-5, atol=1e-5
        )
