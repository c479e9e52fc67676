"""Tests of bootstrap intervals, paired differences, per-class metrics and the comparison with baselines."""

import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import metrics

from tfkit.errors import UserError
from tfkit.evaluation import bootstrap, comparison, scoring
from tfkit.metadata import Metadata, Target
from tfkit.tasks import primary_metric, resolve_metric


def classes_metadata(classes):
    """Metadata of a classification; the first of two classes is positive."""
    names = list(map(str, classes))
    positive_class = names[0] if len(names) == 2 else None
    return Metadata(target=Target(task="classification", classes=names, positive_class=positive_class))


REGRESSION = Metadata()
CUSTOM_TASK = Metadata(target=Target(task="custom"))


def table(rows, classes):
    """Targets, and probabilities of a model that is better than random."""
    rng = np.random.default_rng(0)
    y_true, y_prob = rng.integers(0, classes, rows), rng.random((rows, classes))
    y_prob[np.arange(rows), y_true] += 0.6
    return y_true, y_prob / y_prob.sum(1, keepdims=True)


def test_custom_task_has_no_scores():
    assert scoring.compute_metrics([1], [[2.0]], CUSTOM_TASK) == {}
    assert bootstrap.bootstrap_intervals([1], [[2.0]], CUSTOM_TASK) == {}
    assert scoring.per_class_metrics([1], [[2.0]], CUSTOM_TASK) == {}
    assert primary_metric(CUSTOM_TASK) == ("loss", "min")


def test_intervals_are_percentiles_of_the_scores_of_resampled_rows():
    """The same seed resamples the same rows, so a plain loop must give the same intervals."""
    y_true, y_pred = table(60, 3)
    metadata, rng = classes_metadata("abc"), np.random.default_rng(7)
    resampled = [rng.integers(0, 60, 60) for _ in range(80)]
    sample_scores = [scoring.compute_metrics(y_true[rows], y_pred[rows], metadata) for rows in resampled]
    intervals = bootstrap.bootstrap_intervals(y_true, y_pred, metadata, samples=80, seed=7, level=0.9)
    assert set(intervals) == set(scoring.compute_metrics(y_true, y_pred, metadata))
    for name, interval in intervals.items():
        assert interval == pytest.approx(
            np.percentile([values[name] for values in sample_scores], [5, 95]), abs=1e-9
        ), name


def test_intervals_have_nominal_coverage():
    """Accuracy 0.7: about 95% of the intervals of 200 test sets of 100 rows contain 0.7 (binomial: 0.87 to 0.99)."""
    rng, metadata, num_covered = np.random.default_rng(0), classes_metadata(["a", "b"]), 0
    for seed in range(200):
        y_true = (rng.random(100) < 0.7).astype(int)
        low, high = bootstrap.bootstrap_intervals(
            y_true, np.tile([0.4, 0.6], (100, 1)), metadata, samples=200, seed=seed
        )["accuracy"]
        num_covered += low <= 0.7 <= high
    assert 0.87 <= num_covered / 200 <= 0.99


def test_undefined_metric_has_no_interval():
    _, y_pred = table(20, 2)
    for y_true, defined in ((np.ones(20, int), False), (np.arange(20) % 2, True)):
        intervals = bootstrap.bootstrap_intervals(y_true, y_pred, classes_metadata(["yes", "no"]), samples=50)
        assert np.isfinite(list(intervals.values())).all()
        assert ("roc_auc" in intervals) == defined


def test_chunk_size_does_not_change_intervals(monkeypatch):
    y_true, y_pred = table(50, 4)
    metadata = classes_metadata("abcd")
    single_chunk = bootstrap.bootstrap_intervals(y_true, y_pred, metadata, samples=40)
    monkeypatch.setattr(bootstrap, "MAX_CHUNK_WEIGHTS", 150)
    small_chunks = bootstrap.bootstrap_intervals(y_true, y_pred, metadata, samples=40)
    assert list(small_chunks) == list(single_chunk)
    assert all(small_chunks[name] == pytest.approx(interval, abs=1e-12) for name, interval in single_chunk.items())


def test_large_test_sets_get_fewer_samples():
    assert bootstrap._num_samples(1000, 100_000, REGRESSION) == 1000
    assert bootstrap._num_samples(1000, 1_000_000, REGRESSION) == 200
    assert bootstrap._num_samples(1000, 100_000, classes_metadata(range(26))) == 100


@pytest.mark.parametrize(("rows", "classes"), [(16_281, 2), (4_000, 26)])
def test_thousand_samples_take_seconds(rows, classes):
    """It takes 0.9 s and 0.5 s on one core; a loop over scikit-learn takes minutes."""
    y_true, y_pred = table(rows, classes)
    start = time.process_time()  # independent of other processes
    bootstrap.bootstrap_intervals(y_true, y_pred, classes_metadata(range(classes)))
    assert time.process_time() - start < 6


