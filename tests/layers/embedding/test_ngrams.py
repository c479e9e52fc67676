"""N-gram codes and embeddings, compared with plain Python."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from tfkit.data.text import fit_ngram_vocabulary
from tfkit.layers import NgramEmbedding
from tfkit.layers.embedding.ngrams import ngram_codes

RANDOM = np.random.default_rng(0)
IDS = np.array([[5, 6, 5, 6, 7, 0, 0], [9, 0, 0, 0, 0, 0, 0], [0] * 7, [1, 2, 3, 4, 5, 6, 7]])


def code_of(run):
    """Return the code of one n-gram, with Python integers wrapped to signed 32 bits."""

    def cut(value):
        return (value + 2**31) % 2**32 - 2**31

    code = cut(len(run) * 0x61C88647)
    for token in run:
        code = cut((code ^ int(token)) * 16777619)
    code = cut((code ^ (code >> 15)) * 0x2C1B3C6D)
    return (code ^ (code >> 12)) % 2**20


def runs(row, sizes):
    """Return all n-grams of a row that contain no padding."""
    all_runs = [tuple(row[start : start + size]) for size in sizes for start in range(len(row) - size + 1)]
    return [run for run in all_runs if 0 not in run]


def embedding(sizes, dim=3, excluded=(), **options):
    """Build a layer with all n-grams of IDS except `excluded`, and return it with its vectors by code."""
    codes = sorted({code_of(run) for row in IDS for run in runs(row, sizes)} - {code_of(run) for run in excluded})
    layer = NgramEmbedding(codes, dim, sizes=sizes, **options)
    layer.build(IDS.shape)
    layer.table.assign(RANDOM.normal(size=(len(codes), dim)))
    return layer, dict(zip(codes, layer.table.numpy().astype("float64"), strict=True))


@pytest.mark.parametrize("sizes", [[1], [2], [1, 2], [3, 5]])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "int64"])
def test_output_is_the_scaled_sum_of_known_ngram_vectors(sizes, dtype):
    excluded = [(5, 6, 7)[: sizes[0]], (4, 5, 6, 7)[: sizes[-1]]]
    layer, vectors = embedding(sizes, excluded=excluded)
    expected = np.zeros((len(IDS), 3))
    for row_index, row in enumerate(IDS):
        codes = [code_of(run) for run in runs(row, sizes) if code_of(run) in vectors]
        for code in codes:
            expected[row_index] += vectors[code] / np.sqrt(len(codes))
    np.testing.assert_allclose(layer(IDS.astype(dtype)), expected, atol=1e-5)


def test_padding_does_not_change_the_result():
    layer, _ = embedding([1, 2, 3])
    longer = np.concatenate([IDS, np.zeros((4, 5), int)], axis=1)
    np.testing.assert_allclose(layer(longer), layer(IDS), atol=1e-6)


def test_output_depends_on_order_and_not_on_position():
    layer, _ = embedding([2])
    original, shifted, reversed_order = np.asarray(layer(np.array([[5, 6, 0, 0], [0, 0, 5, 6], [6, 5, 0, 0]])))
    np.testing.assert_array_equal(original, shifted)
    assert np.abs(original - reversed_order).max() > 0.01


def test_codes_are_uniformly_distributed():
    """The number of distinct codes of 160,000 n-grams is within 5 standard deviations of its expectation."""
    first_ids, second_ids = np.meshgrid(np.arange(1, 401), np.arange(1, 401))
    codes, valid = ngram_codes(np.stack([first_ids.ravel(), second_ids.ravel()], axis=1).astype("int32"), [2])
    used = len(np.unique(np.asarray(codes)[np.asarray(valid)]))
    expected = 2**20 * (1 - (1 - 2**-20) ** 160_000)
    assert abs(used - expected) < 5 * np.sqrt(160_000 * 160_000 / 2**21)


def test_short_ngrams_rarely_collide():
    ids = np.array(list(product(range(1, 13), repeat=3)), "int32")
    codes, valid = (np.asarray(tensor) for tensor in ngram_codes(ids, [1, 2, 3]))
    num_distinct = len(np.unique(codes[valid]))
    count = 12 + 12**2 + 12**3
    assert count - num_distinct <= 5 * max(1, count**2 / 2**21)


@pytest.mark.parametrize(("max_ngrams", "min_count"), [(100, 1), (100, 2), (5, 2), (100, 9)])
def test_frequent_ngrams_match_a_plain_count(max_ngrams, min_count):
    counts = Counter(code_of(run) for row in IDS for run in runs(row, [1, 2]))
    min_count = min(min_count, max(counts.values()))
    expected = sorted((-count, code) for code, count in counts.items() if count >= min_count)[:max_ngrams]
    codes = fit_ngram_vocabulary(IDS, sizes=[1, 2], max_ngrams=max_ngrams, min_count=min_count)
    assert codes == sorted(code for _, code in expected)


def test_zero_initialization_and_number_of_weights():
    layer = NgramEmbedding([3, 5, 8], 4)
    assert not np.asarray(layer(IDS)).any()
    assert layer.count_params() == 3 * 4


def test_dropout_drops_ngrams_in_training_only():
    layer = NgramEmbedding([code_of((1,))], 1, sizes=[1], dropout=0.25, initializer="ones")
    ids = np.ones((1, 10_000), "int32")
    assert float(layer(ids)[0, 0]) == pytest.approx(100, rel=1e-5)  # 10,000 / sqrt(10,000)
    num_kept = float(layer(ids, training=True)[0, 0]) * 0.75  # each remaining n-gram has weight 4 / 3
    assert num_kept == pytest.approx(75, abs=2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "`dim` must be at least 1.*dim=0"),
        ({"sizes": []}, "`sizes` must contain at least one length.*sizes=\\[\\]"),
        ({"sizes": [1, 0]}, "each at least 1. Received.*sizes=\\[1, 0\\]"),
        ({"dropout": 1.0}, "`dropout` must be in \\[0, 1\\). Received: 1.0"),
        ({"ngrams": []}, "`ngrams` must be distinct codes.*Received: 0 codes"),
        ({"ngrams": [3, 3]}, "`ngrams` must be distinct codes.*Received: 2 codes, 1 of them distinct"),
        ({"ngrams": [2**20]}, "distinct codes in .0, 1048576"),
        ({"ngrams": [-1]}, "distinct codes in .0, 1048576"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        NgramEmbedding(**{"ngrams": [3], **arguments})
