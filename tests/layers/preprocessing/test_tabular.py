import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer

from tfkit.layers import Imputer, MissingIndicator, QuantileTransform, SmoothClip

RANDOM = np.random.default_rng(0)
VALUES_WITH_GAPS = np.array([[1.0, np.nan, np.inf], [-np.inf, 5.0, np.nan], [0.0, -2.0, 3e38]], "float32")


# Impute, MissingIndicator, Clip


def test_impute_replaces_values_that_are_not_finite():
    expected = np.where(np.isfinite(VALUES_WITH_GAPS), VALUES_WITH_GAPS, np.array([7.0, 8.0, 9.0], "float32"))
    np.testing.assert_array_equal(Imputer([7.0, 8.0, 9.0])(VALUES_WITH_GAPS), expected)


def test_impute_works_on_the_last_axis():
    x = np.full((2, 4, 3), np.nan, "float32")
    np.testing.assert_array_equal(Imputer([7.0, 8.0, 9.0])(x), np.broadcast_to([7.0, 8.0, 9.0], (2, 4, 3)))


def test_missing_indicator_selects_columns_in_order():
    outputs = MissingIndicator([2, 0])(VALUES_WITH_GAPS)
    np.testing.assert_array_equal(outputs, [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert outputs.dtype == "float32"


@pytest.mark.parametrize("bound", [0.5, 3.0])
def test_clip_matches_its_formula(bound):
    x = (RANDOM.normal(size=(50, 4)) * [0.01, 1.0, 100.0, 1e6]).astype("float32")
    expected = x / np.sqrt(1 + (x.astype("float64") / bound) ** 2)
    np.testing.assert_allclose(SmoothClip(bound)(x), expected, rtol=1e-5, atol=1e-6)


def test_clip_is_monotonic_and_bounded():
    x = np.sort(RANDOM.normal(size=1000) * 5).astype("float32")
    y = np.asarray(SmoothClip(3.0)(x))
    assert (np.diff(y) >= 0).all()
    assert np.abs(y).max() < 3


@pytest.mark.parametrize(("dtype", "extreme"), [("float32", 1e20), ("mixed_float16", 1000.0)])
def test_clip_limits_extreme_values(dtype, extreme):
    np.testing.assert_allclose(
        SmoothClip(3.0, dtype=dtype)(np.array([extreme, -extreme], "float32")), [3.0, -3.0], rtol=1e-2
    )


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_clip_invalid_bound_raises(bound):
    with pytest.raises(ValueError, match=f"`bound` must be above 0. Received: {bound}"):
        SmoothClip(bound)


# QuantileTransform


def test_quantile_scale_is_piecewise_linear_and_constant_outside():
    quantiles, shares = [[0.0, 1.0, 10.0], [-5.0, 5.0]], [[0.0, 0.2, 1.0], [0.0, 1.0]]
    x = np.stack([np.linspace(-3, 13, 41), np.linspace(-8, 8, 41)], 1).astype("float32")
    expected = [2 * np.interp(x[:, index], quantiles[index], shares[index]) - 1 for index in range(2)]
    np.testing.assert_allclose(QuantileTransform(quantiles, shares)(x), np.stack(expected, 1), rtol=1e-5, atol=1e-5)


def test_quantile_scale_matches_scikit_learn():
    train, x = RANDOM.gamma(1.0, size=(500, 3)), RANDOM.gamma(1.5, size=(200, 3))
    reference = QuantileTransformer(n_quantiles=40).fit(train)
    layer = QuantileTransform(reference.quantiles_.T.tolist(), [reference.references_.tolist()] * 3)
    np.testing.assert_allclose(layer(x), 2 * reference.transform(x) - 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("quantiles", "shares", "lengths"),
    [
        ([[1.0]], [[0.0]], r"\[1.0\] and \[0.0\]"),
        ([[0.0, 1.0]], [[0.0, 0.5, 1.0]], r"\[0.0, 1.0\] and \[0.0, 0.5, 1.0\]"),
        ([[0.0, 1.0]], [[0.0, 1.0]] * 2, "None and"),
    ],
)
def test_quantile_scale_mismatched_lists_raise(quantiles, shares, lengths):
    with pytest.raises(ValueError, match=f"ascending values, with as many `shares`. Received: {lengths}"):
        QuantileTransform(quantiles, shares)


def test_quantile_scale_repeated_values_raise():
    with pytest.raises(ValueError, match="`quantiles`"):
        QuantileTransform([[0.0, 0.0, 1.0]], [[0.0, 0.5, 1.0]])
