"""Random numbers under XLA have the bits of TensorFlow's CPU kernels, which XLA's own do not."""

import numpy as np
import pytest
import tensorflow as tf

from tfkit.training.xla import philox_random

SEEDS = [(0, 0), (5, 123456), (2**31 - 1, -(2**31))]


def run_with_xla(sample):
    with philox_random.replace_random_ops():
        return np.asarray(tf.function(sample, jit_compile=True, autograph=False)())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(1,), (63, 129), (4, 4), (0, 3)], ids=str)
def test_floats_equal_those_of_the_cpu_kernel(seed, shape):
    result = run_with_xla(lambda: tf.random.stateless_uniform(shape, seed))
    np.testing.assert_array_equal(result, tf.random.stateless_uniform(shape, seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("low", "high"), [(-(2**31), 2**31 - 1), (0, 10), (-3, -2)])
def test_integers_equal_those_of_the_cpu_kernel(seed, low, high):
    def sample():
        return tf.random.stateless_uniform((31,), seed, low, high, tf.int32)

    np.testing.assert_array_equal(run_with_xla(sample), sample())


@pytest.mark.parametrize("counter", [(2**64 - 2, 0), (2**64 - 2, 2**64 - 1), (2**32 - 2, 7)], ids=str)
def test_the_counter_carries_into_its_high_bits(counter):
    key, counter = tf.constant([2**63 + 12345], "uint64"), tf.constant(counter, "uint64")
    expected = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=(23,), key=key, counter=counter, alg=1, dtype=tf.uint32)
    np.testing.assert_array_equal(philox_random._random_bits(tf.constant([23]), key, counter), expected)


def test_dropout_masks_equal_those_of_the_cpu_kernel():
    x = tf.ones((37, 11))

    def drop():
        return tf.nn.experimental.stateless_dropout(x, 0.3, seed=(4, 2))

    np.testing.assert_array_equal(run_with_xla(drop), drop())


def test_unpatched_xla_returns_other_numbers():
    """If this fails, the only remaining use of `philox.py` is its speed."""
    result = tf.function(lambda: tf.random.stateless_uniform((8,), (4, 2)), jit_compile=True, autograph=False)()
    assert not np.array_equal(result, tf.random.stateless_uniform((8,), (4, 2)))


def test_other_distributions_are_left_to_xla():
    """Their numbers differ from the CPU kernels; their distribution is right."""
    normal = run_with_xla(lambda: tf.random.stateless_normal((4000,), (1, 2)))
    assert abs(normal.mean()) < 0.1
    assert abs(normal.std() - 1) < 0.1
    half = run_with_xla(lambda: tf.random.stateless_uniform((4000,), (1, 2), dtype=tf.float16))
    assert half.dtype == np.float16
    assert half.min() >= 0
    assert half.max() <= 1
    wide = run_with_xla(lambda: tf.random.stateless_uniform((4000,), (1, 2), 0, 2**40, tf.int64))
    assert wide.dtype == np.int64
    assert wide.max() > 2**39


def test_tensorflow_is_restored_after_an_error():
    from tensorflow.python.ops import gen_stateless_random_ops_v2 as ops
    from tensorflow.python.ops import random_ops_util as seeds

    names = [
        (seeds, "get_key_counter_alg"),
        (ops, "stateless_random_uniform_v2"),
        (ops, "stateless_random_uniform_int_v2"),
    ]
    originals = [getattr(module, name) for module, name in names]

    def fail():
        assert [getattr(module, name) for module, name in names] != originals
        raise InterruptedError

    with pytest.raises(InterruptedError):
        philox_random.replace_random_ops()(fail)()
    assert [getattr(module, name) for module, name in names] == originals
