"""N-grams by arithmetic: against a count of them in plain Python."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from tfkit.data import frequent_ngrams
from tfkit.layers import NgramEmbedding
from tfkit.layers.ngrams import ngram_codes

RANDOM = np.random.default_rng(0)
IDS = np.array([[5, 6, 5, 6, 7, 0, 0], [9, 0, 0, 0, 0, 0, 0], [0] * 7, [1, 2, 3, 4, 5, 6, 7]])


def code_of(run):
    """The code of one n-gram, in integers of Python cut to 32 bits with a sign."""

    def cut(value):
        return (value + 2**31) % 2**32 - 2**31

    code = cut(len(run) * 0x61C88647)
    for one in run:
        code = cut((code ^ int(one)) * 16777619)
    code = cut((code ^ (code >> 15)) * 0x2C1B3C6D)
    return (code ^ (code >> 12)) % 2**20


def runs(row, sizes):
    """All n-grams of a row, those with padding left out."""
    found = [tuple(row[start : start + size]) for size in sizes for start in range(len(row) - size + 1)]
    return [run for run in found if 0 not in run]


def told(sizes, dim=3, left_out=(), **options):
    """A layer that is told all n-grams of IDS but a few, with a table at random, and its vectors by code."""
    codes = sorted({code_of(run) for row in IDS for run in runs(row, sizes)} - {code_of(run) for run in left_out})
    layer = NgramEmbedding(codes, dim, sizes=sizes, **options)
    layer.build(IDS.shape)
    layer.table.assign(RANDOM.normal(size=(len(codes), dim)))
    return layer, dict(zip(codes, layer.table.numpy().astype("float64"), strict=True))


@pytest.mark.parametrize("sizes", [[1], [2], [1, 2], [3, 5]])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "int64"])
def test_vectors_of_the_told_ngrams_over_the_root_of_their_number(sizes, dtype):
    left_out = [(5, 6, 7)[: sizes[0]], (4, 5, 6, 7)[: sizes[-1]]]
    layer, vectors = told(sizes, left_out=left_out)
    expected = np.zeros((len(IDS), 3))
    for number, row in enumerate(IDS):
        found = [code_of(run) for run in runs(row, sizes) if code_of(run) in vectors]
        for code in found:
            expected[number] += vectors[code] / np.sqrt(len(found))
    np.testing.assert_allclose(layer(IDS.astype(dtype)), expected, atol=1e-5)


def test_padding_changes_nothing():
    layer, _ = told([1, 2, 3])
    longer = np.concatenate([IDS, np.zeros((4, 5), int)], axis=1)
    np.testing.assert_allclose(layer(longer), layer(IDS), atol=1e-6)


def test_order_matters_and_place_does_not():
    layer, _ = told([2])
    one, moved, turned = np.asarray(layer(np.array([[5, 6, 0, 0], [0, 0, 5, 6], [6, 5, 0, 0]])))
    np.testing.assert_array_equal(one, moved)
    assert np.abs(one - turned).max() > 0.01


def test_codes_are_spread_evenly():
    """As many are alone as chance would have it: 160,000 runs among a million codes, to 5 deviations."""
    one, other = np.meshgrid(np.arange(1, 401), np.arange(1, 401))
    codes, there = ngram_codes(np.stack([one.ravel(), other.ravel()], axis=1).astype("int32"), [2])
    used = len(np.unique(np.asarray(codes)[np.asarray(there)]))
    expected = 2**20 * (1 - (1 - 2**-20) ** 160_000)
    assert abs(used - expected) < 5 * np.sqrt(160_000 * 160_000 / 2**21)


def test_runs_of_small_ids_and_of_all_lengths_differ():
    ids = np.array(list(product(range(1, 13), repeat=3)), "int32")
    codes, there = (np.asarray(part) for part in ngram_codes(ids, [1, 2, 3]))
    found = len(np.unique(codes[there]))
    count = 12 + 12**2 + 12**3
    assert count - found <= 5 * max(1, count**2 / 2**21)


@pytest.mark.parametrize(("most", "least"), [(100, 1), (100, 2), (5, 2), (100, 9)])
def test_frequent_ngrams_are_those_of_a_plain_count(most, least):
    counts = Counter(code_of(run) for row in IDS for run in runs(row, [1, 2]))
    least = min(least, max(counts.values()))
    expected = sorted((-count, code) for code, count in counts.items() if count >= least)[:most]
    found = frequent_ngrams(IDS, sizes=[1, 2], most=most, least=least)
    assert found == sorted(code for _, code in expected)


def test_an_embedding_begins_with_nothing_and_has_as_many_weights_as_the_docstring_says():
    layer = NgramEmbedding([3, 5, 8], 4)
    assert not np.asarray(layer(IDS)).any()
    assert layer.count_params() == 3 * 4


def test_a_share_of_the_ngrams_is_dropped_in_training_alone():
    layer = NgramEmbedding([code_of((1,))], 1, sizes=[1], dropout=0.25, initializer="ones")
    ids = np.ones((1, 10_000), "int32")
    assert float(layer(ids)[0, 0]) == pytest.approx(100, rel=1e-5)  # 10,000 / sqrt(10,000)
    kept = float(layer(ids, training=True)[0, 0]) * 0.75  # each kept one counts 4 / 3
    assert kept == pytest.approx(75, abs=2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "`dim` must be at least 1.*dim=0"),
        ({"sizes": []}, "`sizes` name one length or more.*sizes=\\[\\]"),
        ({"sizes": [1, 0]}, "each at least 1. Received.*sizes=\\[1, 0\\]"),
        ({"dropout": 1.0}, "`dropout` must be in \\[0, 1\\). Received: 1.0"),
        ({"ngrams": []}, "`ngrams` must be distinct codes.*Received: 0 codes"),
        ({"ngrams": [3, 3]}, "`ngrams` must be distinct codes.*Received: 2 codes, 1 of them distinct"),
        ({"ngrams": [2**20]}, "distinct codes in .0, 1048576"),
        ({"ngrams": [-1]}, "distinct codes in .0, 1048576"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NgramEmbedding(**{"ngrams": [3], **arguments})
