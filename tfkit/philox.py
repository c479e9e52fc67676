"""Random numbers that XLA draws as TensorFlow does elsewhere on a CPU, the same bits, in less than half the time.

What XLA itself makes of TensorFlow's random operations are other numbers, for which it takes up to a hundred times as
long (15 ms for 65,536). Philox (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405) turns a counter and a key
into four words by ten rounds of multiplications: arithmetic like any other, which XLA is good at.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ROUNDS = 10
MULTIPLIERS, WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)


@contextmanager
def drawn() -> Iterator[None]:
    """While inside, functions that are traced for XLA draw what TensorFlow's own kernels would.

    Of uniform numbers of 32 bits only: what dropout needs.
    """
    from tensorflow.python.ops import gen_stateless_random_ops_v2 as ops
    from tensorflow.python.ops import random_ops_util as seeds

    kept = seeds.get_key_counter_alg, ops.stateless_random_uniform_v2, ops.stateless_random_uniform_int_v2
    scrambled, floats, integers = kept

    def philox(seed: Any, alg: Any) -> Any:
        return scrambled(seed, "philox")

    def uniform(shape: Any, key: Any, counter: Any, alg: Any, dtype: Any = "float32", name: Any = None) -> Any:
        if dtype == "float32":
            return _floats(shape, key, counter)
        return floats(shape, key, counter, alg, dtype, name)

    def whole(shape: Any, key: Any, counter: Any, alg: Any, minval: Any, maxval: Any, name: Any = None) -> Any:
        if minval.dtype == "int32":
            return _integers(shape, key, counter, minval, maxval)
        return integers(shape, key, counter, alg, minval, maxval, name)

    seeds.get_key_counter_alg = philox
    ops.stateless_random_uniform_v2, ops.stateless_random_uniform_int_v2 = uniform, whole
    try:
        yield
    finally:
        seeds.get_key_counter_alg = scrambled
        ops.stateless_random_uniform_v2, ops.stateless_random_uniform_int_v2 = floats, integers


def _floats(shape: Any, key: Any, counter: Any) -> Any:
    """In [0, 1): 23 bits are the fraction of a number in [1, 2)."""
    import tensorflow as tf

    fraction = tf.bitwise.bitwise_and(_words(shape, key, counter), tf.constant(0x7FFFFF, "uint32"))
    return tf.bitcast(tf.bitwise.bitwise_or(fraction, tf.constant(127 << 23, "uint32")), "float32") - 1.0


def _integers(shape: Any, key: Any, counter: Any, minval: Any, maxval: Any) -> Any:
    """In [minval, maxval), as far as a remainder is uniform."""
    import tensorflow as tf

    first, end = (tf.bitcast(value, "uint32") for value in (minval, maxval))
    return tf.bitcast(first + _words(shape, key, counter) % (end - first), "int32")


def _words(shape: Any, key: Any, counter: Any) -> Any:
    """Random words of 32 bits: block i, four words, is what becomes of the counter plus i."""
    import tensorflow as tf

    count = tf.reduce_prod(shape)
    block = tf.cast(tf.range((count + 3) // 4), "uint64")
    low = counter[0] + block
    high = counter[1] + tf.cast(low < block, "uint64")  # what is carried
    words, keys = [*_halves(low), *_halves(high)], list(_halves(key[0]))
    for _ in range(ROUNDS):
        (even_low, even_high), (odd_low, odd_high) = (
            _halves(tf.cast(word, "uint64") * tf.constant(multiplier, "uint64"))
            for word, multiplier in zip(words[::2], MULTIPLIERS, strict=True)
        )
        mixed = [tf.bitwise.bitwise_xor(one, other) for one, other in ((odd_high, words[1]), (even_high, words[3]))]
        first, second = (tf.bitwise.bitwise_xor(word, part) for word, part in zip(mixed, keys, strict=True))
        words = [first, odd_low, second, even_low]
        keys = [part + tf.constant(step, "uint32") for part, step in zip(keys, WEYL, strict=True)]
    pairs = [_joined(*words[:2]), _joined(*words[2:])]  # words of 64 bits are laid side by side in half the time
    return tf.reshape(tf.reshape(tf.bitcast(tf.stack(pairs, 1), "uint32"), (-1,))[:count], shape)


def _halves(word: Any) -> tuple[Any, Any]:
    """The low and the high 32 bits."""
    import tensorflow as tf

    return tf.cast(word, "uint32"), tf.cast(tf.bitwise.right_shift(word, tf.constant(32, "uint64")), "uint32")


def _joined(low: Any, high: Any) -> Any:
    import tensorflow as tf

    shifted = tf.bitwise.left_shift(tf.cast(high, "uint64"), tf.constant(32, "uint64"))
    return tf.bitwise.bitwise_or(tf.cast(low, "uint64"), shifted)
