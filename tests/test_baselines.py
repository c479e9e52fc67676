"""Baselines answer in the user's units and in the order of the classes, whatever the table lacks."""

import time
import warnings

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from tfkit import baselines
from tfkit.baselines import tables

ALL = (baselines.constant, baselines.linear, baselines.boosted_trees)


class Rows:
    """The least that a split is."""

    def __init__(self, y, weight=None, **x):
        self.x, self.y, self.weight = x, np.asarray(y), weight

    def __len__(self):
        return len(self.y)

    def take(self, numbers):
        x = {name: value[numbers] for name, value in self.x.items()}
        return x, self.y[numbers], None if self.weight is None else self.weight[numbers]


def classes(*labels, **more):
    task = "binary" if len(labels) == 2 else "multiclass"
    return {"task": task, "target": {"classes": list(labels), "positive": labels[0], "mean": 0.0, "scale": 1.0}} | more


def number(mean=0.0, scale=1.0, **more):
    return {"task": "regression", "target": {"classes": None, "positive": None, "mean": mean, "scale": scale}} | more


def table(rows, *, seed=0):
    """Numbers, of which the second is missing in a third of the rows, and categories of 4 and 300 codes."""
    rng = np.random.default_rng(seed)
    numbers, missing = rng.normal(size=(rows, 3)).astype("float32"), rng.random((rows, 1)) < 1 / 3
    numbers[missing[:, 0], 1] = 0
    codes = np.stack([rng.integers(0, 4, rows), rng.integers(0, 300, rows)], 1).astype("int32")
    signal = numbers[:, 0] + 2 * missing[:, 0] + (codes[:, 0] == 2) + 0.3 * rng.normal(size=rows)
    x = {"numbers": numbers, "missing": missing.astype("float32"), "categories": codes}
    return x, signal.astype("float32")


SHAPE = {"missing": [1], "sizes": [4, 300]}


def beside(x):
    """The matrix for boosting, written out: NaN where the flag is set, then the codes."""
    numbers = x["numbers"].copy()
    numbers[x["missing"][:, 0] > 0, 1] = np.nan
    return np.hstack([numbers, x["categories"]])


def test_constant_is_the_share_of_each_class():
    train, test = Rows([0, 2, 2, 2], weight=np.array([9.0, 1, 1, 1])), Rows([1, 1])
    assert baselines.constant(train, test, classes("a", "b", "c")).tolist() == [[0.25, 0, 0.75]] * 2


def test_constant_is_the_weighted_mean_in_the_users_units():
    train, test = Rows([0.0, 1.0], weight=np.array([1.0, 3.0])), Rows([0.0])
    assert baselines.constant(train, test, number(mean=100, scale=10)).tolist() == [107.5]


@pytest.mark.parametrize("weighted", [False, True])
def test_boosted_trees_are_scikit_learns_with_gaps_and_categories(weighted):
    (x, y), (asked, _) = table(600), table(50, seed=1)
    weight = np.random.default_rng(2).random(600) + 0.1 if weighted else None
    peer = {"random_state": 3, "categorical_features": [False, False, False, True, False]}
    found = baselines.boosted_trees(Rows(y, weight, **x), Rows(np.zeros(50), **asked), number(5, 2, **SHAPE), seed=3)
    wanted = HistGradientBoostingRegressor(**peer).fit(beside(x), y, sample_weight=weight).predict(beside(asked))
    assert found == pytest.approx(wanted * 2 + 5, abs=1e-9)
    code = (y > 1).astype(int)
    found = baselines.boosted_trees(
        Rows(code, weight, **x), Rows(np.zeros(50), **asked), classes("a", "b", **SHAPE), seed=3
    )
    wanted = (
        HistGradientBoostingClassifier(**peer).fit(beside(x), code, sample_weight=weight).predict_proba(beside(asked))
    )
    assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_is_scikit_learns_on_standardised_numbers_flags_and_one_hot_codes(sparse, weighted):
    (x, y), (asked, _) = table(600), table(50, seed=1)
    x["numbers"], asked["numbers"] = x["numbers"] * 7 + 3, asked["numbers"] * 7 + 3
    kept, sizes = ([0, 1], [4, 300]) if sparse else ([0], [4])
    x["categories"], asked["categories"] = x["categories"][:, kept], asked["categories"][:, kept]
    known = [np.unique(column) for column in x["categories"].T]
    assert (sum(map(len, known)) > 4 * (4 + len(known))) == sparse

    def written_out(part):
        hot = [column[:, None] == codes for column, codes in zip(part["categories"].T, known, strict=True)]
        numbers = (part["numbers"] - x["numbers"].mean(0, dtype=float)) / x["numbers"].std(0, dtype=float)
        return np.hstack([numbers, part["missing"], *hot])

    weight = np.random.default_rng(2).random(600) + 0.1 if weighted else None
    shape = {"missing": [1], "sizes": sizes}
    found = baselines.linear(Rows(y, weight, **x), Rows(np.zeros(50), **asked), number(5, 2, **shape))
    wanted = Ridge(solver="cholesky").fit(written_out(x), y, sample_weight=weight).predict(written_out(asked))
    assert found == pytest.approx(wanted * 2 + 5, abs=1e-2)
    code = (y > 1).astype(int)
    found = baselines.linear(Rows(code, weight, **x), Rows(np.zeros(50), **asked), classes("a", "b", **shape))
    peer = LogisticRegression(max_iter=200).fit(written_out(x), code, sample_weight=weight)
    assert found == pytest.approx(peer.predict_proba(written_out(asked)), abs=1e-3)


