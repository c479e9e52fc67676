"""What the convolutional layers promise, written again in NumPy: float64, one row at a time, each as long as it is."""

from itertools import product

import numpy as np

RANDOM = np.random.default_rng(0)


def built(layer, shape):
    """The layer with every weight, statistic and shift at a random value, so that none can be left out unseen."""
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
    """Weights by their path inside the layer, such as `first/conv/kernel`."""
    return {w.path.split("/", 1)[1]: w.numpy().astype("float64") for w in layer.weights if "seed" not in w.path}


def part(w, name):
    """The weights of one sub-layer."""
    return {path[len(name) + 1 :]: value for path, value in w.items() if path.startswith(name + "/")}


def series(lengths, dim, hidden=np.nan):
    """Rows of those lengths, and the same as one padded array with its mask; what is hidden is not a number."""
    rows = [RANDOM.normal(size=(length, dim)).astype("float32") for length in lengths]
    x = np.full((len(rows), max(lengths) + 2, dim), hidden, "float32")
    for i, row in enumerate(rows):
        x[i, : len(row)] = row
    mask = np.arange(x.shape[1]) < np.array(lengths)[:, None]
    return [row.astype("float64") for row in rows], x, mask


def convolve(row, kernel, strides=1, dilation=1, padding="same"):
    """Each output is the sum over all taps of the kernel, of one row without a batch axis."""
    rank, size = row.ndim - 1, kernel.shape[0]
    span = (size - 1) * dilation
    before = {"same": span // 2, "causal": span, "valid": 0}[padding]
    after = span - before if padding == "same" else 0
    row = np.pad(row, [(before, after)] * rank + [(0, 0)])
    steps = [range(0, n - span, strides) for n in row.shape[:-1]]
    out = np.zeros((*map(len, steps), kernel.shape[-1]))
    for place in product(*(range(len(s)) for s in steps)):
        for tap in product(range(size), repeat=rank):
            at = tuple(p * strides + t * dilation for p, t in zip(place, tap, strict=True))
            out[place] += row[at] @ kernel[tap]
    return out


def normalize(rows, w, training=False):
    """Batch normalization if there are moving statistics, layer normalization otherwise."""
    if "moving_mean" not in w:
        rows = [(r - r.mean(-1, keepdims=True)) / np.sqrt(r.var(-1, keepdims=True) + 1e-3) for r in rows]
        return [r * w["gamma"] + w["beta"] for r in rows]
    together = np.concatenate([r.reshape(-1, r.shape[-1]) for r in rows])
    mean, variance = (together.mean(0), together.var(0)) if training else (w["moving_mean"], w["moving_variance"])
    return [(r - mean) / np.sqrt(variance + 1e-3) * w["gamma"] + w["beta"] for r in rows]


def normalize_groups(rows, w, groups):
    """Group normalization: a mean and a variance for each row and each group of channels."""
    out = []
    for r in rows:
        parts = [(p - p.mean()) / np.sqrt(p.var() + 1e-3) for p in np.split(r, groups, axis=-1)]
        out.append(np.concatenate(parts, axis=-1) * w["gamma"] + w["beta"])
    return out


def conv_block(rows, w, *, training=False, activation=np.tanh, groups=None, **options):
    rows = [convolve(r, w["conv/kernel"], **options) + w.get("conv/bias", 0.0) for r in rows]
    if groups:
        rows = normalize_groups(rows, part(w, "norm"), groups)
    elif part(w, "norm"):
        rows = normalize(rows, part(w, "norm"), training)
    return [activation(r) for r in rows]


def linear(x):
    return x


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def excite(rows, w):
    out = []
    for r in rows:
        mean = r.reshape(-1, r.shape[-1]).mean(0)
        narrow = np.maximum(mean @ w["squeeze/kernel"] + w["squeeze/bias"], 0.0)
        out.append(r * sigmoid(narrow @ w["excite/kernel"] + w["excite/bias"]))
    return out


def residual_block(rows, w, *, strides=1, training=False, **options):
    first = conv_block(rows, part(w, "first"), strides=strides, training=training, **options)
    branch = conv_block(first, part(w, "second"), training=training, activation=linear, **options)
    if part(w, "excitation"):
        branch = excite(branch, part(w, "excitation"))
    shortcut = rows
    if part(w, "projection"):
        shortcut = conv_block(rows, part(w, "projection"), strides=strides, training=training, activation=linear)
    return [np.tanh(b + s) for b, s in zip(branch, shortcut, strict=True)]


def inception_block(rows, w, *, training=False):
    read = [convolve(r, w["narrow/kernel"]) for r in rows] if "narrow/kernel" in w else rows
    branches = [
        [convolve(r, w[f"conv_{i}/kernel"]) + w.get(f"conv_{i}/bias", 0.0) for r in read]
        for i in range(sum(path.endswith("kernel") for path in w if path.startswith("conv_")) - 1)
    ]
    padded = [np.pad(r, ((1, 1), (0, 0)), constant_values=-np.inf) for r in rows]
    highest = [np.maximum(np.maximum(p[:-2], p[1:-1]), p[2:]) for p in padded]
    branches.append([convolve(h, w["conv_highest/kernel"]) + w.get("conv_highest/bias", 0.0) for h in highest])
    rows = [np.concatenate(parts, axis=-1) for parts in zip(*branches, strict=True)]
    if part(w, "norm"):
        rows = normalize(rows, part(w, "norm"), training)
    return [np.tanh(r) for r in rows]


def pool(rows, kind):
    flat = [r.reshape(-1, r.shape[-1]) for r in rows]
    return np.stack([r.mean(0) if kind == "mean" else r.max(0) for r in flat])


def assert_rows(said, expected):
    """What is said of every true step is what was expected; what stands after it does not matter."""
    for s, e in zip(np.asarray(said), expected, strict=True):
        np.testing.assert_allclose(s[tuple(map(slice, e.shape))], e, rtol=1e-5, atol=1e-5)
