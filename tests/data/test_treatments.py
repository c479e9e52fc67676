import json

import numpy as np
import pytest

from tfkit.data.treatments import SCALES, learn_numbers, learn_words, thin

NAN = np.nan
VALUES = np.array([1, 2, 3, 4, 10, NAN], "float32")


@pytest.mark.parametrize(
    ("scale", "center", "spread"),
    [
        ("robust", 3, 2),
        ("standard", 4, np.std([1, 2, 3, 4, 10])),
        ("zero_one", 1, 9),
        ("minus_one_one", 5.5, 4.5),
        ("quantile", 0, 1),
    ],
)
def test_centre_and_spread(scale, center, spread):
    learnt, said = learn_numbers(VALUES, scale=scale)
    assert (learnt["center"], learnt["spread"], learnt["fill"]) == (center, spread, 3)
    assert learnt["missing"]
    assert said == ["1 to 10, 5 values", "1 missing: 3 and a flag"]


def test_half_of_equal_values_leave_the_robust_scale_half_the_range():
    assert learn_numbers(np.array([0.0] * 9 + [10.0]))[0]["spread"] == 5


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "values",
    [
        [5.0],
        [5.0, NAN],
        [NAN, NAN],
        [1e37, -1e37],
        [1e-40, 2e-40],
        [1.0, 1.0 + 1e-7],
        list(range(1000)),
        [0.0] * 500 + [1, 2],
    ],
    ids=str,
)
def test_whatever_is_learnt_is_finite_and_ascends(scale, values):
    learnt, _ = learn_numbers(np.array(values, "float32"), scale=scale, bins=16)
    json.dumps(learnt, allow_nan=False)
    assert np.float32(learnt["spread"]) > 0
    assert np.isfinite(np.float32(1 / learnt["spread"]))
    for name in ("edges", "quantiles", "shares") if scale == "quantile" else ("edges",):
        assert 2 <= len(learnt[name]) <= 18
        assert (np.diff(np.array(learnt[name], "float32")) > 0).all(), name


def test_few_values_are_edges_and_many_give_quantiles():
    few, _ = learn_numbers(np.repeat(np.arange(17.0), 3), scale="standard", bins=16)
    np.testing.assert_allclose(np.array(few["edges"]) * few["spread"] + few["center"], np.arange(17), atol=1e-5)
    values = np.random.default_rng(0).normal(size=1000)
    many, _ = learn_numbers(values, scale="standard", bins=16)
    expected = (np.quantile(values, np.linspace(0, 1, 17)) - values.mean()) / values.std()
    np.testing.assert_allclose(many["edges"], expected, rtol=1e-5)


def test_edges_that_ties_would_waste_go_to_the_other_values():
    values = np.concatenate([np.zeros(9000), np.arange(1.0, 1001)])
    learnt, _ = learn_numbers(values, scale="zero_one", bins=16)
    assert len(learnt["edges"]) > 14, "plain quantiles would give two"


def test_the_quantile_scale_is_the_share_of_values_below():
    values = np.random.default_rng(0).exponential(size=10_000)
    learnt, _ = learn_numbers(values, scale="quantile")
    shares = np.interp([0.5, 1, 2], learnt["quantiles"], learnt["shares"])
    np.testing.assert_allclose(shares, 1 - np.exp([-0.5, -1, -2]), atol=0.02)


def test_the_vocabulary_leaves_rare_words_out():
    learnt, said = learn_words(np.array(["b", "a", "b", "a", "c", "", "d", ""], object))
    assert learnt == {"dtype": "string", "vocabulary": ["a", "b"]}
    assert said == ["2 words", "2 rare words become one", "2 missing: a word of its own"]
    assert learn_words(np.array(["a", "b"], object))[0]["vocabulary"] == []
    assert learn_words(np.array([], object)) == ({"dtype": "string", "vocabulary": []}, ["0 words"])


def test_thin_keeps_both_ends():
    assert thin([1.0, 2.0], 5) == [1.0, 2.0]
    assert thin(list(range(100)), 4) == [0, 33, 66, 99]
