"""Tests of metrics: agreement with scikit-learn for any weights, undefined metrics, invalid predictions."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import metrics

from tfkit.errors import NotFiniteError
from tfkit.evaluation.scoring import compute_metrics
from tfkit.metadata import Metadata, Target

KINDS = ("precision", "recall", "f1")


def classes_metadata(classes):
    """Metadata of a classification; the first of two classes is positive."""
    names = list(map(str, classes))
    positive_class = names[0] if len(names) == 2 else None
    return Metadata(target=Target(task="classification", classes=names, positive_class=positive_class))


REGRESSION = Metadata()


def table(rows, classes, *, seed=0, present=None, never=None, digits=2):
    """Targets of the `present` classes, and rounded probabilities with ties; the class `never` is not predicted."""
    rng = np.random.default_rng(seed)
    y_true = rng.choice(np.arange(classes) if present is None else present, rows)
    y_prob = rng.random((rows, classes))
    y_prob[np.arange(rows), y_true] += 0.6
    if never is not None:
        y_prob[:, never] *= 0.01
    y_prob = np.round(y_prob / y_prob.sum(1, keepdims=True), digits)
    y_prob[:, (never or 0) - 1] += 1 - y_prob.sum(1)
    return y_true, np.clip(y_prob, 0, 1)


def reference_error(y_true, y_pred, weight=None):
    """Expected calibration error of Guo et al. 2017, bin by bin."""
    weight = np.ones(len(y_true)) if weight is None else weight
    confidence, correct, total = y_pred.max(1), y_pred.argmax(1) == y_true, 0.0
    for low in range(15):
        in_bin = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if weight[in_bin].sum():
            accuracy = np.average(correct[in_bin], weights=weight[in_bin])
            gap = accuracy - np.average(confidence[in_bin], weights=weight[in_bin])
            total += abs(gap) * weight[in_bin].sum()
    return total / weight.sum()


def reference(y_true, y_pred, classes, weight=None):
    """The metrics by scikit-learn, without its warnings about undefined metrics."""
    predicted, w = y_pred.argmax(1), {"sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = {
            "accuracy": metrics.accuracy_score(y_true, predicted, **w),
            "balanced_accuracy": metrics.balanced_accuracy_score(y_true, predicted, **w),
            "log_loss": metrics.log_loss(y_true, y_pred, labels=range(classes), **w),
            "expected_calibration_error": reference_error(y_true, y_pred, weight),
        }
        for kind in KINDS:
            function = getattr(metrics, f"{kind}_score")
            for average in ("macro", "weighted"):
                values[f"{kind}_{average}"] = function(y_true, predicted, average=average, **w)
            binary = {"average": "binary", "pos_label": 0}
            values[kind] = function(y_true, predicted, **w, **(binary if classes == 2 else {"average": "macro"}))
        codes = [0] if classes == 2 else np.unique(y_true)
        values["roc_auc"] = np.mean([metrics.roc_auc_score(y_true == c, y_pred[:, c], **w) for c in codes])
        values["average_precision"] = np.mean(
            [metrics.average_precision_score(y_true == c, y_pred[:, c], **w) for c in codes]
        )
    return values


CASES = {
    "binary": (2, {}),
    "binary without ties": (2, {"digits": 15}),
    "binary, positive never predicted": (2, {"never": 0}),
    "five classes": (5, {}),
    "classes without rows": (6, {"present": [0, 2, 5]}),
    "a class never predicted": (4, {"never": 2}),
    "many classes": (26, {"digits": 3}),
}


@pytest.mark.parametrize("weighted", ["unweighted", "weights", "counts"])
@pytest.mark.parametrize("case", CASES)
def test_classification_agrees_with_scikit_learn(case, weighted):
    classes, options = CASES[case]
    y_true, y_pred = table(400, classes, **options)
    rng = np.random.default_rng(1)
    weight = {"unweighted": None, "weights": rng.random(400) + 0.1, "counts": rng.integers(1, 4, 400)}[weighted]
    values = compute_metrics(y_true, y_pred, classes_metadata(range(classes)), weight=weight)
    expected = reference(y_true, y_pred, classes, weight)
    assert set(values) == set(expected)
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("case", CASES)
def test_integer_weights_equal_repeated_rows(case):
    """A row with weight 0 does not exist: classes with only such rows have no metrics."""
    classes, options = CASES[case]
    y_true, y_pred = table(30, classes, **options)
    counts = np.bincount(np.random.default_rng(3).integers(0, 30, 30), minlength=30)
    metadata = classes_metadata(range(classes))
    repeated = compute_metrics(np.repeat(y_true, counts), np.repeat(y_pred, counts, axis=0), metadata)
    weighted = compute_metrics(y_true, y_pred, metadata, weight=counts)
    assert set(repeated) == set(weighted)
    for name, value in repeated.items():
        assert weighted[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("weighted", ["unweighted", "weights", "counts"])
@pytest.mark.parametrize("rows", [2, 101, 400])
def test_regression_agrees_with_scikit_learn(rows, weighted):
    rng = np.random.default_rng(rows)
    y_true = np.round(rng.normal(1000, 10, rows), 1)
    y_pred = np.round(y_true + rng.normal(0, 5, rows), 1)
    weight = {"unweighted": None, "weights": rng.random(rows) + 0.1, "counts": rng.integers(1, 4, rows)}[weighted]
    names = ("root_mean_squared_error", "mean_absolute_error", "r2", "median_absolute_error")
    functions = {n: getattr(metrics, n if n.endswith("error") else f"{n}_score") for n in names}
    values = compute_metrics(y_true, y_pred, REGRESSION, weight=weight)
    assert list(values) == list(names)
    for name, function in functions.items():
        assert values[name] == pytest.approx(function(y_true, y_pred, sample_weight=weight), abs=1e-9), name


def test_float32_probabilities_are_clipped_as_in_scikit_learn():
    y_true, y_pred = np.array([0, 1, 1]), np.array([[1, 0], [0.25, 0.75], [1, 0]], "float32")
    log_loss = compute_metrics(y_true, y_pred, classes_metadata(["a", "b"]))["log_loss"]
    assert log_loss == pytest.approx(metrics.log_loss(y_true, y_pred), abs=1e-5)


def test_calibration_error_has_the_closed_form_value():
    """Ten rows at 0.8 with six correct, ten rows at 0.6 with six correct: (0.2 * 10 + 0) / 20."""
    y_pred = np.array([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    y_true = np.array(([0] * 6 + [1] * 4) * 2)
    values = compute_metrics(y_true, y_pred, classes_metadata(["a", "b"]))
    assert values["expected_calibration_error"] == pytest.approx(0.1, abs=1e-12)


def test_undefined_metrics_are_left_out():
    _, y_pred = table(20, 2)
    metadata = classes_metadata(["yes", "no"])
    only_negative = compute_metrics(np.ones(20, int), y_pred, metadata)
    assert not {"roc_auc", "average_precision", "recall"} & set(only_negative)
    assert {"accuracy", "log_loss", "precision"} <= set(only_negative)
    without_class = compute_metrics(np.ones(20, int), np.tile([0.0, 1.0], (20, 1)), metadata)
    assert not {"precision", "recall", "f1"} & set(without_class)
    assert "r2" not in compute_metrics(np.full(9, 0.1), np.arange(9.0), REGRESSION)
    assert compute_metrics([], np.zeros((0, 2)), metadata) == {}
    enormous = compute_metrics([1.0, 2.0], [1e300, 2.0], REGRESSION)
    assert set(enormous) == {"mean_absolute_error", "median_absolute_error"}


def test_invalid_predictions_raise():
    with pytest.raises(ValueError, match=r"one prediction .* Received: 2 rows, predictions of shape \(2, 3\)"):
        compute_metrics([0, 1], np.ones((2, 3)) / 3, classes_metadata(["a", "b"]))
    with pytest.raises(NotFiniteError, match=r"must be finite .* Received: 1 of 2 rows"):
        compute_metrics([0.0, 1.0], [np.nan, 1.0], REGRESSION)


def forecast_metadata(names, naive_error, scale):
    series = SimpleNamespace(names=names, naive_error=naive_error, scale=scale)
    return Metadata(target=Target(task="forecasting"), quantiles=[0.1, 0.5, 0.9], series=series)


FORECAST = forecast_metadata(["a", "b"], [2.0, 0.5], [4.0, 1.0])


def windows(values, series):
    y_true = np.zeros(len(values), [("series", "int32"), ("values", "float64", (len(values[0]),))])
    y_true["series"], y_true["values"] = series, values
    return y_true


@pytest.fixture
def forecast():
    """Forty windows of three steps, of two series and an unknown series, with missing values."""
    rng = np.random.default_rng(0)
    values = rng.normal(10, 3, (40, 3))
    values[::7, 1] = np.nan
    y_true = windows(values, rng.choice([0, 1, -1], 40))
    return y_true, np.sort(rng.normal(10, 3, (40, 3, 3)), axis=-1)


@pytest.mark.parametrize("weighted", [False, True])
def test_forecast_metrics_agree_with_a_plain_loop(forecast, weighted):
    y_true, y_pred = forecast
    weight = np.random.default_rng(1).integers(0, 4, 40).astype(float) if weighted else np.ones(40)
    sums = dict.fromkeys(["absolute", "squared", "smape", "count", "mase", "mse", "mae", "scaled_count", "inside"], 0.0)
    for row in range(40):
        code = y_true["series"][row]
        for step in range(3):
            y, (low, middle, high) = y_true["values"][row, step], y_pred[row, step]
            if np.isnan(y):
                continue
            error = abs(y - middle)
            sums["count"] += weight[row]
            sums["absolute"] += weight[row] * error
            sums["squared"] += weight[row] * error**2
            sums["smape"] += weight[row] * 200 * error / (abs(y) + abs(middle))
            sums["inside"] += weight[row] * (low <= y <= high)
            if code >= 0:  # an unknown series has no scale
                sums["scaled_count"] += weight[row]
                sums["mase"] += weight[row] * error / [2.0, 0.5][code]
                sums["mse"] += weight[row] * error**2 / [16.0, 1.0][code]
                sums["mae"] += weight[row] * error / [4.0, 1.0][code]
    expected = {
        "mean_absolute_error": sums["absolute"] / sums["count"],
        "root_mean_squared_error": np.sqrt(sums["squared"] / sums["count"]),
        "smape": sums["smape"] / sums["count"],
        "mase": sums["mase"] / sums["scaled_count"],
        "standardized_mean_squared_error": sums["mse"] / sums["scaled_count"],
        "standardized_mean_absolute_error": sums["mae"] / sums["scaled_count"],
        "coverage_80": sums["inside"] / sums["count"],
    }
    assert compute_metrics(y_true, y_pred, FORECAST, weight=weight) == pytest.approx(expected)


def test_point_forecast_of_one_series_has_no_coverage_and_no_standardized_errors():
    metadata = forecast_metadata(["a"], [0.0], [4.0])
    values = compute_metrics(windows([[1.0, 0.0]], [0]), np.array([[3.0, 0.0]]), metadata)
    assert values == {"mean_absolute_error": 1.0, "root_mean_squared_error": np.sqrt(2.0), "smape": 50.0}


@pytest.mark.parametrize("shape", [(40,), (40, 2), (40, 3, 2), (39, 3)])
def test_invalid_forecasts_raise(forecast, shape):
    with pytest.raises(ValueError, match="Every row must have one prediction"):
        compute_metrics(forecast[0], np.zeros(shape), FORECAST)
    with pytest.raises(NotFiniteError, match="40 of 40 rows with NaN"):
        compute_metrics(forecast[0], np.full((40, 3), np.nan), FORECAST)
