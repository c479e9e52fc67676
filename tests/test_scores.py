"""Intervals are what they say, differences are paired, and the verdict says what the numbers say."""

import time
import warnings

import numpy as np
import pytest
from sklearn import metrics

from tfkit import scores


def info_of(task, classes=()):
    positive = classes[0] if task == "binary" else None
    return {"task": task, "target": {"name": "y", "classes": list(classes), "positive": positive}}


def table(rows, classes):
    """Truth and probabilities that are right somewhat more often than not."""
    rng = np.random.default_rng(0)
    truth, chance = rng.integers(0, classes, rows), rng.random((rows, classes))
    chance[np.arange(rows), truth] += 0.6
    return truth, chance / chance.sum(1, keepdims=True)


def test_an_unknown_task_has_no_scores():
    assert scores.score([1], [[2.0]], {"task": "poetry"}) == {}
    assert scores.intervals([1], [[2.0]], {"task": "poetry"}) == {}
    assert scores.by_class([1], [[2.0]], {"task": "poetry"}) == {}
    assert scores.headline("poetry") == ("loss", "min")


def test_intervals_are_the_percentiles_of_the_scores_of_drawn_rows():
    """Redone by hand: draw rows, score them, take percentiles; the draws are the same, so are the ends."""
    truth, answer = table(60, 3)
    info, rng = info_of("multiclass", "abc"), np.random.default_rng(7)
    drawn = [rng.integers(0, 60, 60) for _ in range(80)]
    each = [scores.score(truth[rows], answer[rows], info) for rows in drawn]
    found = scores.intervals(truth, answer, info, samples=80, seed=7, level=0.9)
    assert set(found) == set(scores.score(truth, answer, info))
    for name, span in found.items():
        assert span == pytest.approx(np.percentile([one[name] for one in each], [5, 95]), abs=1e-9), name


def test_intervals_hold_the_truth_as_often_as_they_say():
    """A coin of 0.7: of 200 tests of 100 rows, about 95% of the intervals hold 0.7 (binomial: 0.87 to 0.99)."""
    rng, info, held = np.random.default_rng(0), info_of("binary", ["a", "b"]), 0
    for seed in range(200):
        truth = (rng.random(100) < 0.7).astype(int)
        low, high = scores.intervals(truth, np.tile([0.4, 0.6], (100, 1)), info, samples=200, seed=seed)["accuracy"]
        held += low <= 0.7 <= high
    assert 0.87 <= held / 200 <= 0.99


def test_what_is_undefined_has_no_interval_and_nothing_is_ever_nan():
    _, answer = table(20, 2)
    for truth, defined in ((np.ones(20, int), False), (np.arange(20) % 2, True)):
        found = scores.intervals(truth, answer, info_of("binary", ["yes", "no"]), samples=50)
        assert np.isfinite(list(found.values())).all()
        assert ("roc_auc" in found) == defined


def test_the_block_size_changes_nothing(monkeypatch):
    truth, answer = table(50, 4)
    info = info_of("multiclass", "abcd")
    whole = scores.intervals(truth, answer, info, samples=40)
    monkeypatch.setattr(scores, "CELLS", 150)
    small = scores.intervals(truth, answer, info, samples=40)
    assert list(small) == list(whole)
    assert all(small[name] == pytest.approx(span, abs=1e-12) for name, span in whole.items())


def test_large_tests_get_fewer_samples():
    assert scores._affordable(1000, 100_000, info_of("regression")) == 1000
    assert scores._affordable(1000, 1_000_000, info_of("regression")) == 200
    assert scores._affordable(1000, 100_000, info_of("multiclass", range(26))) == 100


@pytest.mark.parametrize(("rows", "classes"), [(16_281, 2), (4_000, 26)])
def test_a_thousand_samples_take_seconds(rows, classes):
    """0.9 s and 0.5 s on one core; a loop over scikit-learn takes minutes."""
    truth, answer = table(rows, classes)
    start = time.process_time()  # whatever else the machine does
    scores.intervals(truth, answer, info_of("binary" if classes == 2 else "multiclass", range(classes)))
    assert time.process_time() - start < 6


