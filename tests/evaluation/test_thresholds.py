"""Scores at decision thresholds, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from tfkit.evaluation.thresholds import threshold_scores

RNG = np.random.default_rng(0)
Y_SCORE = np.round(RNG.random(200), 1)  # with ties
Y_TRUE = RNG.random(200) < Y_SCORE


def test_scores_equal_those_of_scikit_learn():
    scores = threshold_scores(Y_TRUE, Y_SCORE, 3.0)
    for i, threshold in enumerate(scores.thresholds):
        y_pred = threshold <= Y_SCORE
        _, false_positives, false_negatives, _ = metrics.confusion_matrix(Y_TRUE, y_pred).ravel()
        expected = [getattr(metrics, f"{name}_score")(Y_TRUE, y_pred) for name in ("precision", "recall", "f1")]
        assert [scores.precision[i], scores.recall[i], scores.f1[i]] == pytest.approx(expected)
        assert scores.costs[i] == false_positives + 3 * false_negatives


def test_position_of_a_threshold_between_the_scores():
    scores = threshold_scores(np.array([True, False, True]), np.array([0.45, 0.3, 0.2]))
    assert [scores.position(threshold) for threshold in (0.5, 0.45, 0.4, 0.3, 0.0)] == [None, 0, 0, 1, 2]
