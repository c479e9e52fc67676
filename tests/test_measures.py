"""Measures agree with scikit-learn, with any weights, and are refused or left out where there is nothing to measure."""

import warnings

import numpy as np
import pytest
from sklearn import metrics

from tfkit.errors import NotFiniteError
from tfkit.scores import score

KINDS = ("precision", "recall", "f1")


def info_of(task, classes=()):
    positive = classes[0] if task == "binary" else None
    return {"task": task, "target": {"name": "y", "classes": list(classes), "positive": positive}}


def table(rows, classes, *, seed=0, present=None, never=None, digits=2):
    """Truth and probabilities with ties (rounded), rows of the `present` classes only, one class `never` predicted."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(np.arange(classes) if present is None else present, rows)
    chance = rng.random((rows, classes))
    chance[np.arange(rows), truth] += 0.6
    if never is not None:
        chance[:, never] *= 0.01
    chance = np.round(chance / chance.sum(1, keepdims=True), digits)
    chance[:, (never or 0) - 1] += 1 - chance.sum(1)
    return truth, np.clip(chance, 0, 1)


def reference_error(truth, answer, weight=None):
    """Guo et al. 2017, bin by bin."""
    weight = np.ones(len(truth)) if weight is None else weight
    top, right, total = answer.max(1), answer.argmax(1) == truth, 0.0
    for low in range(15):
        held = (top > low / 15) & (top <= (low + 1) / 15)
        if weight[held].sum():
            gap = np.average(right[held], weights=weight[held]) - np.average(top[held], weights=weight[held])
            total += abs(gap) * weight[held].sum()
    return total / weight.sum()


def reference(truth, answer, task, classes, weight=None):
    """The same by scikit-learn, with its warnings about undefined scores kept quiet."""
    guess, w = answer.argmax(1), {"sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {
            "accuracy": metrics.accuracy_score(truth, guess, **w),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, guess, **w),
            "log_loss": metrics.log_loss(truth, answer, labels=range(classes), **w),
            "expected_calibration_error": reference_error(truth, answer, weight),
        }
        for kind in KINDS:
            function = getattr(metrics, f"{kind}_score")
            for average in ("macro", "weighted"):
                found[f"{kind}_{average}"] = function(truth, guess, average=average, **w)
            binary = {"average": "binary", "pos_label": 0}
            found[kind] = function(truth, guess, **w, **(binary if task == "binary" else {"average": "macro"}))
        chosen = [0] if task == "binary" else np.unique(truth)
        found["roc_auc"] = np.mean([metrics.roc_auc_score(truth == c, answer[:, c], **w) for c in chosen])
        found["average_precision"] = np.mean(
            [metrics.average_precision_score(truth == c, answer[:, c], **w) for c in chosen]
        )
    return found


CASES = {
    "binary": ("binary", 2, {}),
    "binary without ties": ("binary", 2, {"digits": 15}),
    "binary, positive never predicted": ("binary", 2, {"never": 0}),
    "five classes": ("multiclass", 5, {}),
    "classes without rows": ("multiclass", 6, {"present": [0, 2, 5]}),
    "a class never predicted": ("multiclass", 4, {"never": 2}),
    "many classes": ("multiclass", 26, {"digits": 3}),
}


@pytest.mark.parametrize("weighted", ["plain", "weights", "counts"])
@pytest.mark.parametrize("case", CASES)
def test_classification_agrees_with_scikit_learn(case, weighted):
    task, classes, options = CASES[case]
    truth, answer = table(400, classes, **options)
    rng = np.random.default_rng(1)
    weight = {"plain": None, "weights": rng.random(400) + 0.1, "counts": rng.integers(1, 4, 400)}[weighted]
    found = score(truth, answer, info_of(task, range(classes)), weight=weight)
    wanted = reference(truth, answer, task, classes, weight)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("case", CASES)
def test_bootstrap_counts_are_the_rows_repeated(case):
    """A weight of zero is a row that was not drawn: classes that only it had are gone, too."""
    task, classes, options = CASES[case]
    truth, answer = table(30, classes, **options)
    counts = np.bincount(np.random.default_rng(3).integers(0, 30, 30), minlength=30)
    info = info_of(task, range(classes))
    drawn = score(np.repeat(truth, counts), np.repeat(answer, counts, axis=0), info)
    weighted = score(truth, answer, info, weight=counts)
    assert set(drawn) == set(weighted)
    for name, value in drawn.items():
        assert weighted[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("weighted", ["plain", "weights", "counts"])
@pytest.mark.parametrize("rows", [2, 101, 400])
def test_regression_agrees_with_scikit_learn(rows, weighted):
    rng = np.random.default_rng(rows)
    truth = np.round(rng.normal(1000, 10, rows), 1)
    answer = np.round(truth + rng.normal(0, 5, rows), 1)
    weight = {"plain": None, "weights": rng.random(rows) + 0.1, "counts": rng.integers(1, 4, rows)}[weighted]
    names = ("root_mean_squared_error", "mean_absolute_error", "r2", "median_absolute_error")
    functions = {n: getattr(metrics, n if n.endswith("error") else f"{n}_score") for n in names}
    found = score(truth, answer, info_of("regression"), weight=weight)
    assert list(found) == list(names)
    for name, function in functions.items():
        assert found[name] == pytest.approx(function(truth, answer, sample_weight=weight), abs=1e-9), name


def test_answers_in_float32_are_clipped_as_scikit_learn_clips_them():
    truth, answer = np.array([0, 1, 1]), np.array([[1, 0], [0.25, 0.75], [1, 0]], "float32")
    found = score(truth, answer, info_of("binary", ["a", "b"]))["log_loss"]
    assert found == pytest.approx(metrics.log_loss(truth, answer), abs=1e-5)


def test_calibration_error_of_a_closed_form():
    """Ten rows at 0.8 of which six are right, ten at 0.6 of which six are right: (0.2 * 10 + 0) / 20."""
    answer = np.array([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    truth = np.array(([0] * 6 + [1] * 4) * 2)
    found = score(truth, answer, info_of("binary", ["a", "b"]))
    assert found["expected_calibration_error"] == pytest.approx(0.1, abs=1e-12)


def test_undefined_is_left_out_and_nothing_is_ever_nan():
    _, answer = table(20, 2)
    info = info_of("binary", ["yes", "no"])
    only_negative = score(np.ones(20, int), answer, info)
    assert not {"roc_auc", "average_precision", "recall"} & set(only_negative)
    assert {"accuracy", "log_loss", "precision"} <= set(only_negative)
    never_there = score(np.ones(20, int), np.tile([0.0, 1.0], (20, 1)), info)
    assert not {"precision", "recall", "f1"} & set(never_there)
    assert "r2" not in score(np.full(9, 0.1), np.arange(9.0), info_of("regression"))
    assert score([], np.zeros((0, 2)), info) == {}
    enormous = score([1.0, 2.0], [1e300, 2.0], info_of("regression"))
    assert set(enormous) == {"mean_absolute_error", "median_absolute_error"}


def test_bad_answers_are_refused():
    with pytest.raises(ValueError, match=r"one answer .* Received: 2 rows, answers of shape \(2, 3\)"):
        score([0, 1], np.ones((2, 3)) / 3, info_of("binary", ["a", "b"]))
    with pytest.raises(NotFiniteError, match=r"must be finite .* Received: 1 of 2 rows"):
        score([0.0, 1.0], [np.nan, 1.0], info_of("regression"))


FORECAST = {
    "task": "forecast",
    "quantiles": [0.1, 0.5, 0.9],
    "series": {"names": ["a", "b"], "naive_error": [2.0, 0.5], "scale": [4.0, 1.0]},
}


def windows(values, series):
    truth = np.zeros(len(values), [("series", "int32"), ("values", "float64", (len(values[0]),))])
    truth["series"], truth["values"] = series, values
    return truth


@pytest.fixture
def foretold():
    """Forty windows of three steps of two series and of one that training did not have; some values are missing."""
    rng = np.random.default_rng(0)
    values = rng.normal(10, 3, (40, 3))
    values[::7, 1] = np.nan
    truth = windows(values, rng.choice([0, 1, -1], 40))
    return truth, np.sort(rng.normal(10, 3, (40, 3, 3)), axis=-1)


@pytest.mark.parametrize("weighted", [False, True])
def test_forecasts_are_scored_step_by_step_as_by_hand(foretold, weighted):
    truth, answer = foretold
    weight = np.random.default_rng(1).integers(0, 4, 40).astype(float) if weighted else np.ones(40)
    sums = dict.fromkeys(["absolute", "squared", "smape", "count", "mase", "mse", "mae", "known", "inside"], 0.0)
    for row in range(40):
        code = truth["series"][row]
        for step in range(3):
            y, (low, middle, high) = truth["values"][row, step], answer[row, step]
            if np.isnan(y):
                continue
            error = abs(y - middle)
            sums["count"] += weight[row]
            sums["absolute"] += weight[row] * error
            sums["squared"] += weight[row] * error**2
            sums["smape"] += weight[row] * 200 * error / (abs(y) + abs(middle))
            sums["inside"] += weight[row] * (low <= y <= high)
            if code >= 0:  # of a series that is not known there is no scale
                sums["known"] += weight[row]
                sums["mase"] += weight[row] * error / [2.0, 0.5][code]
                sums["mse"] += weight[row] * error**2 / [16.0, 1.0][code]
                sums["mae"] += weight[row] * error / [4.0, 1.0][code]
    expected = {
        "mean_absolute_error": sums["absolute"] / sums["count"],
        "root_mean_squared_error": np.sqrt(sums["squared"] / sums["count"]),
        "smape": sums["smape"] / sums["count"],
        "mase": sums["mase"] / sums["known"],
        "standardised_mean_squared_error": sums["mse"] / sums["known"],
        "standardised_mean_absolute_error": sums["mae"] / sums["known"],
        "coverage_80": sums["inside"] / sums["count"],
    }
    assert score(truth, answer, FORECAST, weight=weight) == pytest.approx(expected)


def test_a_point_forecast_has_no_bands_and_one_series_no_standard():
    info = {**FORECAST, "series": {"names": ["a"], "naive_error": [0.0], "scale": [4.0]}}
    found = score(windows([[1.0, 0.0]], [0]), np.array([[3.0, 0.0]]), info)
    assert found == {"mean_absolute_error": 1.0, "root_mean_squared_error": np.sqrt(2.0), "smape": 50.0}


@pytest.mark.parametrize("shape", [(40,), (40, 2), (40, 3, 2), (39, 3)])
def test_forecasts_that_do_not_fit_are_refused(foretold, shape):
    with pytest.raises(ValueError, match="Every row must have one answer"):
        score(foretold[0], np.zeros(shape), FORECAST)
    with pytest.raises(NotFiniteError, match="40 of 40 rows with NaN"):
        score(foretold[0], np.full((40, 3), np.nan), FORECAST)