def test_by_class_agrees_with_scikit_learn():
    truth, answer = table(300, 5)
    truth[truth == 2], answer[:, 1] = 0, 0  # "c" has no rows, "b" is never predicted
    found = scores.by_class(truth, answer, info_of("multiclass", "abcde"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = metrics.precision_recall_fscore_support(truth, answer.argmax(1), labels=range(5))
    for code, label in enumerate("abcde"):
        values = dict(zip(("precision", "recall", "f1", "support"), (column[code] for column in wanted), strict=True))
        if label == "c":
            del values["recall"]
        assert found[label] == pytest.approx(values, abs=1e-12)


def test_difference_is_paired():
    """Two models that err on the same hard rows, one of them on ten more, differ by the share of those drawn."""
    truth = np.zeros(400, int)
    a, b = np.tile([0.9, 0.1], (400, 1)), np.tile([0.9, 0.1], (400, 1))
    a[:200] = b[:210] = [0.1, 0.9]
    info = info_of("binary", ["no", "yes"])
    low, high = scores.difference(truth, a, b, info, "accuracy")
    assert 0.005 < low < 10 / 400 < high < 0.05
    assert scores.difference(truth, b, a, info, "accuracy") == pytest.approx([-high, -low])
    assert scores.difference(truth, a, a, info, "accuracy") == [0, 0]
    assert scores.difference(truth, a, b, info, "roc_auc") is None
    assert scores.difference(truth, a, b, info, "no such score") is None


def wrong_in(share, rows=1000):
    """Answers to a truth of zeros of which this share is wrong."""
    return np.where(np.arange(rows)[:, None] < share * rows, [[0.2, 0.8]], [[0.8, 0.2]])


def test_verdict_of_a_model_that_is_better():
    baselines = {"constant": wrong_in(0.4), "linear": wrong_in(0.2)}
    said = scores.verdict(np.zeros(1000, int), wrong_in(0.1), baselines, info_of("binary", "ab"))
    assert said.startswith("Better than the best baseline, linear: accuracy 0.9 against 0.8 (95% interval of the diff")


def test_verdict_of_a_model_that_is_worse():
    baselines = {"constant": wrong_in(0.4), "linear": wrong_in(0.2)}
    said = scores.verdict(np.zeros(1000, int), wrong_in(0.3), baselines, info_of("binary", "ab"))
    assert said.startswith("The baseline linear is better than the model: accuracy 0.7 against 0.8 (95% interval")
    assert said.endswith("; use linear, or improve the model.")


@pytest.mark.parametrize("share", [0.201, 0.2, 0.199])
def test_verdict_of_a_model_that_is_not_to_be_told_apart(share):
    answer = wrong_in(share)[::-1]
    said = scores.verdict(np.zeros(1000, int), answer, {"linear": wrong_in(0.2)}, info_of("binary", "ab"))
    assert said.startswith("Not to be told apart from the best baseline, linear, on 1,000 rows: accuracy")


def test_verdict_of_errors_wants_less():
    truth, info = np.arange(100.0), info_of("regression")
    noise = np.random.default_rng(0).normal(size=100)
    said = scores.verdict(truth, truth + noise, {"constant": np.full(100, 49.5), "linear": truth + 3 * noise}, info)
    assert said.startswith("Better than the best baseline, linear: root_mean_squared_error ")
    assert "less is better" in said
    said = scores.verdict(truth, truth + 3 * noise, {"linear": truth + noise}, info)
    assert said.startswith("The baseline linear is better than the model: root_mean_squared_error")


def test_verdict_without_anything_to_compare_with():
    for info, baselines in ((info_of("regression"), {}), ({"task": "poetry"}, {"constant": [1.0]})):
        assert scores.verdict([1.0], [1.0], baselines, info).startswith("No baseline was measured")


def test_windows_of_one_time_are_drawn_together():
    """Errors that come in long runs are less sure than as many that are mixed; too few runs say nothing at all."""
    truth = np.zeros(400, [("series", "int32"), ("values", "float64", (1,))])
    answer = np.repeat(np.random.default_rng(0).random(20), 20)[:, None]
    info = {"task": "forecast", "quantiles": [0.5], "series": {"names": ["a"], "naive_error": [1.0], "scale": [1.0]}}
    widths = []
    for block in (1, 20):
        low, high = scores.intervals(truth, answer, info | {"block": block})["mase"]
        assert low < scores.score(truth, answer, info)["mase"] < high
        widths.append(high - low)
    assert 3 < widths[1] / widths[0] < 6  # the root of 20
    assert scores.intervals(truth, answer, info | {"block": 201}) == {}
    assert scores.difference(truth, answer, answer + 1, info | {"block": 201}, "mase") is None
    assert "Not to be told apart" in scores.verdict(truth, answer, {"naive": answer + 1}, info | {"block": 201})
    assert scores.verdict(truth, answer, {"naive": answer + 1}, info | {"block": 20}).startswith("Better than")
