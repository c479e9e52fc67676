"""What attention and transformers promise, written again in NumPy: float64, one row, one head, one query at a time."""

import numpy as np

from tests.layers.reference_conv import part


def linear(x, w):
    return x @ w["kernel"] + w["bias"]


def turn(row):
    """Rotary positions as they were defined: pairs of numbers as points of the complex plane, turned."""
    half = row.shape[-1] // 2
    points = row[:, :half] + 1j * row[:, half:]
    angles = np.array([[t * 10000 ** (-2 * i / (2 * half)) for i in range(half)] for t in range(len(row))])
    points = points * np.exp(1j * angles)
    return np.concatenate([points.real, points.imag], axis=-1)


def attend(query, key, value, num_heads, seen, rotary=False):
    """`(time, dim)` each; `seen[t, s]` is whether step t looks at step s."""
    heads = []
    for q, k, v in zip(*(np.split(x, num_heads, axis=-1) for x in (query, key, value)), strict=True):
        if rotary:
            q, k = turn(q), turn(k)
        out = np.zeros_like(q)
        for t in range(len(q)):
            near = np.flatnonzero(seen[t])
            scores = np.array([q[t] @ k[s] for s in near]) / np.sqrt(q.shape[-1])
            shares = np.exp(scores - scores.max(initial=-np.inf))
            for share, s in zip(shares, near, strict=True):
                out[t] += share / shares.sum() * v[s]
        heads.append(out)
    return np.concatenate(heads, axis=-1)


def looks(times, steps, mask=None, causal=False):
    """Which step looks at which."""
    seen = np.ones((times, steps), bool)
    if causal:
        seen = np.array([[s <= t for s in range(steps)] for t in range(times)])
    return seen if mask is None else seen & mask


def self_attention(row, w, num_heads, *, mask=None, causal=False, rotary=False):
    query, key, value = np.split(linear(row, part(w, "query_key_value")), 3, axis=-1)
    seen = looks(len(row), len(row), mask, causal)
    return linear(attend(query, key, value, num_heads, seen, rotary), part(w, "output"))


def cross_attention(row, memory, w, num_heads, *, mask=None):
    query = linear(row, part(w, "query"))
    key, value = np.split(linear(memory, part(w, "key_value")), 2, axis=-1)
    return linear(attend(query, key, value, num_heads, looks(len(row), len(memory), mask)), part(w, "output"))


def norm(row, kind):
    row = row - row.mean(-1, keepdims=True) if kind == "layer" else row
    return row / np.sqrt((row**2).mean(-1, keepdims=True) + 1e-5)


def block(row, w, num_heads, *, kind="layer", memory=None, memory_mask=None, factors=(1, 1, 1), **options):
    """What each branch adds is multiplied by a factor, as stochastic depth does."""
    row = row + factors[0] * self_attention(norm(row, kind), part(w, "attention"), num_heads, **options)
    if memory is not None:
        w_cross = part(w, "cross_attention")
        row = row + factors[1] * cross_attention(norm(row, kind), memory, w_cross, num_heads, mask=memory_mask)
    hidden = np.tanh(linear(norm(row, kind), part(w, "expand")))
    return row + factors[2] * linear(hidden, part(w, "contract"))


def stack(row, w, num_heads, depth, *, kind="layer", **options):
    for i in range(depth):
        row = block(row, part(w, f"block_{i}"), num_heads, kind=kind, **options)
    last = part(w, "norm")
    return norm(row, kind) * last.get("gamma", last.get("scale")) + last.get("beta", 0.0)
