"""Scores agree with scikit-learn, one at a time and over a bootstrap, and the verdict says what the numbers say."""

import time
import warnings

import numpy as np
import pytest
from sklearn import metrics

from tfkit import scores
from tfkit.errors import NotFiniteError

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
    found = scores.score(truth, answer, info_of(task, range(classes)), weight=weight)
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
    drawn = scores.score(np.repeat(truth, counts), np.repeat(answer, counts, axis=0), info)
    weighted = scores.score(truth, answer, info, weight=counts)
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
    found = scores.score(truth, answer, info_of("regression"), weight=weight)
    assert list(found) == list(names)
    for name, function in functions.items():
        assert found[name] == pytest.approx(function(truth, answer, sample_weight=weight), abs=1e-9), name


def test_answers_in_float32_are_clipped_as_scikit_learn_clips_them():
    truth, answer = np.array([0, 1, 1]), np.array([[1, 0], [0.25, 0.75], [1, 0]], "float32")
    found = scores.score(truth, answer, info_of("binary", ["a", "b"]))["log_loss"]
    assert found == pytest.approx(metrics.log_loss(truth, answer), abs=1e-5)


def test_calibration_error_of_a_closed_form():
    """Ten rows at 0.8 of which six are right, ten at 0.6 of which six are right: (0.2 * 10 + 0) / 20."""
    answer = np.array([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    truth = np.array(([0] * 6 + [1] * 4) * 2)
    found = scores.score(truth, answer, info_of("binary", ["a", "b"]))
    assert found["expected_calibration_error"] == pytest.approx(0.1, abs=1e-12)


def test_undefined_is_left_out_and_nothing_is_ever_nan():
    _, answer = table(20, 2)
    info = info_of("binary", ["yes", "no"])
    only_negative = scores.score(np.ones(20, int), answer, info)
    assert not {"roc_auc", "average_precision", "recall"} & set(only_negative)
    assert {"accuracy", "log_loss", "precision"} <= set(only_negative)
    never_there = scores.score(np.ones(20, int), np.tile([0.0, 1.0], (20, 1)), info)
    assert not {"precision", "recall", "f1"} & set(never_there)
    assert "r2" not in scores.score(np.full(9, 0.1), np.arange(9.0), info_of("regression"))
    assert scores.score([], np.zeros((0, 2)), info) == {}
    enormous = scores.score([1.0, 2.0], [1e300, 2.0], info_of("regression"))
    assert set(enormous) == {"mean_absolute_error", "median_absolute_error"}
    tables = ((np.ones(20, int), info), (np.arange(20) % 2, info))
    found = [scores.intervals(truth, answer, about, samples=50) for truth, about in tables]
    assert all(np.isfinite(span).all() for one in found for span in one.values())
    assert "roc_auc" not in found[0]
    assert "roc_auc" in found[1]


def test_an_unknown_task_has_no_scores():
    assert scores.score([1], [[2.0]], {"task": "poetry"}) == {}
    assert scores.intervals([1], [[2.0]], {"task": "poetry"}) == {}
    assert scores.by_class([1], [[2.0]], {"task": "poetry"}) == {}
    assert scores.headline("poetry") == ("loss", "min")


def test_bad_answers_are_refused():
    with pytest.raises(ValueError, match=r"one answer .* Received: 2 rows, answers of shape \(2, 3\)"):
        scores.score([0, 1], np.ones((2, 3)) / 3, info_of("binary", ["a", "b"]))
    with pytest.raises(NotFiniteError, match=r"must be finite .* Received: 1 of 2 rows"):
        scores.score([0.0, 1.0], [np.nan, 1.0], info_of("regression"))


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
    truth, answer = table(rows, classes, digits=15)
    start = time.perf_counter()
    scores.intervals(truth, answer, info_of("binary" if classes == 2 else "multiclass", range(classes)))
    assert time.perf_counter() - start < 6


def test_by_class_agrees_with_scikit_learn():
    truth, answer = table(300, 5, present=[0, 1, 3, 4], never=1)
    found = scores.by_class(truth, answer, info_of("multiclass", "abcde"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = metrics.precision_recall_fscore_support(truth, answer.argmax(1), labels=range(5))
    for code, label in enumerate("abcde"):
        values = dict(zip((*KINDS, "support"), (column[code] for column in wanted), strict=True))
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
