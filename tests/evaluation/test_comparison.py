"""Tests of bootstrap intervals, paired differences, per-class metrics and the comparison with baselines."""

import time
import warnings

import numpy as np
import pytest
from sklearn import metrics

from tfkit.evaluation import bootstrap, comparison
from tfkit.evaluation import metrics as evaluation_metrics


def info_of(task, classes=()):
    positive = classes[0] if task == "binary" else None
    return {"task": task, "target": {"name": "y", "classes": list(classes), "positive": positive}}


def table(rows, classes):
    """Targets, and probabilities of a model that is better than random."""
    rng = np.random.default_rng(0)
    y_true, y_prob = rng.integers(0, classes, rows), rng.random((rows, classes))
    y_prob[np.arange(rows), y_true] += 0.6
    return y_true, y_prob / y_prob.sum(1, keepdims=True)


def test_unknown_task_has_no_scores():
    assert evaluation_metrics.compute_metrics([1], [[2.0]], {"task": "poetry"}) == {}
    assert bootstrap.bootstrap_intervals([1], [[2.0]], {"task": "poetry"}) == {}
    assert evaluation_metrics.per_class_metrics([1], [[2.0]], {"task": "poetry"}) == {}
    assert comparison.primary_metric("poetry") == ("loss", "min")


def test_intervals_are_percentiles_of_the_scores_of_resampled_rows():
    """The same seed resamples the same rows, so a plain loop must give the same intervals."""
    y_true, y_pred = table(60, 3)
    info, rng = info_of("multiclass", "abc"), np.random.default_rng(7)
    resampled = [rng.integers(0, 60, 60) for _ in range(80)]
    sample_scores = [evaluation_metrics.compute_metrics(y_true[rows], y_pred[rows], info) for rows in resampled]
    intervals = bootstrap.bootstrap_intervals(y_true, y_pred, info, samples=80, seed=7, level=0.9)
    assert set(intervals) == set(evaluation_metrics.compute_metrics(y_true, y_pred, info))
    for name, interval in intervals.items():
        assert interval == pytest.approx(
            np.percentile([values[name] for values in sample_scores], [5, 95]), abs=1e-9
        ), name


def test_intervals_have_nominal_coverage():
    """Accuracy 0.7: about 95% of the intervals of 200 test sets of 100 rows contain 0.7 (binomial: 0.87 to 0.99)."""
    rng, info, num_covered = np.random.default_rng(0), info_of("binary", ["a", "b"]), 0
    for seed in range(200):
        y_true = (rng.random(100) < 0.7).astype(int)
        low, high = bootstrap.bootstrap_intervals(y_true, np.tile([0.4, 0.6], (100, 1)), info, samples=200, seed=seed)[
            "accuracy"
        ]
        num_covered += low <= 0.7 <= high
    assert 0.87 <= num_covered / 200 <= 0.99


def test_undefined_metric_has_no_interval():
    _, y_pred = table(20, 2)
    for y_true, defined in ((np.ones(20, int), False), (np.arange(20) % 2, True)):
        intervals = bootstrap.bootstrap_intervals(y_true, y_pred, info_of("binary", ["yes", "no"]), samples=50)
        assert np.isfinite(list(intervals.values())).all()
        assert ("roc_auc" in intervals) == defined


def test_chunk_size_does_not_change_intervals(monkeypatch):
    y_true, y_pred = table(50, 4)
    info = info_of("multiclass", "abcd")
    single_chunk = bootstrap.bootstrap_intervals(y_true, y_pred, info, samples=40)
    monkeypatch.setattr(bootstrap, "MAX_CHUNK_WEIGHTS", 150)
    small_chunks = bootstrap.bootstrap_intervals(y_true, y_pred, info, samples=40)
    assert list(small_chunks) == list(single_chunk)
    assert all(small_chunks[name] == pytest.approx(interval, abs=1e-12) for name, interval in single_chunk.items())


def test_large_test_sets_get_fewer_samples():
    assert bootstrap._num_samples(1000, 100_000, info_of("regression")) == 1000
    assert bootstrap._num_samples(1000, 1_000_000, info_of("regression")) == 200
    assert bootstrap._num_samples(1000, 100_000, info_of("multiclass", range(26))) == 100


@pytest.mark.parametrize(("rows", "classes"), [(16_281, 2), (4_000, 26)])
def test_thousand_samples_take_seconds(rows, classes):
    """It takes 0.9 s and 0.5 s on one core; a loop over scikit-learn takes minutes."""
    y_true, y_pred = table(rows, classes)
    start = time.process_time()  # independent of other processes
    bootstrap.bootstrap_intervals(y_true, y_pred, info_of("binary" if classes == 2 else "multiclass", range(classes)))
    assert time.process_time() - start < 6


