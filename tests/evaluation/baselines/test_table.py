"""Tests of the baselines of tables: agreement with scikit-learn, missing inputs, few classes, many rows."""

import time
import warnings

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.evaluation import baselines
from tfkit.evaluation.baselines import table as baselines_table
from tfkit.metadata import Target

ALL_BASELINES = (baselines.dummy, baselines.linear, baselines.gradient_boosting)


class Rows:
    """A minimal dataset."""

    def __init__(self, y, weight=None, **x):
        self.x, self.y, self.weight = x, np.asarray(y), weight

    def __len__(self):
        return len(self.y)

    def take(self, indices):
        x = {name: value[indices] for name, value in self.x.items()}
        return x, self.y[indices], None if self.weight is None else self.weight[indices]


def classes_metadata(*labels, **extra):
    target = Target(task="classification", classes=list(labels), positive_class=labels[0])
    return TabularMetadata(target=target, **extra)


def regression_metadata(mean=0.0, scale=1.0, **extra):
    return TabularMetadata(target=Target(mean=mean, scale=scale), **extra)


def table(rows, *, seed=0):
    """Three numbers, the second missing in a third of the rows, and categories with 4 and 300 codes."""
    rng = np.random.default_rng(seed)
    numbers, missing = rng.normal(size=(rows, 3)).astype("float32"), rng.random((rows, 1)) < 1 / 3
    numbers[missing[:, 0], 1] = 0
    codes = np.stack([rng.integers(0, 4, rows), rng.integers(0, 300, rows)], 1).astype("int32")
    signal = numbers[:, 0] + 2 * missing[:, 0] + (codes[:, 0] == 2) + 0.3 * rng.normal(size=rows)
    x = {"numbers": numbers, "missing": missing.astype("float32"), "categories": codes}
    return x, signal.astype("float32")


SHAPE = {"missing": [1], "sizes": [4, 300]}


def boosting_matrix(x):
    """Expected matrix for boosting: numbers with NaN if missing, then codes."""
    numbers = x["numbers"].copy()
    numbers[x["missing"][:, 0] > 0, 1] = np.nan
    return np.hstack([numbers, x["categories"]])


def test_dummy_predicts_class_frequencies():
    train, test = Rows([0, 2, 2, 2], weight=np.array([9.0, 1, 1, 1])), Rows([1, 1])
    assert baselines.dummy(train, test, classes_metadata("a", "b", "c")).tolist() == [[0.25, 0, 0.75]] * 2


def test_dummy_predicts_the_weighted_mean_in_units_of_the_user():
    train, test = Rows([0.0, 1.0], weight=np.array([1.0, 3.0])), Rows([0.0])
    assert baselines.dummy(train, test, regression_metadata(mean=100, scale=10)).tolist() == [107.5]


