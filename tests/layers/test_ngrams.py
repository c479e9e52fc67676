"""N-grams by arithmetic: against a count of them in plain Python."""

import numpy as np
import pytest

from tfkit.layers import NgramEmbedding
from tfkit.layers.ngrams import hashes

RANDOM = np.random.default_rng(0)
IDS = np.array([[5, 6, 5, 6, 7, 0, 0], [9, 0, 0, 0, 0, 0, 0], [0] * 7, [1, 2, 3, 4, 5, 6, 7]])


def code_of(run, buckets):
    """The bucket of one n-gram, in integers of Python cut to 32 bits with a sign."""

    def cut(value):
        return (value + 2**31) % 2**32 - 2**31

    code = len(run)
    for one in run:
        code = cut((code ^ int(one)) * 16777619)
    code = cut((code ^ (code >> 15)) * 0x2C1B3C6D)
    return (code ^ (code >> 12)) % buckets


def runs(row, sizes):
    """All n-grams of a row, those with padding left out."""
    found = [tuple(row[start : start + size]) for size in sizes for start in range(len(row) - size + 1)]
    return [run for run in found if 0 not in run]


@pytest.mark.parametrize("sizes", [[1], [2], [1, 2], [3, 5], [8]])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "int64"])
def test_vectors_of_all_ngrams_over_the_root_of_their_number(sizes, dtype):
    layer = NgramEmbedding(50, 3, sizes=sizes)
    layer.build(IDS.shape)
    table = RANDOM.normal(size=(50, 3))
    layer.table.assign(table)
    expected = np.zeros((len(IDS), 3))
    for number, row in enumerate(IDS):
        found = runs(row, sizes)
        for run in found:
            expected[number] += table[code_of(run, 50)] / np.sqrt(len(found))
    np.testing.assert_allclose(layer(IDS.astype(dtype)), expected, atol=1e-5)


def test_padding_changes_nothing():
    layer = NgramEmbedding(50, 3, sizes=[1, 2, 3])
    layer.build(IDS.shape)
    layer.table.assign(RANDOM.normal(size=(50, 3)))
    longer = np.concatenate([IDS, np.zeros((4, 5), int)], axis=1)
    np.testing.assert_allclose(layer(longer), layer(IDS), atol=1e-6)


def test_order_matters_and_place_does_not():
    layer = NgramEmbedding(2**20, 2, sizes=[2])
    layer.build((1, 4))
    layer.table.assign(RANDOM.normal(size=(2**20, 2)))
    one, moved, turned = np.asarray(layer(np.array([[7, 8, 0, 0], [0, 0, 7, 8], [8, 7, 0, 0]])))
    np.testing.assert_array_equal(one, moved)
    assert np.abs(one - turned).max() > 0.01


def test_ngrams_are_spread_evenly_over_the_buckets():
    """As many are alone as chance would have it: 10,000 runs in 65,536 buckets, to 5 deviations."""
    ids = np.stack([np.repeat(np.arange(1, 101), 100), np.tile(np.arange(1, 101), 100)], axis=1).astype("int32")
    codes, there = hashes(ids, [2], 2**16)
    used = len(np.unique(np.asarray(codes)[np.asarray(there)]))
    expected = 2**16 * (1 - (1 - 2**-16) ** 10_000)
    assert abs(used - expected) < 5 * np.sqrt(10_000 * 10_000 / 2**17)


def test_ngrams_never_seen_say_nothing():
    assert not np.asarray(NgramEmbedding(50, 3)(IDS)).any()


def test_weights_are_as_many_as_the_docstring_says():
    layer = NgramEmbedding(50, 3)
    layer.build((None, None))
    assert layer.count_params() == 50 * 3


def test_a_share_of_the_ngrams_is_dropped_in_training_alone():
    layer = NgramEmbedding(50, 1, sizes=[1], dropout=0.25)
    layer.build((1, 10_000))
    layer.table.assign(np.ones((50, 1)))
    ids = np.ones((1, 10_000), "int32")
    assert float(layer(ids)[0, 0]) == pytest.approx(100, rel=1e-5)  # 10,000 / sqrt(10,000)
    kept = float(layer(ids, training=True)[0, 0]) * 0.75  # each kept one counts 4 / 3
    assert kept == pytest.approx(75, abs=2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"buckets": 0}, "`buckets` and `dim` must be at least 1.*Received: buckets=0"),
        ({"dim": 0}, "`buckets` and `dim` must be at least 1.*dim=0"),
        ({"sizes": []}, "`sizes` name one length or more.*sizes=\\[\\]"),
        ({"sizes": [1, 0]}, "each at least 1. Received.*sizes=\\[1, 0\\]"),
        ({"dropout": 1.0}, "`dropout` must be in \\[0, 1\\). Received: 1.0"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NgramEmbedding(**arguments)