def test_per_class_metrics_agree_with_scikit_learn():
    y_true, y_pred = table(300, 5)
    y_true[y_true == 2], y_pred[:, 1] = 0, 0  # "c" has no rows, "b" is never predicted
    per_class = evaluation_metrics.per_class_metrics(y_true, y_pred, info_of("multiclass", "abcde"))
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
    info = info_of("binary", ["no", "yes"])
    low, high = bootstrap.paired_difference_interval(y_true, a, b, info, "accuracy")
    assert 0.005 < low < 10 / 400 < high < 0.05
    assert bootstrap.paired_difference_interval(y_true, b, a, info, "accuracy") == pytest.approx([-high, -low])
    assert bootstrap.paired_difference_interval(y_true, a, a, info, "accuracy") == [0, 0]
    assert bootstrap.paired_difference_interval(y_true, a, b, info, "roc_auc") is None
    assert bootstrap.paired_difference_interval(y_true, a, b, info, "no such score") is None


def predictions_with_error_rate(share, rows=1000):
    """Probabilities for targets of zeros with this error rate."""
    return np.where(np.arange(rows)[:, None] < share * rows, [[0.2, 0.8]], [[0.8, 0.2]])


def test_verdict_of_a_better_model():
    baselines = {"dummy": predictions_with_error_rate(0.4), "linear": predictions_with_error_rate(0.2)}
    verdict = comparison.summarize_comparison(
        np.zeros(1000, int), predictions_with_error_rate(0.1), baselines, info_of("binary", "ab")
    )
    assert verdict.startswith(
        "Better than the best baseline (linear): accuracy 0.9 vs 0.8, n = 1,000, 95% CI of the diff"
    )


def test_verdict_of_a_worse_model():
    baselines = {"dummy": predictions_with_error_rate(0.4), "linear": predictions_with_error_rate(0.2)}
    verdict = comparison.summarize_comparison(
        np.zeros(1000, int), predictions_with_error_rate(0.3), baselines, info_of("binary", "ab")
    )
    assert verdict.startswith("Worse than the best baseline (linear): accuracy 0.7 vs 0.8, n = 1,000, 95% CI")
    assert verdict.endswith(". Use the baseline or improve the model.")


@pytest.mark.parametrize("share", [0.201, 0.2, 0.199])
def test_verdict_without_significant_difference(share):
    y_pred = predictions_with_error_rate(share)[::-1]
    verdict = comparison.summarize_comparison(
        np.zeros(1000, int), y_pred, {"linear": predictions_with_error_rate(0.2)}, info_of("binary", "ab")
    )
    assert verdict.startswith("No significant difference from the best baseline (linear): accuracy")
    assert "n = 1,000" in verdict


def test_verdict_of_errors_prefers_lower_values():
    y_true, info = np.arange(100.0), info_of("regression")
    noise = np.random.default_rng(0).normal(size=100)
    verdict = comparison.summarize_comparison(
        y_true, y_true + noise, {"dummy": np.full(100, 49.5), "linear": y_true + 3 * noise}, info
    )
    assert verdict.startswith("Better than the best baseline (linear): root mean squared error ")
    assert "lower is better" in verdict
    verdict = comparison.summarize_comparison(y_true, y_true + 3 * noise, {"linear": y_true + noise}, info)
    assert verdict.startswith("Worse than the best baseline (linear): root mean squared error")


def test_verdict_without_baselines():
    for info, baselines in ((info_of("regression"), {}), ({"task": "poetry"}, {"dummy": [1.0]})):
        assert comparison.summarize_comparison([1.0], [1.0], baselines, info).startswith("No baseline was evaluated")


def test_neighboring_windows_are_resampled_in_blocks():
    """Autocorrelated errors have wider intervals with blocks; with fewer than two blocks there is no interval."""
    y_true = np.zeros(400, [("series", "int32"), ("values", "float64", (1,))])
    y_pred = np.repeat(np.random.default_rng(0).random(20), 20)[:, None]
    info = {"task": "forecast", "quantiles": [0.5], "series": {"names": ["a"], "naive_error": [1.0], "scale": [1.0]}}
    widths = []
    for block in (1, 20):
        low, high = bootstrap.bootstrap_intervals(y_true, y_pred, info | {"block": block})["mase"]
        assert low < evaluation_metrics.compute_metrics(y_true, y_pred, info)["mase"] < high
        widths.append(high - low)
    assert 3 < widths[1] / widths[0] < 6  # the square root of 20
    assert bootstrap.bootstrap_intervals(y_true, y_pred, info | {"block": 201}) == {}
    assert bootstrap.paired_difference_interval(y_true, y_pred, y_pred + 1, info | {"block": 201}, "mase") is None
    assert "No significant difference" in comparison.summarize_comparison(
        y_true, y_pred, {"naive": y_pred + 1}, info | {"block": 201}
    )
    assert comparison.summarize_comparison(y_true, y_pred, {"naive": y_pred + 1}, info | {"block": 20}).startswith(
        "Better than"
    )
