"""The bits are those of TensorFlow's own kernels, which XLA's are not."""

import numpy as np
import pytest
import tensorflow as tf

from tfkit import philox

SEEDS = [(0, 0), (5, 123456), (2**31 - 1, -(2**31))]


def by_xla(draw):
    with philox.drawn():
        return np.asarray(tf.function(draw, jit_compile=True, autograph=False)())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(1,), (63, 129), (4, 4), (0, 3)], ids=str)
def test_floats_are_those_of_the_kernel(seed, shape):
    found = by_xla(lambda: tf.random.stateless_uniform(shape, seed))
    np.testing.assert_array_equal(found, tf.random.stateless_uniform(shape, seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("low", "high"), [(-(2**31), 2**31 - 1), (0, 10), (-3, -2)])
def test_integers_are_those_of_the_kernel(seed, low, high):
    def draw():
        return tf.random.stateless_uniform((31,), seed, low, high, tf.int32)

    np.testing.assert_array_equal(by_xla(draw), draw())


@pytest.mark.parametrize("counter", [(2**64 - 2, 0), (2**64 - 2, 2**64 - 1), (2**32 - 2, 7)], ids=str)
def test_the_counter_carries_over_all_its_words(counter):
    key, counter = tf.constant([2**63 + 12345], "uint64"), tf.constant(counter, "uint64")
    expected = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=(23,), key=key, counter=counter, alg=1, dtype=tf.uint32)
    np.testing.assert_array_equal(philox._words(tf.constant([23]), key, counter), expected)


def test_dropout_masks_are_those_of_the_kernel():
    x = tf.ones((37, 11))

    def drop():
        return tf.nn.experimental.stateless_dropout(x, 0.3, seed=(4, 2))

    np.testing.assert_array_equal(by_xla(drop), drop())


def test_without_it_xla_draws_others():
    """The day this fails, `philox.py` has nothing left to do but to be fast."""
    drawn = tf.function(lambda: tf.random.stateless_uniform((8,), (4, 2)), jit_compile=True, autograph=False)()
    assert not np.array_equal(drawn, tf.random.stateless_uniform((8,), (4, 2)))


def test_other_kinds_are_left_to_xla():
    """They draw another sequence there; what matters is that they are of their kind."""
    normal = by_xla(lambda: tf.random.stateless_normal((4000,), (1, 2)))
    assert abs(normal.mean()) < 0.1
    assert abs(normal.std() - 1) < 0.1
    half = by_xla(lambda: tf.random.stateless_uniform((4000,), (1, 2), dtype=tf.float16))
    assert half.dtype == np.float16
    assert half.min() >= 0
    assert half.max() <= 1
    wide = by_xla(lambda: tf.random.stateless_uniform((4000,), (1, 2), 0, 2**40, tf.int64))
    assert wide.dtype == np.int64
    assert wide.max() > 2**39


def test_afterwards_tensorflow_draws_as_before():
    from tensorflow.python.ops import gen_stateless_random_ops_v2 as ops
    from tensorflow.python.ops import random_ops_util as seeds

    names = [
        (seeds, "get_key_counter_alg"),
        (ops, "stateless_random_uniform_v2"),
        (ops, "stateless_random_uniform_int_v2"),
    ]
    before = [getattr(module, name) for module, name in names]

    def fail():
        assert [getattr(module, name) for module, name in names] != before
        raise InterruptedError

    with pytest.raises(InterruptedError):
        philox.drawn()(fail)()
    assert [getattr(module, name) for module, name in names] == before