def test_per_class_metrics_agree_with_scikit_learn():
    y_true, y_pred = table(300, 5)
    y_true[y_true == 2], y_pred[:, 1] = 0, 0  # "c" has no rows, "b" is never predicted
    per_class = scoring.per_class_metrics(y_true, y_pred, classes_metadata("abcde"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = metrics.precision_recall_fscore_support(y_true, y_pred.argmax(1), labels=range(5))
    for code, label in enumerate("abcde"):
        values = dict(zip(("precision", "recall", "f1", "support"), (column[code] for column in expected), strict=True))
        if label == "c":
            del values["recall"]
        assert per_class[label] == pytest.approx(values, abs=1e-12)


def test_difference_is_paired():
    """Two models have the same errors, one of them ten more: the interval is that of the ten rows."""
    y_true = np.zeros(400, int)
    a, b = np.tile([0.9, 0.1], (400, 1)), np.tile([0.9, 0.1], (400, 1))
    a[:200] = b[:210] = [0.1, 0.9]
    metadata = classes_metadata(["no", "yes"])
    low, high = bootstrap.paired_difference_interval(y_true, a, b, metadata, "accuracy")
    assert 0.005 < low < 10 / 400 < high < 0.05
    assert bootstrap.paired_difference_interval(y_true, b, a, metadata, "accuracy") == pytest.approx([-high, -low])
    assert bootstrap.paired_difference_interval(y_true, a, a, metadata, "accuracy") == [0, 0]
    assert bootstrap.paired_difference_interval(y_true, a, b, metadata, "roc_auc") is None
    assert bootstrap.paired_difference_interval(y_true, a, b, metadata, "no such score") is None


def predictions_with_error_rate(share, rows=1000):
    """Probabilities for targets of zeros with this error rate."""
    return np.where(np.arange(rows)[:, None] < share * rows, [[0.2, 0.8]], [[0.8, 0.2]])


def test_verdict_of_a_better_model():
    baselines = {"dummy": predictions_with_error_rate(0.4), "linear": predictions_with_error_rate(0.2)}
    verdict = comparison.summarize_comparison(
        np.zeros(1000, int), predictions_with_error_rate(0.1), baselines, classes_metadata("ab")
    )
    assert verdict.startswith(
        "The model is better than the best baseline, linear: accuracy 0.9 against 0.8 on the test set (n = 1,000). "
        "The difference is 0."
    )
    assert verdict.endswith(" (95% interval).")


def test_verdict_of_a_worse_model():
    baselines = {"dummy": predictions_with_error_rate(0.4), "linear": predictions_with_error_rate(0.2)}
    verdict = comparison.summarize_comparison(
        np.zeros(1000, int), predictions_with_error_rate(0.3), baselines, classes_metadata("ab")
    )
    assert verdict.startswith("The model is worse than the best baseline, linear: accuracy 0.7 against 0.8 on the test")
    assert verdict.endswith(". Use the baseline or improve the model.")


@pytest.mark.parametrize("share", [0.201, 0.2, 0.199])
def test_verdict_without_significant_difference(share):
    y_pred = predictions_with_error_rate(share)[::-1]
    verdict = comparison.summarize_comparison(
        np.zeros(1000, int), y_pred, {"linear": predictions_with_error_rate(0.2)}, classes_metadata("ab")
    )
    assert verdict.startswith("No clear difference between the model and the best baseline, linear: accuracy")
    assert "n = 1,000" in verdict


def test_verdict_of_errors_prefers_lower_values():
    y_true, metadata = np.arange(100.0), REGRESSION
    noise = np.random.default_rng(0).normal(size=100)
    verdict = comparison.summarize_comparison(
        y_true, y_true + noise, {"dummy": np.full(100, 49.5), "linear": y_true + 3 * noise}, metadata
    )
    assert verdict.startswith("The model is better than the best baseline, linear: root mean squared error ")
    assert "lower is better" in verdict
    verdict = comparison.summarize_comparison(y_true, y_true + 3 * noise, {"linear": y_true + noise}, metadata)
    assert verdict.startswith("The model is worse than the best baseline, linear: root mean squared error")


def test_verdict_without_baselines():
    for metadata, baselines in ((REGRESSION, {}), (CUSTOM_TASK, {"dummy": [1.0]})):
        assert comparison.summarize_comparison([1.0], [1.0], baselines, metadata).startswith(
            "No baseline was evaluated"
        )


@pytest.mark.parametrize(
    ("name", "counts", "balance_classes", "metric"),
    [
        ("auto", {"a": 75, "b": 25}, False, "accuracy"),
        ("auto", {"a": 80, "b": 20}, False, "balanced_accuracy"),
        ("auto", {"a": 900, "b": 50, "c": 50}, False, "balanced_accuracy"),
        ("auto", {"a": 40, "b": 30, "c": 30}, False, "accuracy"),
        ("auto", {"a": 75, "b": 25}, True, "balanced_accuracy"),
        ("f1", {"a": 900, "b": 100}, True, "f1"),
    ],
)
def test_the_metric_of_imbalanced_classes_is_balanced(name, counts, balance_classes, metric):
    metadata = Metadata(target=Target(task="classification", classes=list(counts), counts=counts))
    assert resolve_metric(name, metadata, balance_classes=balance_classes) == metric


@pytest.mark.parametrize(
    ("task", "name", "resolved"),
    [("regression", "rmse", "root_mean_squared_error"), ("forecasting", "mae", "mean_absolute_error")],
)
def test_short_names_of_metrics(task, name, resolved):
    assert resolve_metric(name, Metadata(target=Target(task=task))) == resolved


@pytest.mark.parametrize(
    ("task", "name", "message"),
    [
        (
            "regression",
            "accuracy",
            "task=regression: root_mean_squared_error, .*, rmse, mae. Received: metric=acc",
        ),
        ("classification", "mase", "Received: metric=mase"),
        ("multilabel", "f1", "Received: metric=f1"),
    ],
)
def test_metric_of_another_task_is_refused(task, name, message):
    with pytest.raises(UserError, match=message):
        resolve_metric(name, Metadata(target=Target(task=task)))


def test_the_comparison_is_by_the_metric_of_the_run():
    y_true = np.arange(100.0)
    outlier, near = y_true.copy(), y_true + 0.5
    outlier[0] = 60  # worse by the squared error, better by the absolute error
    baselines = {"dummy": outlier}
    rmse = comparison.compare_to_best_baseline(y_true, near, baselines, REGRESSION)
    median = comparison.compare_to_best_baseline(
        y_true, near, baselines, REGRESSION.model_copy(update={"metric": "median_absolute_error"})
    )
    assert (rmse["score"], rmse["better"][1] > 0) == ("root_mean_squared_error", True)
    assert (median["score"], median["better"][1] < 0) == ("median_absolute_error", True)


def test_a_metric_that_is_undefined_is_replaced_by_the_next():
    """Without a seasonal naive forecast in training, MASE is undefined."""
    y_true = np.zeros(40, [("series", "int32"), ("values", "float64", (1,))])
    series = SimpleNamespace(names=["a"], naive_error=[0.0], scale=[1.0])
    metadata = Metadata(target=Target(task="forecasting"), quantiles=[0.5], series=series)
    result = comparison.compare_to_best_baseline(y_true, np.ones((40, 1)), {"naive": np.full((40, 1), 2.0)}, metadata)
    assert result["score"] == "mean_absolute_error"


def test_neighboring_windows_are_resampled_in_blocks():
    """Autocorrelated errors have wider intervals with blocks; with fewer than two blocks there is no interval."""
    y_true = np.zeros(400, [("series", "int32"), ("values", "float64", (1,))])
    y_pred = np.repeat(np.random.default_rng(0).random(20), 20)[:, None]

    def with_blocks(block_length):
        series = SimpleNamespace(names=["a"], naive_error=[1.0], scale=[1.0])
        target = Target(task="forecasting")
        return Metadata(target=target, quantiles=[0.5], series=series, block_length=block_length)

    widths = []
    for block_length in (1, 20):
        metadata = with_blocks(block_length)
        low, high = bootstrap.bootstrap_intervals(y_true, y_pred, metadata)["mase"]
        assert low < scoring.compute_metrics(y_true, y_pred, metadata)["mase"] < high
        widths.append(high - low)
    assert 3 < widths[1] / widths[0] < 6  # the square root of 20
    assert bootstrap.bootstrap_intervals(y_true, y_pred, with_blocks(201)) == {}
    assert bootstrap.paired_difference_interval(y_true, y_pred, y_pred + 1, with_blocks(201), "mase") is None
    summary = comparison.summarize_comparison(y_true, y_pred, {"naive": y_pred + 1}, with_blocks(201))
    assert summary.startswith("The score is better than that of the best baseline, naive: ")
    assert "too few independent test rows for a confidence interval" in summary
    summary = comparison.summarize_comparison(y_true, y_pred + 1, {"naive": y_pred}, with_blocks(201))
    assert summary.startswith("The score is not better than")
    assert comparison.summarize_comparison(y_true, y_pred, {"naive": y_pred + 1}, with_blocks(20)).startswith(
        "The model is better than"
    )
