"""NumPy reference of attention and transformers in float64, by row, head and query."""

import numpy as np

from tests.layers.reference_conv import sublayer_weights


def linear(x, w):
    return x @ w["kernel"] + w["bias"]


def rotate_by_position(row):
    """Apply rotary positions: pairs of numbers are points of the complex plane, rotated by their position."""
    half = row.shape[-1] // 2
    points = row[:, :half] + 1j * row[:, half:]
    angles = np.array(
        [[query_step * 10000 ** (-2 * index / (2 * half)) for index in range(half)] for query_step in range(len(row))]
    )
    points = points * np.exp(1j * angles)
    return np.concatenate([points.real, points.imag], axis=-1)


def attend(query, key, value, num_heads, visible, rotary=False):
    """Compute attention; `(time, dim)` each, `visible[t, s]` is whether step t attends to step s."""
    heads = []
    for q, k, v in zip(*(np.split(x, num_heads, axis=-1) for x in (query, key, value)), strict=True):
        if rotary:
            q, k = rotate_by_position(q), rotate_by_position(k)
        outputs = np.zeros_like(q)
        for query_step in range(len(q)):
            visible_steps = np.flatnonzero(visible[query_step])
            scores = np.array([q[query_step] @ k[key_step] for key_step in visible_steps]) / np.sqrt(q.shape[-1])
            exponentials = np.exp(scores - scores.max(initial=-np.inf))
            for exponential, key_step in zip(exponentials, visible_steps, strict=True):
                outputs[query_step] += exponential / exponentials.sum() * v[key_step]
        heads.append(outputs)
    return np.concatenate(heads, axis=-1)


def attention_mask(times, steps, mask=None, causal=False):
    """Return a matrix: whether each query step attends to each key step."""
    visible = np.ones((times, steps), bool)
    if causal:
        visible = np.array([[key_step <= query_step for key_step in range(steps)] for query_step in range(times)])
    return visible if mask is None else visible & mask


def self_attention(row, w, num_heads, *, mask=None, causal=False, rotary=False):
    query, key, value = np.split(linear(row, sublayer_weights(w, "query_key_value")), 3, axis=-1)
    visible = attention_mask(len(row), len(row), mask, causal)
    return linear(attend(query, key, value, num_heads, visible, rotary), sublayer_weights(w, "output"))


def cross_attention(row, memory, w, num_heads, *, mask=None):
    query = linear(row, sublayer_weights(w, "query"))
    key, value = np.split(linear(memory, sublayer_weights(w, "key_value")), 2, axis=-1)
    return linear(
        attend(query, key, value, num_heads, attention_mask(len(row), len(memory), mask)), sublayer_weights(w, "output")
    )


def norm(row, kind):
    row = row - row.mean(-1, keepdims=True) if kind == "layer" else row
    return row / np.sqrt((row**2).mean(-1, keepdims=True) + 1e-5)


def block(row, w, num_heads, *, kind="layer", memory=None, memory_mask=None, factors=(1, 1, 1), **options):
    """Compute a transformer block; each branch is multiplied by a factor, as in stochastic depth."""
    row = row + factors[0] * self_attention(norm(row, kind), sublayer_weights(w, "attention"), num_heads, **options)
    if memory is not None:
        w_cross = sublayer_weights(w, "cross_attention")
        row = row + factors[1] * cross_attention(norm(row, kind), memory, w_cross, num_heads, mask=memory_mask)
    hidden = np.tanh(linear(norm(row, kind), sublayer_weights(w, "expand")))
    return row + factors[2] * linear(hidden, sublayer_weights(w, "contract"))


def stack(row, w, num_heads, depth, *, kind="layer", **options):
    for index in range(depth):
        row = block(row, sublayer_weights(w, f"block_{index}"), num_heads, kind=kind, **options)
    norm_weights = sublayer_weights(w, "norm")
    return norm(row, kind) * norm_weights.get("gamma", norm_weights.get("scale")) + norm_weights.get("beta", 0.0)
