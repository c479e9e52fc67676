import json

import numpy as np
import pytest

from tfkit.data.columns.categorical import fit_vocabulary
from tfkit.data.columns.numeric import SCALINGS, fit_numeric, subsample_evenly

NAN = np.nan
VALUES = np.array([1, 2, 3, 4, 10, NAN], "float32")


@pytest.mark.parametrize(
    ("scaling", "center", "divisor"),
    [
        ("robust", 3, 2),
        ("standard", 4, np.std([1, 2, 3, 4, 10])),
        ("minmax", 1, 9),
        ("minmax_symmetric", 5.5, 4.5),
        ("quantile", 0, 1),
    ],
)
def test_center_and_divisor(scaling, center, divisor):
    params, messages = fit_numeric(VALUES, scaling=scaling)
    assert (params["center"], params["scale"], params["fill"]) == (center, divisor, 3)
    assert params["missing"]
    assert messages == ["1 to 10, 5 distinct values", "1 missing: imputed with 3 and flagged"]


def test_robust_scale_without_interquartile_range_is_half_the_range():
    assert fit_numeric(np.array([0.0] * 9 + [10.0]))[0]["scale"] == 5


@pytest.mark.parametrize("scaling", SCALINGS)
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
def test_parameters_are_finite_and_ascending(scaling, values):
    params, _ = fit_numeric(np.array(values, "float32"), scaling=scaling, bins=16)
    json.dumps(params, allow_nan=False)
    assert np.float32(params["scale"]) > 0
    assert np.isfinite(np.float32(1 / params["scale"]))
    for name in ("edges", "quantiles", "shares") if scaling == "quantile" else ("edges",):
        assert 2 <= len(params[name]) <= 18
        assert (np.diff(np.array(params[name], "float32")) > 0).all(), name


def test_edges_are_all_values_if_few_and_quantiles_if_many():
    all_values, _ = fit_numeric(np.repeat(np.arange(17.0), 3), scaling="standard", bins=16)
    np.testing.assert_allclose(
        np.array(all_values["edges"]) * all_values["scale"] + all_values["center"], np.arange(17), atol=1e-5
    )
    values = np.random.default_rng(0).normal(size=1000)
    quantiles, _ = fit_numeric(values, scaling="standard", bins=16)
    expected = (np.quantile(values, np.linspace(0, 1, 17)) - values.mean()) / values.std()
    np.testing.assert_allclose(quantiles["edges"], expected, rtol=1e-5)


def test_bins_that_ties_leave_unused_go_to_other_values():
    values = np.concatenate([np.zeros(9000), np.arange(1.0, 1001)])
    params, _ = fit_numeric(values, scaling="minmax", bins=16)
    assert len(params["edges"]) > 14, "plain quantiles would give two"


def test_quantile_scale_is_the_share_of_smaller_values():
    values = np.random.default_rng(0).exponential(size=10_000)
    params, _ = fit_numeric(values, scaling="quantile")
    shares = np.interp([0.5, 1, 2], params["quantiles"], params["shares"])
    np.testing.assert_allclose(shares, 1 - np.exp([-0.5, -1, -2]), atol=0.02)


def test_vocabulary_excludes_rare_categories():
    params, messages = fit_vocabulary(np.array(["b", "a", "b", "a", "c", "", "d", ""], object))
    assert params == {"dtype": "string", "vocabulary": ["a", "b"]}
    assert messages == [
        "2 categories",
        "2 rare categories merged into one",
        "2 missing: encoded as a separate category",
    ]
    assert fit_vocabulary(np.array(["a", "b"], object))[0]["vocabulary"] == []
    assert fit_vocabulary(np.array([], object)) == ({"dtype": "string", "vocabulary": []}, ["0 categories"])


def test_thin_keeps_both_ends():
    assert subsample_evenly([1.0, 2.0], 5) == [1.0, 2.0]
    assert subsample_evenly(list(range(100)), 4) == [0, 33, 66, 99]