@pytest.mark.parametrize("baseline", ALL)
@pytest.mark.parametrize("parts", [(), ("numbers",), ("numbers", "missing"), ("categories",)])
def test_a_table_may_lack_parts(baseline, parts):
    x, y = table(200)
    x = {name: value for name, value in x.items() if name in parts}
    found = baseline(Rows(y, **x), Rows(y[:9], **{n: v[:9] for n, v in x.items()}), number(**SHAPE))
    assert found.shape == (9,)
    assert np.isfinite(found).all()
    found = baseline(Rows(y > 1, **x), Rows(y[:9], **{n: v[:9] for n, v in x.items()}), classes("a", "b", **SHAPE))
    assert found.sum(1) == pytest.approx(np.ones(9))


@pytest.mark.parametrize("baseline", ALL)
def test_classes_that_train_lacks_have_probability_zero(baseline):
    x, y = table(300)
    codes = np.where(y > 1, 3, 1)
    found = baseline(Rows(codes, **x), Rows(codes, **x), classes(*"abcde", **SHAPE))
    assert found.shape == (300, 5)
    assert not found[:, [0, 2, 4]].any()
    assert found.sum(1) == pytest.approx(np.ones(300))
    if baseline is not baselines.constant:
        assert (found.argmax(1) == codes).mean() > 0.8


@pytest.mark.parametrize("baseline", ALL)
def test_train_may_have_one_class_only(baseline):
    x, _ = table(50)
    found = baseline(Rows(np.ones(50), **x), Rows(np.ones(50), **x), classes("a", "b", **SHAPE))
    assert found.tolist() == [[0, 1]] * 50


def test_boosted_trees_take_a_class_of_one_row_among_many():
    """Above 10,000 rows scikit-learn holds a stratified part out, which a single row cannot be in twice."""
    x = {"numbers": np.random.default_rng(0).normal(size=(10_100, 1)).astype("float32")}
    codes = (x["numbers"][:, 0] > 0).astype(int)
    codes[0] = 2
    found = baselines.boosted_trees(Rows(codes, **x), Rows(codes[:5], numbers=x["numbers"][:5]), classes(*"abc"))
    assert (found.argmax(1)[1:] == codes[1:5]).all()


@pytest.mark.parametrize("baseline", ALL)
def test_codes_that_train_has_not_are_nothing_special(baseline):
    x, y = table(300)
    asked = x | {"categories": np.full((300, 2), 3, "int32")}
    x["categories"] = np.minimum(x["categories"], 2)
    assert np.isfinite(baseline(Rows(y, **x), Rows(y, **asked), number(**SHAPE))).all()


def test_linear_that_does_not_converge_is_quick_and_quiet():
    """As many rows, columns and codes as the census has; 1.2 s on two cores."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(32_000, 4)).astype("float32") ** 5
    codes = rng.integers(0, 10, (32_000, 10)).astype("int32")
    train = Rows((numbers[:, 0] + codes[:, 0] > 4).astype(int), numbers=numbers, categories=codes)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        baselines.linear(train, train, classes("a", "b", sizes=[10] * 10))
    assert time.perf_counter() - start < 15


def test_linear_says_nothing_where_it_stops_early(monkeypatch):
    x, y = table(2_000)
    rows, info = Rows(y > 1, **x), classes("a", "b", **SHAPE)
    monkeypatch.setattr(
        linear_model, "LogisticRegression", lambda max_iter: LogisticRegression(max_iter=max_iter // 50)
    )
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(max_iter=4).fit(beside(x)[:, [0, 2, 3, 4]], y > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (baselines.linear(rows, rows, info).argmax(1) == rows.y).mean() > 0.8


def test_the_same_seed_gives_the_same_trees():
    x, y = table(11_000)
    train, test = Rows(y, **x), Rows(y[:100], **{n: v[:100] for n, v in x.items()})
    first, again, other = (baselines.boosted_trees(train, test, number(**SHAPE), seed=seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("baseline", [baselines.linear, baselines.boosted_trees])
def test_of_very_many_rows_some_are_fitted_and_all_are_answered(baseline, monkeypatch, caplog):
    monkeypatch.setattr(tables, "MOST", 1000)
    monkeypatch.setattr(tables, "BLOCK", 100)
    numbers = np.random.default_rng(0).normal(size=(3000, 2)).astype("float32")
    rows = Rows((numbers[:, 0] > 0).astype("int32"), numbers=numbers)
    with caplog.at_level("INFO"):
        answer = baseline(rows, Rows(rows.y[:250], numbers=numbers[:250]), classes("no", "yes"))
    assert "Baselines are fitted on 500 of 3,000 training rows, drawn by chance" in caplog.text
    assert answer.shape == (250, 2)
    assert (answer.argmax(1) == rows.y[:250]).mean() > 0.95
