"""Tests of the preprocessing of tables."""

import keras
import numpy as np
import pandas as pd
import pytest

from tfkit.data import tabular
from tfkit.data.tabular.preprocessing import MAX_SCALED_VALUE
from tfkit.datasets.batch_predict import predict

RANDOM = np.random.default_rng(0)
TRAIN = pd.DataFrame({"a": [1.0, 2, 3, 4, 10] * 4, "b": [5.0, np.nan, 7, 8, 9] * 4, "y": ["u", "v"] * 10})


def preprocess(train, rows, **options):
    metadata = tabular.fit_schema(train, tabular.infer_target(train["y"]), **options)
    return predict(tabular.make_preprocessor(metadata), tabular.read(rows, metadata))


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ("standard", lambda a: (a - 4) / np.std([1, 2, 3, 4, 10])),
        ("minmax", lambda a: (a - 1) / 9),
        ("minmax_symmetric", lambda a: (a - 5.5) / 4.5),
        ("robust", lambda a: (a - 3) / 2 / np.sqrt(1 + ((a - 3) / 6) ** 2)),
    ],
)
def test_numbers_are_scaled(scaling, expected):
    x = preprocess(TRAIN, TRAIN, scaling=scaling)
    np.testing.assert_allclose(x["numbers"][:, 0], expected(TRAIN["a"]), rtol=1e-5, atol=1e-6)


def test_quantile_scale_ranges_from_minus_one_to_one():
    train = pd.DataFrame({"a": np.random.default_rng(0).exponential(size=500), "y": ["u", "v"] * 250})
    x = preprocess(train, train, scaling="quantile")["numbers"][:, 0]
    np.testing.assert_allclose(x, 2 * (train["a"].rank() - 1) / 499 - 1, atol=0.02)


def test_missing_numbers_are_imputed_and_flagged():
    x = preprocess(TRAIN, pd.DataFrame({"a": [3.0, None], "b": [None, np.inf]}))
    assert x["missing"].tolist() == [[1], [1]], "only b was missing in training"
    np.testing.assert_allclose(x["numbers"], np.zeros((2, 2)), atol=1e-6)  # medians


def test_categories_are_encoded_as_integers():
    train = pd.DataFrame({"c": ["b", "a", "b", "a", "z"] * 2 + ["b"], "e": ["q", "q", "r", "r", None] * 2 + ["q"]})
    train.loc[0:9, "d"] = [f"only {number}" for number in range(10)]
    x = preprocess(
        train.assign(y=["u", "v"] * 5 + ["u"]),
        pd.DataFrame({"c": ["a", "b", "z", "new", None], "e": [None] * 5, "d": "x"}),
    )
    assert x["categories"][:, 0].tolist() == [2, 3, 4, 1, 0]
    assert x["categories"][:, 1].tolist() == [0] * 5
    assert x["categories"][:, 2].tolist() == [1] * 5, "a vocabulary may be empty"
    assert x["categories"].dtype == "int32"


def test_columns_with_equal_vocabularies_share_a_lookup_table():
    vocabularies = [list("abc" if number % 2 else "xy") for number in range(150)]
    frame = pd.DataFrame(
        {f"c{number}": RANDOM.choice(vocabulary, 50) for number, vocabulary in enumerate(vocabularies)}
    )
    frame["y"] = ["u", "v"] * 25
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"]))
    preprocessor = tabular.make_preprocessor(metadata)
    assert sum(isinstance(layer, keras.layers.StringLookup) for layer in preprocessor.layers) == 2
    codes = predict(preprocessor, tabular.read(frame, metadata))["categories"]
    for position, rule in enumerate(metadata.inputs.values()):
        categories = np.array(["", "?", *rule["vocabulary"]])[codes[:, position]]
        assert categories.tolist() == frame[f"c{position}"].tolist()


@pytest.mark.parametrize(
    "category", ["[UNK]", "[UNK]_", 'say "hi"', "a\nb", "a\tb", "a\u2028b", "🎉", "ünï", "\\n", "x" * 1000]
)
def test_any_text_is_a_category(category):
    train = pd.DataFrame({"c": [category, "other"] * 10, "y": ["u", "v", "v", "u"] * 5})
    codes = preprocess(train, train)["categories"][:, 0]
    assert set(codes[::2]) | set(codes[1::2]) == {2, 3}
    assert codes[0] != codes[1]


@pytest.mark.parametrize("scaling", ["robust", "standard", "minmax", "minmax_symmetric", "quantile"])
@pytest.mark.parametrize("unit", [1e-30, 1e-10, 1.0, 1e30])
def test_numbers_of_any_magnitude_stay_finite_and_distinct(scaling, unit):
    train = pd.DataFrame({"a": np.arange(20) * unit, "y": ["u", "v"] * 10})
    x = preprocess(train, pd.DataFrame({"a": [*train["a"], 1e37, -1e37, 1e300]}), scaling=scaling)["numbers"][:, 0]
    assert np.isfinite(x).all()
    assert (np.abs(x) <= MAX_SCALED_VALUE).all()
    assert (np.diff(x[:20]) > 0).all()
    assert x[20] >= x[19]
    assert x[21] <= x[0]


def test_close_values_far_from_zero_stay_distinct():
    train = pd.DataFrame({"a": 2.0**24 - np.arange(20), "y": ["u", "v"] * 10})
    assert len(np.unique(preprocess(train, train)["numbers"])) == 20
