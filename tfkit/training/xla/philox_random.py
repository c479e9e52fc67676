"""Random numbers under XLA, bit for bit those of TensorFlow's CPU kernels, in half their time.

XLA's own version of TensorFlow's random operations returns other numbers and takes up to a hundred times as long (15 ms
for 65,536). Philox (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405) computes four 32-bit words from a
counter and a key by ten rounds of multiplications: plain arithmetic, which XLA compiles well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ROUNDS = 10

MULTIPLIERS, KEY_INCREMENTS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)


@contextmanager
def replace_random_ops() -> Iterator[None]:
    """Trace functions for XLA with the random numbers of TensorFlow's CPU kernels.

    Replaces TensorFlow's stateless uniform operations of float32 and int32, which dropout needs. Others stay XLA's.
    """
    from tensorflow.python.ops import gen_stateless_random_ops_v2 as ops
    from tensorflow.python.ops import random_ops_util as seeds

    get_key_counter = seeds.get_key_counter_alg
    random_uniform, random_integers = ops.stateless_random_uniform_v2, ops.stateless_random_uniform_int_v2

    def get_philox_key_counter(seed: Any, alg: Any) -> Any:
        return get_key_counter(seed, "philox")

    def uniform(shape: Any, key: Any, counter: Any, alg: Any, dtype: Any = "float32", name: Any = None) -> Any:
        if dtype == "float32":
            return _uniform_floats(shape, key, counter)
        return random_uniform(shape, key, counter, alg, dtype, name)

    def integers(shape: Any, key: Any, counter: Any, alg: Any, minval: Any, maxval: Any, name: Any = None) -> Any:
        if minval.dtype == "int32":
            return _uniform_integers(shape, key, counter, minval, maxval)
        return random_integers(shape, key, counter, alg, minval, maxval, name)

    seeds.get_key_counter_alg = get_philox_key_counter
    ops.stateless_random_uniform_v2, ops.stateless_random_uniform_int_v2 = uniform, integers
    try:
        yield
    finally:
        seeds.get_key_counter_alg = get_key_counter
        ops.stateless_random_uniform_v2, ops.stateless_random_uniform_int_v2 = random_uniform, random_integers


def _uniform_floats(shape: Any, key: Any, counter: Any) -> Any:
    """Return floats in [0, 1).

    23 random bits are the fraction of a number in [1, 2), from which 1 is subtracted.
    """
    import tensorflow as tf

    fraction = tf.bitwise.bitwise_and(_random_bits(shape, key, counter), tf.constant(0x7FFFFF, "uint32"))
    return tf.bitcast(tf.bitwise.bitwise_or(fraction, tf.constant(127 << 23, "uint32")), "float32") - 1.0


def _uniform_integers(shape: Any, key: Any, counter: Any, minval: Any, maxval: Any) -> Any:
    """Return integers in [minval, maxval), as uniform as a remainder is."""
    import tensorflow as tf

    low, high = (tf.bitcast(bound, "uint32") for bound in (minval, maxval))
    return tf.bitcast(low + _random_bits(shape, key, counter) % (high - low), "int32")


def _random_bits(shape: Any, key: Any, counter: Any) -> Any:
    """Return random uint32 values: block i of four is Philox of the counter plus i."""
    import tensorflow as tf

    count = tf.reduce_prod(shape)
    block_index = tf.cast(tf.range((count + 3) // 4), "uint64")
    low = counter[0] + block_index
    high = counter[1] + tf.cast(low < block_index, "uint64")  # carry of the 128-bit addition
    state, keys = [*_split_uint64(low), *_split_uint64(high)], list(_split_uint64(key[0]))
    for _ in range(ROUNDS):
        (even_low, even_high), (odd_low, odd_high) = (
            _split_uint64(tf.cast(value, "uint64") * tf.constant(multiplier, "uint64"))
            for value, multiplier in zip(state[::2], MULTIPLIERS, strict=True)
        )
        mixed = [tf.bitwise.bitwise_xor(odd_high, state[1]), tf.bitwise.bitwise_xor(even_high, state[3])]
        first, second = (tf.bitwise.bitwise_xor(value, half) for value, half in zip(mixed, keys, strict=True))
        state = [first, odd_low, second, even_low]
        keys = [half + tf.constant(step, "uint32") for half, step in zip(keys, KEY_INCREMENTS, strict=True)]
    pairs = [_join_uint32(*state[:2]), _join_uint32(*state[2:])]  # stacking 64-bit values takes half the time
    return tf.reshape(tf.reshape(tf.bitcast(tf.stack(pairs, 1), "uint32"), (-1,))[:count], shape)


def _split_uint64(value: Any) -> tuple[Any, Any]:
    """Return the low and the high 32 bits."""
    import tensorflow as tf

    return tf.cast(value, "uint32"), tf.cast(tf.bitwise.right_shift(value, tf.constant(32, "uint64")), "uint32")


def _join_uint32(low: Any, high: Any) -> Any:
    """Return a uint64 of two uint32 halves."""
    import tensorflow as tf

    shifted = tf.bitwise.left_shift(tf.cast(high, "uint64"), tf.constant(32, "uint64"))
    return tf.bitwise.bitwise_or(tf.cast(low, "uint64"), shifted)