@pytest.mark.parametrize("weighted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_boosting_equals_scikit_learn_with_missing_values_and_categories(weighted):
    (x, y), (x_test, _) = table(600), table(50, seed=1)
    weight = np.random.default_rng(2).random(600) + 0.1 if weighted else None
    settings = {"random_state": 3, "categorical_features": [False, False, False, True, False]}
    y_pred = baselines.gradient_boosting(
        Rows(y, weight, **x), Rows(np.zeros(50), **x_test), regression_metadata(5, 2, **SHAPE), seed=3
    )
    expected = (
        HistGradientBoostingRegressor(**settings)
        .fit(boosting_matrix(x), y, sample_weight=weight)
        .predict(boosting_matrix(x_test))
    )
    assert y_pred == pytest.approx(expected * 2 + 5, abs=1e-9)
    code = (y > 1).astype(int)
    y_pred = baselines.gradient_boosting(
        Rows(code, weight, **x), Rows(np.zeros(50), **x_test), classes_metadata("a", "b", **SHAPE), seed=3
    )
    expected = (
        HistGradientBoostingClassifier(**settings)
        .fit(boosting_matrix(x), code, sample_weight=weight)
        .predict_proba(boosting_matrix(x_test))
    )
    assert y_pred == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_equals_scikit_learn_on_standardized_and_one_hot_columns(sparse, weighted):
    (x, y), (x_test, _) = table(600), table(50, seed=1)
    x["numbers"], x_test["numbers"] = x["numbers"] * 7 + 3, x_test["numbers"] * 7 + 3
    columns, sizes = ([0, 1], [4, 300]) if sparse else ([0], [4])
    x["categories"], x_test["categories"] = x["categories"][:, columns], x_test["categories"][:, columns]
    codes_of_columns = [np.unique(column) for column in x["categories"].T]
    assert (sum(map(len, codes_of_columns)) > 4 * (4 + len(codes_of_columns))) == sparse

    def design_matrix(inputs):
        pairs = zip(inputs["categories"].T, codes_of_columns, strict=True)
        one_hot = [column[:, None] == codes for column, codes in pairs]
        numbers = (inputs["numbers"] - x["numbers"].mean(0, dtype=float)) / x["numbers"].std(0, dtype=float)
        return np.hstack([numbers, inputs["missing"], *one_hot])

    weight = np.random.default_rng(2).random(600) + 0.1 if weighted else None
    shape = {"missing": [1], "sizes": sizes}
    y_pred = baselines.linear(Rows(y, weight, **x), Rows(np.zeros(50), **x_test), regression_metadata(5, 2, **shape))
    expected = Ridge(solver="cholesky").fit(design_matrix(x), y, sample_weight=weight).predict(design_matrix(x_test))
    assert y_pred == pytest.approx(expected * 2 + 5, abs=1e-2)
    code = (y > 1).astype(int)
    y_pred = baselines.linear(
        Rows(code, weight, **x), Rows(np.zeros(50), **x_test), classes_metadata("a", "b", **shape)
    )
    model = LogisticRegression(max_iter=200).fit(design_matrix(x), code, sample_weight=weight)
    assert y_pred == pytest.approx(model.predict_proba(design_matrix(x_test)), abs=1e-3)


@pytest.mark.parametrize("baseline", ALL_BASELINES)
@pytest.mark.parametrize("inputs", [(), ("numbers",), ("numbers", "missing"), ("categories",)])
def test_tables_without_some_kinds_of_columns(baseline, inputs):
    x, y = table(200)
    x = {name: value for name, value in x.items() if name in inputs}
    y_pred = baseline(Rows(y, **x), Rows(y[:9], **{n: v[:9] for n, v in x.items()}), regression_metadata(**SHAPE))
    assert y_pred.shape == (9,)
    assert np.isfinite(y_pred).all()
    y_pred = baseline(
        Rows(y > 1, **x), Rows(y[:9], **{n: v[:9] for n, v in x.items()}), classes_metadata("a", "b", **SHAPE)
    )
    assert y_pred.sum(1) == pytest.approx(np.ones(9))


@pytest.mark.parametrize("baseline", ALL_BASELINES)
def test_classes_without_training_rows_have_probability_zero(baseline):
    x, y = table(300)
    codes = np.where(y > 1, 3, 1)
    y_pred = baseline(Rows(codes, **x), Rows(codes, **x), classes_metadata(*"abcde", **SHAPE))
    assert y_pred.shape == (300, 5)
    assert not y_pred[:, [0, 2, 4]].any()
    assert y_pred.sum(1) == pytest.approx(np.ones(300))
    if baseline is not baselines.dummy:
        assert (y_pred.argmax(1) == codes).mean() > 0.8


@pytest.mark.parametrize("baseline", ALL_BASELINES)
def test_training_set_with_a_single_class(baseline):
    x, _ = table(50)
    y_pred = baseline(Rows(np.ones(50), **x), Rows(np.ones(50), **x), classes_metadata("a", "b", **SHAPE))
    assert y_pred.tolist() == [[0, 1]] * 50


def test_boosting_accepts_a_class_with_a_single_row():
    """Above 10,000 rows, the stratified holdout of scikit-learn does not accept a class with a single row."""
    x = {"numbers": np.random.default_rng(0).normal(size=(10_100, 1)).astype("float32")}
    codes = (x["numbers"][:, 0] > 0).astype(int)
    codes[0] = 2
    y_pred = baselines.gradient_boosting(
        Rows(codes, **x), Rows(codes[:5], numbers=x["numbers"][:5]), classes_metadata(*"abc")
    )
    assert (y_pred.argmax(1)[1:] == codes[1:5]).all()


@pytest.mark.parametrize("baseline", ALL_BASELINES)
def test_codes_without_training_rows(baseline):
    x, y = table(300)
    x_test = x | {"categories": np.full((300, 2), 3, "int32")}
    x["categories"] = np.minimum(x["categories"], 2)
    assert np.isfinite(baseline(Rows(y, **x), Rows(y, **x_test), regression_metadata(**SHAPE))).all()


def test_linear_stops_early_without_warnings():
    """As many rows, columns and codes as the census data; 1.2 s on two cores."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(32_000, 4)).astype("float32") ** 5
    codes = rng.integers(0, 10, (32_000, 10)).astype("int32")
    train = Rows((numbers[:, 0] + codes[:, 0] > 4).astype(int), numbers=numbers, categories=codes)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        baselines.linear(train, train, classes_metadata("a", "b", sizes=[10] * 10))
    assert time.perf_counter() - start < 15


def test_linear_hides_convergence_warnings(monkeypatch):
    x, y = table(2_000)
    rows, metadata = Rows(y > 1, **x), classes_metadata("a", "b", **SHAPE)
    monkeypatch.setattr(
        linear_model, "LogisticRegression", lambda max_iter: LogisticRegression(max_iter=max_iter // 50)
    )
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(max_iter=4).fit(boosting_matrix(x)[:, [0, 2, 3, 4]], y > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (baselines.linear(rows, rows, metadata).argmax(1) == rows.y).mean() > 0.8


def test_same_seed_gives_the_same_trees():
    x, y = table(11_000)
    train, test = Rows(y, **x), Rows(y[:100], **{n: v[:100] for n, v in x.items()})
    first, same_seed, other_seed = (
        baselines.gradient_boosting(train, test, regression_metadata(**SHAPE), seed=seed) for seed in (0, 0, 1)
    )
    assert (first == same_seed).all()
    assert (first != other_seed).any()


@pytest.mark.parametrize("baseline", [baselines.linear, baselines.gradient_boosting])
def test_very_many_rows_are_sampled_for_training_only(baseline, monkeypatch, caplog):
    monkeypatch.setattr(baselines_table, "MAX_TRAINING_CELLS", 1000)
    monkeypatch.setattr(baselines_table, "CHUNK_ROWS", 100)
    numbers = np.random.default_rng(0).normal(size=(3000, 2)).astype("float32")
    rows = Rows((numbers[:, 0] > 0).astype("int32"), numbers=numbers)
    with caplog.at_level("INFO"):
        y_pred = baseline(rows, Rows(rows.y[:250], numbers=numbers[:250]), classes_metadata("no", "yes"))
    assert "Baselines are fitted on a random sample of 500 of 3,000 training rows" in caplog.text
    assert y_pred.shape == (250, 2)
    assert (y_pred.argmax(1) == rows.y[:250]).mean() > 0.95
